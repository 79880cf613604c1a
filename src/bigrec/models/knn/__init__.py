"""Nearest neighbors, of users or of items."""

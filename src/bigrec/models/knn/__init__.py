"""Nearest neighbours, of users or of items."""

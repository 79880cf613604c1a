"""Autoencoders of rows of ratings."""

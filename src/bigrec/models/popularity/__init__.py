"""Popularity: the same list for everybody, which every model that ranks must beat."""

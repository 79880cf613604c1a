"""EASE: items weighed by items, in closed form."""

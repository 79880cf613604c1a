"""Lists: the best unseen items of a user, scores of given pairs."""

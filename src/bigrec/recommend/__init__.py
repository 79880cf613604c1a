"""Lists: the best unseen movies of a user, scores of given pairs."""

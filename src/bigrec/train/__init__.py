"""Fitting a model to a split: the loop, the optimizers, the run that results."""

"""The models that are trained by gradient steps, for tests of their training."""

from __future__ import annotations

from bigrec.models.gradient_model import GradientModel
from bigrec.models.registry import MODELS, find_model


def gradient_model(name: str) -> GradientModel:
    """The model of this name, which must be trained by steps."""
    model = find_model(name).steps
    assert model is not None
    return model


GRADIENT_MODELS = [name for name, model in MODELS.items() if model.steps is not None]
"""Their names."""

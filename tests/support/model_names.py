"""The names of bigrec's models, by what they learn to do."""

from __future__ import annotations

from bigrec.measures import RANKING_OBJECTIVE, RATING_OBJECTIVE
from bigrec.models.registry import MODELS

RATING_MODELS = [name for name, one in MODELS.items() if RATING_OBJECTIVE in one.objectives]
RANKING_MODELS = [name for name, one in MODELS.items() if RANKING_OBJECTIVE in one.objectives]

"""What a model is: the Protocol that all stages ask, and what a model is given to work with.

Nothing outside a model's own modules knows what kind it is. To add one, write a class that derives
from Model (or GradientModel) and name it in the registry; docs/adding-a-model.md shows the whole.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from bigrec.measures import RATING_OBJECTIVE
from bigrec.models.options import ModelOptions
from bigrec.models.similarity import ItemSimilarity, RatingSimilarity
from bigrec.resources import SILENT, Budget, Progress
from bigrec.rows import DataSpec, Rows

if TYPE_CHECKING:
    from bigrec.models.baseline.bias import Biases
    from bigrec.models.gradient_model import GradientModel
    from bigrec.models.scoring import Scorer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TrainSubset:
    """What every scorer stands on: the train subset of a split."""

    rows: Rows
    """The ratings, by user."""
    spec: DataSpec
    """Sizes and scale."""
    biases: Biases
    """The bias model of the rows: the fallback, and what a model may count from."""

    def less_days(self) -> Rows:
        """The rows with the ratings that a model learns from: less the biases of days, if any."""
        return dataclasses.replace(self.rows, rating=self.biases.less_days(self.rows))


@dataclass(frozen=True)
class Checkpoint:
    """Where and when a fit may save its state, beside at Ctrl-C."""

    path: Path
    """The file. One that is there is continued from; it is the caller's to remove."""
    minutes: float | None = 10.0
    """After so many minutes; 0 for every unit of work. None: never."""


@dataclass(frozen=True)
class FitContext(TrainSubset):
    """All that a model is fitted from."""

    options: Any
    """Of the model's own class of options, settled."""
    seed: int = 0
    """The only source of randomness."""
    budget: Budget = field(default_factory=Budget)
    """Threads, and the memory that there is."""
    progress: Progress = SILENT
    """Told of units that are done."""
    checkpoint: Checkpoint | None = None
    """For a fit that takes long, and can be continued; None: it saves nothing."""
    devices: tuple[str, ...] = ("/CPU:0",)
    """Where to compute, as TensorFlow names devices; all of one kind."""
    by_steps: Callable[[GradientModel], Scorer] | None = None
    """Trains by gradient steps, as the training stage does; None where nothing can."""

    @property
    def on_gpu(self) -> bool:
        """Whether to compute on a GPU."""
        return any("GPU" in device for device in self.devices)


class SavedModel(Protocol):
    """What a run keeps of its model, to load it from."""

    @property
    def options(self) -> Any:
        """The hyper-parameters that it was fitted with, of the model's own class."""

    @property
    def details(self) -> Mapping[str, Any]:
        """The run's whole config, as JSON has it."""

    def arrays(self, *names: str) -> tuple[Array, ...]:
        """Arrays that `Model.arrays` gave, memory-mapped.

        Args:
            *names: of the arrays wanted, in the order in which they are given.

        Raises:
            RunError: one of them is not there.
        """

    def indices(self, name: str, stop: int) -> Array:
        """An array of indices.

        Args:
            name: of the array.
            stop: one more than the greatest; the least is -1, for none.

        Raises:
            RunError: it is not there, or one of them is out of bounds.
        """

    def network(self) -> Any:
        """The Keras model that `Model.network` gave, loaded without executing code.

        Raises:
            RunError: there is none, or it cannot be read.
        """

    def components(self) -> Sequence[Scorer]:
        """The scorers of the runs that this one is made of, in their order.

        Raises:
            RunError: one of them is missing, or has been trained again since.
        """


@runtime_checkable
class RunModel(Protocol):
    """What is asked of a model whose run is there already."""

    name: str
    """As on the command line, and in a run's config."""
    title: str
    """For people."""
    options_class: type[ModelOptions]
    """Its hyper-parameters."""

    def needs_keras(self, options: Any) -> bool:  # noqa: ARG002
        """Whether a saved model needs Keras to score, which takes seconds to load.

        Args:
            options: those that it was fitted with, of `options_class`.
        """
        return False

    @abstractmethod
    def load(self, saved: SavedModel, subset: TrainSubset) -> Scorer:
        """The scorer of a run, as `Model.fit` returned it, in another process.

        Args:
            saved: what the run keeps.
            subset: the train subset that it was fitted to.

        Raises:
            RunError: what is saved cannot be used.
        """

    def similarity(self, saved: SavedModel, subset: TrainSubset) -> ItemSimilarity:  # noqa: ARG002
        """What compares items as the model does; by who rated them how, unless it says otherwise.

        Args:
            saved: what the run keeps.
            subset: the train subset that it was fitted to.
        """
        return RatingSimilarity(subset.rows, subset.biases)


@runtime_checkable
class Model(RunModel, Protocol):
    """A model that can be trained on a split."""

    presets: Mapping[str, ModelOptions]
    """Options by the name of their preset, all of `options_class`; `tuned` is what is taken where
    none is named."""
    objectives: tuple[str, ...] = (RATING_OBJECTIVE,)
    """What it can learn to do. The options of a model that ranks are RankingOptions, its scorer is
    a RankingScorer."""

    @property
    def steps(self) -> GradientModel | None:
        """What the training stage needs of a model of gradient steps; None of any other."""
        return None

    @abstractmethod
    def fit(self, context: FitContext) -> Scorer:
        """Learn from the train subset.

        The same context gives the same scores.

        Args:
            context: the train subset, the options, and what the fit may use.

        Raises:
            ResourceError: it does not fit the budget.
        """

    @abstractmethod
    def arrays(self, scorer: Any) -> Mapping[str, Array]:
        """What a run keeps of a scorer that `fit` returned, by names that can be files'.

        They are kept beside the options and the biases, and are all that `load` is given.

        Args:
            scorer: as `fit` returned it.
        """

    def network(self, scorer: Any) -> Any | None:  # noqa: ARG002
        """A Keras model that a run keeps too; None for none.

        Args:
            scorer: as `fit` returned it.
        """
        return None

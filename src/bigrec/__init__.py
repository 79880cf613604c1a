"""bigrec: recommender data and models on one machine, out of core.

 raw *.txt           ingest/            store/              splits/             datasets/          models/
 Netflix files ──► parse + check ──► Parquet catalog ──► filter + split ──► tf.data batches ──► Keras models
                                          │               (lazy spec)             ▲                 │
                                          ▼                                  rows.py ──────────────┤
                                     query/ + sql/                                                  ▼
                                     DuckDB answers                        runs.py  ◄── train/ ── fit loop
                                                                              ├──► evaluate/   numbers
                                                                              ├──► recommend/  top-N lists
                                                                              └──► report/     one HTML page
                   api/  the same from Python                            cli/  one thin file per command

Data goes left to right once. Every stage is a function from a folder on disk to a folder on disk, in
bounded memory.

From Python begin with `ingest(raw, store)` or `open(store)`; a Store gives Splits, and
`train(split, model)` gives a Run (see bigrec.api.ingesting, bigrec.api.store, bigrec.api.split,
bigrec.api.run, bigrec.api.training). `recognise(raw)` says what raw files are taken for.
"""  # noqa: E501

from __future__ import annotations

import importlib
import types
from typing import TYPE_CHECKING, Any, Final

from bigrec.errors import BigrecError
from bigrec.version import __version__

if TYPE_CHECKING:
    import inspect

    from bigrec.api.ingesting import ingest, recognise
    from bigrec.api.run import Run
    from bigrec.api.split import Split
    from bigrec.api.store import Store, check_runs, open  # noqa: A004
    from bigrec.api.training import blend, compare, train
    from bigrec.resources import Budget
    from bigrec.splits.spec import SplitSpec

__all__ = [
    "BigrecError", "Budget", "Run", "Split", "SplitSpec", "Store", "__version__", "blend",
    "check_runs", "compare", "ingest", "open", "recognise", "train",
]  # fmt: skip

_HOMES: Final = {
    "Budget": "bigrec.resources",
    "Run": "bigrec.api.run",
    "Split": "bigrec.api.split",
    "SplitSpec": "bigrec.splits.spec",
    "Store": "bigrec.api.store",
    "blend": "bigrec.api.training",
    "check_runs": "bigrec.api.store",
    "compare": "bigrec.api.training",
    "open": "bigrec.api.store",
    "recognise": "bigrec.api.ingesting",
}
"""The module of each public name that is imported on first use: `import bigrec` costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _CallablePackage(types.ModuleType):
    """A package that can be called as the public function of its name.

    `bigrec.ingest(...)` and `bigrec.train(...)` are the two stages, and each package holds what
    its stage is made of. A function in the package's place would hide it, so that
    `import bigrec.train.loop; bigrec.train.loop` failed, and Python puts the package there anyway
    when something is imported from it. So the package stays where it is, and takes calls.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        import inspect

        return inspect.signature(self._function)

    @property
    def _function(self) -> Any:
        home = {"bigrec.ingest": "bigrec.api.ingesting", "bigrec.train": "bigrec.api.training"}
        module = importlib.import_module(home[self.__name__])
        return getattr(module, self.__name__.rpartition(".")[2])


for _name in ("bigrec.ingest", "bigrec.train"):  # a docstring each, so that this costs nothing
    importlib.import_module(_name).__class__ = _CallablePackage

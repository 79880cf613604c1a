"""bigrec: recommender data and models on one machine, out of core.

 raw *.txt           ingest/            store/              splits/             datasets/          models/
 Netflix files ──► parse + check ──► Parquet catalog ──► filter + split ──► tf.data batches ──► Keras models
                                          │               (lazy spec)             ▲                 │
                                          ▼                                  features.py ───────────┤
                                     query/ + sql/                                                  ▼
                                     DuckDB answers                        runs.py  ◄── train/ ── fit loop
                                                                              ├──► evaluate/   numbers
                                                                              ├──► recommend/  top-N lists
                                                                              └──► report/     one HTML page
                   api.py  the same from Python                          cli/  one thin file per command

Data goes left to right once. Every stage is a function from a folder on disk to a folder on disk, in
bounded memory.
"""  # noqa: E501

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from bigrec.errors import BigrecError
from bigrec.version import __version__

if TYPE_CHECKING:
    from bigrec.api import Run, Split, Store, ingest, open, train  # noqa: A004
    from bigrec.resources import Budget
    from bigrec.splits.spec import SplitSpec

_HOMES: Final = {
    "Budget": "bigrec.resources",
    "Run": "bigrec.api",
    "Split": "bigrec.api",
    "SplitSpec": "bigrec.splits.spec",
    "Store": "bigrec.api",
    "ingest": "bigrec.api",
    "open": "bigrec.api",
    "train": "bigrec.api",
}

__all__ = [
    "BigrecError", "Budget", "Run", "Split", "SplitSpec", "Store", "__version__", "ingest", "open",
    "train",
]  # fmt: skip


class _Package(types.ModuleType):
    """Imports a public name on first use, so that `import bigrec` costs nothing.

    Two names are functions as well as packages: `bigrec.ingest` and `bigrec.train` are always the
    functions; `from bigrec.train.loop import …` reaches into the packages.
    """

    def __getattribute__(self, name: str) -> Any:
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        return super().__getattribute__(name)


sys.modules[__name__].__class__ = _Package

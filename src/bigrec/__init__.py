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

from bigrec.version import __version__

__all__ = ["__version__"]

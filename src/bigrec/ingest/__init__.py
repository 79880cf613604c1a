"""Ratings of any source in, a checked Parquet store out, in bounded memory.

No source is known here by name: `sources.registry` recognises what a folder holds, and `unchanged`
whether a store was made from it already. `builder` has the units of a source parsed on a pool, or
by `batches` the record batches of one that yields those; `sorting` brings rows into the other sort
order through a bounded bucket sort on disk, and `ingest` publishes the store atomically.
"""

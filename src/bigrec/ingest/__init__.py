"""Raw text ratings in, a checked Parquet store out, in bounded memory.

`sources` recognises what a folder holds and cuts it into units of (path, start, end); `kernels`
parses one unit strictly, `row_kernels` sorts its rows; `sorting` brings rows into the other sort
order through a bounded bucket sort on disk; `ingest` runs the stages on a pool and publishes the
store atomically.
"""

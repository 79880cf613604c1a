"""Raw text ratings in, a checked Parquet store out, in bounded memory.

`sources` recognises what a folder holds, and `unchanged` whether a store was made from it already.
`readers` cut it into units of (path, start, end); `kernels` parses one unit strictly, `row_kernels`
sorts its rows; `sorting` brings rows into the other sort order through a bounded bucket sort on
disk; `builder` runs them on a pool, and `ingest` publishes the store atomically.
"""

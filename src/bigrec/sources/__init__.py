"""Sources of ratings: what each kind of raw data is, and how it is read.

`contract` says what a source is, `registry` which there are; each is one file, such as `netflix` or
`movielens`. The rest is what they share: `raw` finds files in folders and archives, `streams` reads
them, `units` cuts them into byte ranges, `fields` and `lines` parse, `rows` is what comes out.
"""

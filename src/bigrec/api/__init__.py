"""The toolkit from Python: a Store, its Splits, their Runs, and functions that make them.

    store = bigrec.ingest("raw", "store")
    split = store.split("large", min_item_ratings=10_001, min_user_ratings=231)
    run = bigrec.train(split, "matrix-factorization", preset="tuned")
    run.recommend(6, top=10)

The objects only bring the stages together; each stage can be called on its own as well. What cannot
be used is a BigrecError, as on the command line. Memory and threads are those of the Budget that
the store was opened with.
"""

"""The threads that models compute with, told to the libraries that have pools of their own."""

from __future__ import annotations

from contextlib import suppress

from bigrec.thread_limits import limit_blas


def limit_computing(threads: int, *, tensorflow: bool) -> None:
    """Let BLAS, and TensorFlow where it is used, compute with so many threads.

    Both hold for the whole process. TensorFlow's pools are made when it first computes: what it is
    told after that has no effect.

    Args:
        threads: of each pool.
        tensorflow: whether TensorFlow is used; it is loaded then.
    """
    limit_blas(threads)
    if not tensorflow:
        return
    import tensorflow as tf

    with suppress(RuntimeError):  # it has computed already
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)

"""Tiles of the neighbor search by TensorFlow, which runs them on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]


def tensorflow_product(one: Array, other: Array, products: Array) -> None:
    """Fill in the products of the rows, in full float32, where TensorFlow likes best to compute."""
    short = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        products[:] = tf.linalg.matmul(one, other, transpose_b=True)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(short)

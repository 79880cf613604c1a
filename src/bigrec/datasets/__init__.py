"""A materialized split as tf.data pipelines: shuffled pairs, and sparse user rows."""

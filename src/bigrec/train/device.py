"""Devices: quiet TensorFlow start-up, which GPUs there are, where to train."""

from __future__ import annotations

import tensorflow as tf

from bigrec.errors import ResourceError, SettingsError

DEVICES = ("auto", "cpu", "gpu")


def list_gpus() -> list[str]:
    """The names of the GPUs that TensorFlow sees."""
    gpus = tf.config.list_physical_devices("GPU")
    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus
    ]


def limit_threads(n_threads: int) -> None:
    """Let TensorFlow compute with this many threads; must come before it computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(n_threads)


def choose_device(name: str) -> str:
    """The TensorFlow device for auto, cpu or gpu; auto takes a GPU where there is one.

    Raises:
        SettingsError: no such choice.
        ResourceError: gpu was asked for and there is none.
    """
    if name not in DEVICES:
        raise SettingsError.unknown_name("device", name, DEVICES)
    has_gpu = bool(list_gpus())
    if name == "gpu" and not has_gpu:
        raise ResourceError(
            "TensorFlow sees no GPU", hint="pip install 'bigrec[gpu]', or use --device cpu"
        )
    return "/GPU:0" if has_gpu and name != "cpu" else "/CPU:0"

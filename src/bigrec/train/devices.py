"""Where to train: the one place that chooses devices.

Several devices of a kind share every batch: each computes the gradient of its part, the parts are
summed, and all update copies of the same variables (tf.distribute.MirroredStrategy; see replicas).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tensorflow as tf

from bigrec.errors import ResourceError
from bigrec.train.device_options import DeviceOptions


@dataclass(frozen=True)
class Devices:
    """The devices of a training, all of one kind."""

    kind: str
    """cpu or gpu."""
    names: tuple[str, ...]
    """As TensorFlow names them: /GPU:0."""
    memory_bytes: int | None
    """Memory of each; of GPUs the smallest; None if unknown."""

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Variables that are made in this scope, and what is computed with them, are there."""
        if len(self.names) == 1:
            position = tf.device(self.names[0])
        else:
            # By copies to one device and back. Collective operations, the default, fail in loops
            # inside the graph, where replicas may reach them in another order.
            position = tf.distribute.MirroredStrategy(
                list(self.names), cross_device_ops=tf.distribute.ReductionToOneDevice()
            ).scope()
        with position:
            yield


def choose_devices(options: DeviceOptions) -> Devices:
    """The devices to train on.

    Logical devices count: tf.config.set_logical_device_configuration makes several of a CPU.

    Raises:
        ResourceError: there are fewer.
    """
    has_gpu = bool(list_gpus())
    if options.kind == "gpu" and not has_gpu:
        raise ResourceError(
            "TensorFlow sees no GPU", hint="pip install 'bigrec[gpu]', or use --device cpu"
        )
    kind = "gpu" if has_gpu and options.kind != "cpu" else "cpu"
    n_there = len(tf.config.list_logical_devices(kind.upper()))
    names = tuple(f"/{kind.upper()}:{number}" for number in range(n_there))
    if options.n_devices > n_there:
        raise ResourceError(
            f"expected {options.n_devices} devices, TensorFlow sees {', '.join(names)} only",
            hint="a CPU is one device" if kind == "cpu" else "use --devices all",
        )
    memory_bytes = _gpu_memory_bytes() if kind == "gpu" else _host_memory_bytes()
    return Devices(kind, names[: options.n_devices or n_there], memory_bytes)


def list_gpus() -> list[str]:
    """The names of the GPUs that TensorFlow sees."""
    gpus = tf.config.list_physical_devices("GPU")
    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus
    ]


def _host_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gpu_memory_bytes() -> int | None:
    """Memory of the smallest GPU, as the driver's own tool says; TensorFlow does not tell."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    said = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603
    sizes = [int(line) << 20 for line in said.stdout.split("\n") if line.strip().isdigit()]
    return min(sizes, default=None)

"""Which devices a training gets, and what it is told where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from bigrec.errors import ResourceError, SettingsError
from bigrec.train import devices
from bigrec.train.device_options import DeviceOptions
from bigrec.train.devices import choose_devices, list_gpus


def test_a_cpu_is_one_device_with_the_memory_of_the_machine() -> None:
    chosen = choose_devices(DeviceOptions("cpu"))
    assert (chosen.kind, chosen.names) == ("cpu", ("/CPU:0",))
    assert choose_devices(DeviceOptions("cpu", 0)) == chosen
    total = next(
        int(line.split()[1]) << 10
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    assert chosen.memory_bytes == total
    with chosen.scope():
        assert "CPU:0" in tf.Variable(1.0).device


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert choose_devices(DeviceOptions()).kind == ("gpu" if list_gpus() else "cpu")


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="unknown device 'tpu'"):
        DeviceOptions("tpu")
    with pytest.raises(SettingsError, match="unknown precision 'half'"):
        DeviceOptions(precision="half")
    with pytest.raises(ResourceError, match="expected 3 devices, TensorFlow sees /CPU:0 only"):
        choose_devices(DeviceOptions("cpu", 3))


def test_the_memory_of_gpus_is_what_the_drivers_tool_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices._gpu_memory_bytes() is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 40960\necho 24576\n")
    tool.chmod(0o755)
    assert devices._gpu_memory_bytes() == 24 << 30
    tool.write_text("#!/bin/sh\necho no devices were found\nexit 6\n")
    assert devices._gpu_memory_bytes() is None


@pytest.mark.gpu
def test_a_gpu_tells_its_memory() -> None:
    memory = choose_devices(DeviceOptions("gpu")).memory_bytes
    assert memory is not None
    assert memory > 1 << 30

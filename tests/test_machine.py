"""The device is chosen without torch, and agrees with torch."""

import pytest
import torch

from vaeflash.errors import VaeflashError
from vaeflash.machine import choose_device, cuda_devices, device_kind, torch_minor, torch_version


def test_torch_agrees_on_its_version() -> None:
    assert torch_version() == torch.__version__


def test_torch_agrees_on_the_devices() -> None:
    assert cuda_devices() == torch.cuda.device_count()


def test_the_minor_version_is_two_numbers() -> None:
    assert torch_minor() == ".".join(torch.__version__.split(".")[:2])


@pytest.mark.parametrize(("devices", "chosen"), [(0, "cpu"), (2, "cuda")])
def test_auto_takes_a_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, devices: int, chosen: str
) -> None:
    monkeypatch.setattr("vaeflash.machine.cuda_devices", lambda: devices)

    assert choose_device("auto") == chosen


@pytest.mark.parametrize("wanted", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_can_be_named(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr("vaeflash.machine.cuda_devices", lambda: 2)

    assert (choose_device(wanted), device_kind(wanted)) == (wanted, "cuda")


@pytest.mark.parametrize("wanted", ["cuda:2", "tpu", "cuda:", "cuda:x", "CPU", "", "cpu:0"])
def test_what_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr("vaeflash.machine.cuda_devices", lambda: 2)

    with pytest.raises(VaeflashError, match="--device"):
        choose_device(wanted)

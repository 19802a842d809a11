"""The device is chosen without torch, and agrees with torch."""

import sys
from pathlib import Path

import pytest
import torch

from vaeflash.errors import VaeflashError
from vaeflash.machine import (
    choose_device,
    cuda_devices,
    device_kind,
    follows,
    has_extra,
    processors,
    torch_minor,
    torch_version,
)


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


@pytest.mark.parametrize("value", ["two", "", "-1", "9" * 5_000])
@pytest.mark.parametrize("variable", ["WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK"])
def test_what_torchrun_would_not_say_is_told_of(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(variable, value)

    with pytest.raises(VaeflashError, match=f"^{variable}: .* is no number"):
        (processors(), follows())


def test_no_share_of_the_processors_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "0")

    assert processors() >= 1


@pytest.mark.parametrize("name", ["", ".", "a.b", "\ud800", "a\0b", "no_such_module"])
def test_an_extra_that_no_module_can_be_is_not_here(name: str) -> None:
    assert not has_extra(name)


def test_a_module_that_came_from_nowhere_is_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)

    assert not has_extra("__main__")


def test_to_look_for_an_extra_imports_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)

    assert (has_extra("planted.inner"), has_extra("planted")) == (False, True)

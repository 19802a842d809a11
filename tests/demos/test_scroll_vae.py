"""The scroll's VAE in miniature, alone and as two processes that torchrun starts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tolerance import ROUNDING, TRAINED
from torch.distributions import Normal, kl_divergence

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.lab.metrics import parameter_count
from vaeflash.lab.volumes.distributed import Team
from vaeflash.runs.in_process import import_demo

ROOT = Path(__file__).parents[2]
PATHS = {name: ROOT / "demos" / f"{name}.py" for name in ("scroll_vae", "scroll_vae_full")}
SOURCE, FULL_SOURCE = (
    read_demo(path.stem.replace("_", "-"), path, f"demos/{path.name}") for path in PATHS.values()
)
DEMO, FULL = import_demo(SOURCE), import_demo(FULL_SOURCE)
AS_SHIPPED = DEMO.SETTINGS
CPU = torch.device("cpu")
LINES = ("ev", "pca_ev", "last_loss_nats", "kl_nats")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny = {"scroll": 64, "train": 96, "test": 8}
    settings = {
        "small": replace(DEMO.SETTINGS["small"], **tiny, latent=8),
        "full": replace(DEMO.SETTINGS["full"], **tiny, latent=16),
    }
    monkeypatch.setattr(DEMO, "SETTINGS", settings)


def measured(**params: Any) -> Result:
    settings = {"steps": 2, "batch": 4} | params
    return DEMO.run(DEMO.Params(**settings), Bench(0, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


@pytest.mark.slow
def test_the_full_demo_is_the_same_at_full_size():
    full = FULL.run(FULL.Params(steps=1, batch=2), Bench(0, needs=FULL_SOURCE.needs))
    expected = measured(size="full", steps=1, batch=2)

    assert dict(full.metrics) == {name: expected.metrics[name] for name in FULL_SOURCE.metrics}
    assert set(full.figures) == set(expected.figures)


def test_the_full_network_is_the_sources_own():
    grey = SimpleNamespace(train=torch.full((1, 1, 2, 2, 2), 0.5))

    assert parameter_count(DEMO.network(AS_SHIPPED["full"], grey)) == 4_655_905


def test_only_the_full_one_asks_for_a_gpu():
    assert "cuda" in FULL_SOURCE.needs
    assert "cuda" not in SOURCE.needs


@pytest.mark.slow
def test_untrained_it_answers_with_about_the_mean_grey_level():
    metrics = measured(steps=0).metrics

    assert metrics["ev"] == pytest.approx(0, abs=0.2)
    assert metrics["kl_nats"] < 2


@pytest.mark.slow
def test_a_few_steps_on_one_scroll_explain_something_of_it():
    metrics = measured(steps=60, batch=16, test="same").metrics

    assert metrics["ev"] > measured(steps=0, test="same").metrics["ev"] + 0.2


@pytest.mark.parametrize(("reduction", "voxels"), [("sum", 64), ("mean", 1)])
def test_the_loss_is_minus_the_elbo_of_torchs_distributions(reduction, voxels):
    class Still:
        """Codes without noise, decoded to cubes of 0.3."""

        def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.ones(len(x), 2), torch.full((len(x), 2), -1.0)

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return torch.full((len(z), 1, 4, 4, 4), 0.3)

    x = torch.full((3, 1, 4, 4, 4), 0.5)
    posterior = Normal(torch.ones(2), torch.tensor(-0.5).exp())
    nats = kl_divergence(posterior, Normal(0.0, 1.0)).sum()
    likelihood = Normal(0.3, 0.1)
    error = likelihood.log_prob(torch.tensor(0.3)) - likelihood.log_prob(torch.tensor(0.5))

    loss = DEMO.NegativeElbo(0.1, 2.0, reduction, Team(CPU))(Still(), x)
    torch.testing.assert_close(loss, voxels * error + 2 * nats)


def breaking(steps: Iterable[int], _: str, __: int | None = None) -> Iterator[int]:
    """A run that is broken off after three steps."""
    for step in steps:
        if step == 3:
            raise KeyboardInterrupt
        yield step


@pytest.mark.slow
def test_a_broken_run_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(DEMO, "SAVE_EVERY", 2)
    params = DEMO.Params(steps=5, batch=4, checkpoint=str(tmp_path / "run.pt"))
    with pytest.raises(KeyboardInterrupt):
        DEMO.run(params, Bench(0, needs=SOURCE.needs, track=breaking))

    resumed = DEMO.run(params, Bench(0, needs=SOURCE.needs))
    assert dict(resumed.metrics) == dict(measured(steps=5).metrics)


def test_the_cube_that_is_shown_has_its_three_planes_in_each_column():
    cube = torch.arange(64.0).view(4, 4, 4) / 64
    pixels = DEMO.slices(cube, {"VAE": cube, "PCA": cube + 0.25}).pixels

    assert pixels.shape == (3, 5, 4, 4)
    torch.testing.assert_close(pixels[:, 0], torch.stack([cube[2], cube[:, 2], cube[:, :, 2]]))
    assert not pixels[:, 2].any()
    torch.testing.assert_close(pixels[:, 4], torch.full((3, 4, 4), 0.5))


@pytest.mark.slow
def test_the_curve_begins_before_the_first_step_and_ends_after_the_last():
    curve = measured(steps=5).figures["training"]

    assert (curve.x[0], curve.x[-1]) == (0, 5)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.slow
def test_two_processes_of_torchrun_train_as_one_on_the_same_batches(tmp_path, monkeypatch):
    """And only the first speaks: one JSON document is all that is printed."""
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    words += ["--master-addr", "127.0.0.1", "--master-port", str(free_port()), "-m", "vaeflash"]
    words += ["demo", "scroll-vae", "--trust", "--json", "--device", "cpu"]
    words += ["--out", str(tmp_path / "figures"), "--set", "steps=2", "--set", "batch=8"]
    folders = {name: str(tmp_path / name) for name in ("VAEFLASH_CACHE", "XDG_DATA_HOME")}
    shared = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"} | folders
    found = subprocess.run(words, cwd=ROOT, env=shared, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stderr
    two = json.loads(found.stdout)["metrics"]
    monkeypatch.setattr(DEMO, "SETTINGS", AS_SHIPPED)
    one = measured(steps=2, batch=8).metrics
    assert [two[name] for name in LINES] == pytest.approx(
        [one[name] for name in LINES], rel=TRAINED, abs=ROUNDING
    )

"""Two real processes that train together, against one; they talk through 127.0.0.1 alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import joined_training
import pytest
import torch
from joined_training import SOME, STEPS, train

from vaeflash.errors import DataError
from vaeflash.lab.training import untracked
from vaeflash.lab.volumes import distributed
from vaeflash.lab.volumes.distributed import Team, joined

CPU = torch.device("cpu")
ALONE = Team(CPU)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process finds, which two must equal."""
    return train(ALONE, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes do everything that `joined_training` does, started once."""
    folder = tmp_path_factory.mktemp("pair")
    train(ALONE, folder / "to-end", SOME)
    words = [sys.executable, joined_training.__file__, str(folder)]
    shared = os.environ | {"WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        subprocess.Popen(
            words,
            env=shared | {"RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    for process in started:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def pair(folder: Path) -> list[dict[str, Any]]:
    """What each of them found."""
    return [torch.load(folder / f"found-{rank}.pt") for rank in range(2)]


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Within rounding: sums over a batch are taken in another order."""
    for name in ("losses", "weights"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_processes_train_as_one_on_the_same_batches(alone, pair):
    same(pair[0]["whole"], alone)


@pytest.mark.slow
def test_both_hold_the_same_weights_and_tell_the_same_losses(pair):
    first, second = (found["whole"] for found in pair)

    assert torch.equal(first["weights"], second["weights"])
    assert torch.equal(first["losses"], second["losses"])


@pytest.mark.slow
def test_only_the_first_shows_progress(pair):
    assert [found["whole"]["shown"] for found in pair] == [list(range(STEPS)), []]


def test_two_go_on_from_the_checkpoint_of_one(alone, pair):
    found = pair[0]["ended"]

    assert found["shown"] == list(range(SOME, STEPS))
    same(found, alone)


def test_one_goes_on_from_the_checkpoint_of_two(alone, folder):
    found = train(ALONE, folder / "begun")

    assert found["shown"] == list(range(SOME, STEPS))
    same(found, alone)


def test_with_batch_norm_they_differ_as_each_sees_its_own_share(tmp_path, pair):
    single = train(ALONE, tmp_path, 1, "batch")["losses"]

    assert (pair[0]["batch norm"]["losses"] - single).abs().item() > 1e-3


def test_processes_that_found_different_checkpoints_stop(pair):
    assert {found["disagreement"] for found in pair} == {
        "a checkpoint: some processes found 3 steps there and some 4.\n"
        "  Keep it in a folder that all processes see, or delete it everywhere."
    }


def test_without_torchrun_nobody_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)

    with joined(CPU) as team:
        found = team

    assert found == Team(CPU)
    assert not torch.distributed.is_initialized()


def test_alone_nothing_is_shared():
    team, module, x = Team(CPU), torch.nn.Linear(1, 1), torch.rand(3)

    assert team.share(module) is module
    assert team.mean(x) is x


def test_noise_alone_is_torchs():
    x = torch.zeros(4, 3)
    torch.manual_seed(0)
    expected = torch.randn_like(x)
    torch.manual_seed(0)

    assert torch.equal(Team(CPU).noise(x), expected)


def test_each_has_its_own_part_of_the_batchs_noise():
    """The shares, laid together as batches are shared, are a single process's noise."""
    torch.manual_seed(0)
    expected = torch.randn(6, 2)
    parts = torch.empty(6, 2)
    for rank in range(3):
        torch.manual_seed(0)
        team = Team(CPU, rank, 3)
        parts[team.shard.positions(6)] = team.noise(torch.zeros(2, 2))

    assert torch.equal(parts, expected)


@pytest.mark.parametrize(("rank", "leads"), [(0, True), (1, False)])
def test_only_the_first_leads(rank, leads):
    def track(items, _):
        return items

    team = Team(CPU, rank, 2)

    assert team.leads == leads
    assert (team.tracking(track) is track) == leads
    assert (team.tracking(track) is untracked) != leads


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "2")

    with pytest.raises(DataError, match="--nproc-per-node 2"):
        distributed._own_gpu(2)


def test_each_process_takes_the_gpu_of_its_local_rank(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")

    assert distributed._own_gpu(2) == 1

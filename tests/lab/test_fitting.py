"""The loop over a source of batches against the usual one; broken runs against unbroken ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import Tensor, nn

from vaeflash.errors import DataError
from vaeflash.lab.checkpoints import Checkpoint
from vaeflash.lab.history import History
from vaeflash.lab.schedules import linear
from vaeflash.lab.volumes.cubes import Cubes
from vaeflash.lab.volumes.explained import (
    explain,
    explained_variance,
    mean_cube,
    pca_reconstructed,
    quick_pca,
    reconstructed,
)
from vaeflash.lab.volumes.fitting import fit, one_cycle, running
from vaeflash.lab.volumes.networks import Size, strided_autoencoder
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.volume import whole

STEPS = 13
CPU = torch.device("cpu")
SHAPE = (12, 13, 14)


def voxels() -> Tensor:
    return torch.randint(256, SHAPE, generator=torch.Generator().manual_seed(0)).byte()


def noisy_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Draws from torch's global generator, as a VAE's loss does."""
    return (model(x + 0.1 * torch.randn_like(x)) - x).square().mean()


class Run:
    """One training from a seed: network, optimizer, batches."""

    def __init__(self, seed: int = 0, rate: float = 0.01, base: int = 2, size: int = 4) -> None:
        torch.manual_seed(seed)
        self.model = strided_autoencoder(Size(4, base, 2, 3))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate, fused=True)
        places = Uniform(whole(SHAPE), (4, 4, 4))
        self.cubes = Cubes(voxels(), places, size, torch.Generator().manual_seed(seed))

    def fit(self, steps: int = STEPS, **options: Any) -> Tensor:
        options = {"loss": noisy_loss, "optimizer": self.optimizer} | options
        return fit(self.model, source=self.cubes, steps=steps, **options)

    @property
    def weights(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.model.parameters()).detach()


def interrupted_after(steps: int):
    """A progress display during which the user presses Ctrl-C."""

    def track(items: Iterable[int], _: str) -> Iterator[int]:
        for number, item in enumerate(items):
            if number == steps:
                raise KeyboardInterrupt
            yield item

    return track


def test_the_loop_is_the_usual_one_written_out():
    by_hand, ours = Run(), Run()
    schedule = linear(STEPS)
    scheduler = torch.optim.lr_scheduler.LambdaLR(by_hand.optimizer, schedule)
    torch.manual_seed(1)
    expected = []
    for _ in range(STEPS):
        by_hand.optimizer.zero_grad()
        value = noisy_loss(by_hand.model, by_hand.cubes.next())
        value.backward()
        by_hand.optimizer.step()
        scheduler.step()
        expected.append(value.item())
    torch.manual_seed(1)

    losses = ours.fit(schedule=schedule)

    assert losses.tolist() == expected
    assert torch.equal(ours.weights, by_hand.weights)


def test_batches_may_be_tuples():
    run = Run()
    places = Uniform(whole(SHAPE), (12, 4, 4))
    run.cubes = Cubes(
        voxels(),
        places,
        4,
        torch.Generator().manual_seed(0),
        labels=torch.zeros(SHAPE[1:], dtype=torch.bool),
    )
    seen = []

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        seen.append([tuple(part.shape) for part in batch])
        return sum(p.square().sum() for p in model.parameters())

    run.fit(steps=1, loss=loss)

    assert seen == [[(4, 1, 12, 4, 4), (4, 4, 4)]]


@pytest.mark.parametrize("stop", [4, 6])
def test_a_broken_run_that_goes_on_equals_an_unbroken_one(tmp_path, stop):
    whole_run, broken = Run(), Run()
    torch.manual_seed(1)
    expected = whole_run.fit(schedule=linear(STEPS))
    checkpoint = Checkpoint(tmp_path / "run.pt", every=3)
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(schedule=linear(STEPS), checkpoint=checkpoint, track=interrupted_after(stop))
    resumed = Run()
    torch.manual_seed(99)

    losses = resumed.fit(schedule=linear(STEPS), checkpoint=checkpoint)

    assert torch.equal(losses, expected)
    assert torch.equal(resumed.weights, whole_run.weights)


def test_what_history_saw_survives_a_break(tmp_path):
    def history() -> History:
        return History(lambda m: nn.utils.parameters_to_vector(m.parameters()).clone(), 4)

    unbroken, resumed = history(), history()
    Run().fit(history=unbroken)
    checkpoint = Checkpoint(tmp_path / "run.pt", every=4)
    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        Run().fit(history=history(), checkpoint=checkpoint, track=interrupted_after(6))

    Run().fit(history=resumed, checkpoint=checkpoint)

    assert resumed.steps == unbroken.steps == [0, 4, 8, 12, 13]
    assert torch.equal(torch.stack(resumed.values), torch.stack(unbroken.values))


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"rate": 0.02}, "another rate"),
        ({"seed": 1}, "another seed"),
        ({"base": 4}, "size mismatch|cannot be taken up"),
        ({"size": 8}, "another batch size"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path, other, word):
    checkpoint = Checkpoint(tmp_path / "run.pt", every=2)
    Run().fit(steps=2, checkpoint=checkpoint)

    with pytest.raises(DataError, match=word) as caught:
        Run(**other).fit(steps=4, checkpoint=checkpoint)

    assert str(checkpoint.path) in str(caught.value)


def test_a_longer_run_is_not_cut_to_a_shorter_one(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt")
    Run().fit(steps=4, checkpoint=checkpoint)

    with pytest.raises(DataError, match="4 steps old"):
        Run().fit(steps=2, checkpoint=checkpoint)


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path / "run.pt")
    Run().fit(steps=2, checkpoint=checkpoint)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: len(content) // 2] if damage is None else damage)

    with pytest.raises(DataError, match="cannot be taken up"):
        Run().fit(steps=2, checkpoint=checkpoint)


def test_progress_is_shown_of_what_is_left(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt")
    Run().fit(steps=2, checkpoint=checkpoint)
    shown: list[int] = []

    def track(items: Iterable[int], _: str) -> Iterator[int]:
        for item in items:
            shown.append(item)
            yield item

    Run().fit(steps=5, checkpoint=checkpoint, track=track)

    assert shown == [2, 3, 4]


@given(steps=st.integers(4, 40), rise=st.sampled_from([0.1, 0.3, 0.5]))
def test_one_cycle_is_torchs(steps, rise):
    assume(steps * rise != 1)  # torch divides by 0
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=steps, pct_start=rise, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step() if len(expected) < steps else None

    assert [one_cycle(steps, rise=rise)(s) for s in range(steps)] == pytest.approx(expected)


def test_one_cycle_keeps_its_end():
    assert one_cycle(10)(1_000) == pytest.approx(4e-6)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_has_a_rate_for_every_step_of_a_short_run(steps):
    factors = [one_cycle(steps)(step) for step in range(steps)]

    assert all(0 < factor <= 1 for factor in factors)


@pytest.mark.parametrize(
    ("capabilities", "expected"), [({"avx512_f": True}, "float32"), ({"amx_bf16": True}, "bf16")]
)
def test_what_pays_on_a_cpu(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    assert running(CPU) == (torch.channels_last_3d, expected, False)


def cubes(n: int, seed: int) -> Tensor:
    """Cubes that five directions and some noise make."""
    g = torch.Generator().manual_seed(0)
    axes = torch.randn(5, 64, generator=g)
    g.manual_seed(seed)
    x = torch.randn(n, 5, generator=g) @ axes + 0.1 * torch.randn(n, 64, generator=g)
    return x.view(n, 1, 4, 4, 4)


def test_the_quick_components_are_scikit_learns():
    x = cubes(200, 1)
    oracle = PCA(5).fit(x.flatten(1).double().numpy())

    pca = quick_pca(x, 5)

    agree = np.abs(np.einsum("kp,pk->k", oracle.components_, pca.components.double().numpy()))
    assert agree == pytest.approx(1, abs=1e-4)
    variance = oracle.explained_variance_ * 199 / 200
    assert pca.eigenvalues.tolist() == pytest.approx(variance.tolist(), rel=1e-4)


def test_the_quick_components_leave_the_generator_alone():
    torch.manual_seed(0)
    first, expected = torch.rand(2)
    torch.manual_seed(0)
    torch.rand(1)
    quick_pca(cubes(50, 1), 3)

    assert torch.rand(1) == expected != first


def test_a_copy_explains_all_and_the_mean_cube_nothing():
    x = cubes(50, 1)
    mean = mean_cube(x)

    assert explained_variance(x, x, mean) == 1
    assert explained_variance(mean.expand_as(x), x, mean) == 0


def test_explained_variance_is_scikit_learns_r2():
    from sklearn.metrics import r2_score

    x, x_hat = cubes(50, 1), cubes(50, 2)
    expected = r2_score(
        x.flatten(1).double(), x_hat.flatten(1).double(), multioutput="variance_weighted"
    )

    assert explained_variance(x_hat, x, mean_cube(x)) == pytest.approx(expected, abs=1e-5)


def test_equal_cubes_have_no_variance_to_explain():
    x = torch.ones(3, 1, 2, 2, 2)

    with pytest.raises(DataError, match="nothing to explain"):
        explained_variance(x, x, mean_cube(x))


def test_a_network_of_the_components_explains_what_they_do():
    train, seen, unseen = (cubes(100, seed) for seed in range(3))
    pca = quick_pca(train, 4)

    class Linear(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return pca_reconstructed(pca, x)

    found = explain(Linear(), train, seen, unseen, 4)

    assert (found.seen, found.unseen) == (found.pca_seen, found.pca_unseen)
    assert 0.5 < found.unseen < 1


def test_a_network_is_evaluated_in_pieces_and_left_training():
    calls = count()

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert not self.training
            next(calls)
            return x

    net = Counting()
    x = cubes(300, 0)

    assert torch.equal(reconstructed(net, x), x)
    assert net.training
    assert next(calls) == 2

"""The loop against a loop written out, and a broken run against an unbroken one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vaeflash.errors import DataError
from vaeflash.lab.training import Batches, Checkpoint, train

STEPS = 23


def data() -> Tensor:
    return torch.rand(50, 6, generator=torch.Generator().manual_seed(5))


def noisy_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Draws from torch's global generator, as a VAE's loss does."""
    return (model(x + 0.1 * torch.randn_like(x)) - x).square().mean()


class Run:
    """One training from a seed: network, optimizer, generator."""

    def __init__(self, seed: int = 0, width: int = 3) -> None:
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 6))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01, fused=True)
        self.generator = torch.Generator().manual_seed(seed)

    def train(self, steps: int = STEPS, batch_size: int = 8, **options: object) -> Tensor:
        return train(
            self.model,
            noisy_loss,
            data(),
            steps=steps,
            batch_size=batch_size,
            optimizer=self.optimizer,
            generator=self.generator,
            **options,
        )

    @property
    def weights(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.model.parameters()).detach()


def interrupted_after(steps: int):
    """A progress display during which the user presses Ctrl-C."""

    def track(items: Iterable[int], _: str) -> Iterator[int]:
        for count, item in enumerate(items):
            if count == steps:
                raise KeyboardInterrupt
            yield item

    return track


def noted_in(seen: list[int]):
    """A progress display that notes which steps were taken."""

    def track(items: Iterable[int], _: str) -> Iterator[int]:
        for item in items:
            seen.append(item)
            yield item

    return track


def test_the_loop_is_the_usual_one_written_out():
    by_hand, ours = Run(), Run()
    torch.manual_seed(1)
    for _ in range(2):
        order = torch.randperm(50, generator=by_hand.generator)
        for start in range(0, 50, 8):
            by_hand.optimizer.zero_grad()
            noisy_loss(by_hand.model, data()[order[start : start + 8]]).backward()
            by_hand.optimizer.step()
    torch.manual_seed(1)

    ours.train(steps=14)

    assert torch.equal(ours.weights, by_hand.weights)


def test_the_losses_are_those_before_each_step():
    run = Run()
    torch.manual_seed(1)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    first = noisy_loss(run.model, data()[order[:8]]).item()
    torch.manual_seed(1)

    assert run.train(steps=2)[0].item() == first


def test_no_steps_leave_the_network_as_it_was():
    run = Run()
    before = run.weights.clone()

    losses = run.train(steps=0)

    assert len(losses) == 0
    assert torch.equal(run.weights, before)


def test_an_epoch_shows_every_example_once():
    batches = Batches(torch.arange(50), 8, torch.Generator().manual_seed(0))

    epoch = torch.cat([batches.next() for _ in range(7)])

    assert epoch.sort().values.equal(torch.arange(50))


def test_the_next_epoch_has_another_order():
    batches = Batches(torch.arange(50), 50, torch.Generator().manual_seed(0))

    assert not batches.next().equal(batches.next())


def test_progress_is_shown_for_every_step():
    seen: list[int] = []

    Run().train(steps=4, track=noted_in(seen))

    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("stop", [5, 9, 16, 22])
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(tmp_path, stop):
    unbroken, first, second = Run(), Run(), Run()
    torch.manual_seed(7)
    expected = unbroken.train()
    checkpoint = Checkpoint(tmp_path / "run.pt", every=5)
    torch.manual_seed(7)
    with pytest.raises(KeyboardInterrupt):
        first.train(track=interrupted_after(stop), checkpoint=checkpoint)
    torch.manual_seed(99)

    losses = second.train(checkpoint=checkpoint)

    assert torch.equal(losses, expected)
    assert torch.equal(second.weights, unbroken.weights)


def test_a_resumed_run_only_takes_the_steps_that_are_left(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt", every=5)
    Run().train(steps=10, checkpoint=checkpoint)
    seen: list[int] = []

    Run().train(
        steps=12,
        checkpoint=checkpoint,
        track=noted_in(seen),
    )

    assert seen == [10, 11]


def test_an_interrupt_before_the_first_checkpoint_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Run().train(track=interrupted_after(3), checkpoint=Checkpoint(tmp_path / "run.pt", every=5))

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def written(tmp_path: Path) -> Checkpoint:
    """A checkpoint of a finished run."""
    checkpoint = Checkpoint(tmp_path / "run.pt")
    Run().train(checkpoint=checkpoint)
    return checkpoint


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        (Run(seed=1), {}, "another seed, data set or batch size"),
        (Run(), {"batch_size": 9}, "another seed, data set or batch size"),
        (Run(), {"steps": 3}, "23 steps old, more than are asked for"),
        (Run(width=4), {}, "loading state_dict"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(written, run, options, words):
    with pytest.raises(DataError, match=rf"run.pt: .*{words}"):
        run.train(checkpoint=written, **options)


@pytest.mark.parametrize("left", [-30, 100, 0])
def test_a_checkpoint_cut_short_is_named(written, left):
    written.path.write_bytes(written.path.read_bytes()[:left])

    with pytest.raises(DataError, match=r"run\.pt: this checkpoint cannot be taken up"):
        Run().train(checkpoint=written)


class Bomb:
    """Its pickle would write a file when loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "boom"))


def test_a_checkpoint_runs_no_code(written, tmp_path):
    torch.save({"run": Bomb(tmp_path / "boom")}, written.path)

    with pytest.raises(DataError):
        Run().train(checkpoint=written)

    assert not (tmp_path / "boom").exists()

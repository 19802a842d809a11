"""The loop against a loop written out, and a broken run against an unbroken one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vaeflash.errors import DataError
from vaeflash.lab.checkpoints import Checkpoint
from vaeflash.lab.history import History
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

STEPS = 23


def data() -> Tensor:
    return torch.rand(50, 6, generator=torch.Generator().manual_seed(5))


def noisy_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Draws from torch's global generator, as a VAE's loss does."""
    return (model(x + 0.1 * torch.randn_like(x)) - x).square().mean()


class Run:
    """One training from a seed: network, optimizer, generator."""

    def __init__(self, seed: int = 0, width: int = 3, rate: float = 0.01) -> None:
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 6))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate, fused=True)
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


def weights_every(steps: int) -> History:
    """All weights of a network, so often."""
    return History(lambda m: nn.utils.parameters_to_vector(m.parameters()).clone(), steps)


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


@pytest.mark.parametrize("rates", [(0.01,), (0.01, 0.003)])
def test_the_schedule_multiplies_the_rate_of_every_group(rates):
    torch.manual_seed(0)
    layers = [nn.Linear(6, 6) for _ in rates]
    groups = [{"params": m.parameters(), "lr": r} for m, r in zip(layers, rates, strict=True)]
    optimizer = torch.optim.SGD(groups)
    seen: list[list[float]] = []

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        seen.append([group["lr"] for group in optimizer.param_groups])
        return model(x).sum()

    generator = torch.Generator().manual_seed(0)
    train(
        nn.Sequential(*layers),
        loss,
        data(),
        steps=4,
        batch_size=8,
        optimizer=optimizer,
        generator=generator,
        schedule=lambda step: 1 / (step + 1),
    )

    assert seen == [[1 / (step + 1) * rate for rate in rates] for step in range(4)]


def test_a_scheduled_run_equals_one_driven_by_torchs_own_scheduler():
    by_hand, ours = Run(), Run()
    schedule = linear(14, warmup=0.3)
    torchs = torch.optim.lr_scheduler.LambdaLR(by_hand.optimizer, schedule)
    torch.manual_seed(1)
    for _ in range(2):
        order = torch.randperm(50, generator=by_hand.generator)
        for index in order.split(8):
            by_hand.optimizer.zero_grad()
            noisy_loss(by_hand.model, data()[index]).backward()
            by_hand.optimizer.step()
            torchs.step()
    torch.manual_seed(1)

    ours.train(steps=14, schedule=schedule)

    assert torch.equal(ours.weights, by_hand.weights)


def test_afterwards_the_optimizer_has_its_own_rate_again():
    run = Run()

    run.train(schedule=linear(STEPS))

    assert run.optimizer.param_groups[0]["lr"] == 0.01


def test_bf16_computes_products_in_bf16_and_keeps_the_weights_in_float32():
    run = Run()
    seen = []

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        y = model(x)
        seen.append(y.dtype)
        return (y.float() - x).square().mean()

    train(
        run.model,
        loss,
        data(),
        steps=1,
        batch_size=8,
        optimizer=run.optimizer,
        generator=run.generator,
        precision="bf16",
    )

    assert (seen, run.weights.dtype) == ([torch.bfloat16], torch.float32)


def test_a_batch_of_several_tensors_keeps_their_items_together():
    numbers = torch.arange(50.0)
    weight = nn.Linear(1, 1)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, tenfold = batch
        return (10 * x - tenfold).abs().sum() + 0 * model(x[:, None]).sum()

    losses = train(
        weight,
        loss,
        (numbers, 10 * numbers),
        steps=7,
        batch_size=8,
        optimizer=torch.optim.SGD(weight.parameters(), lr=0.1),
        generator=torch.Generator().manual_seed(0),
    )

    assert losses.equal(torch.zeros(7))


def test_a_diverging_loss_is_returned_as_it_is():
    run = Run()

    losses = train(
        run.model,
        lambda model, x: model(x).mean() * float("nan"),
        data(),
        steps=3,
        batch_size=8,
        optimizer=run.optimizer,
        generator=run.generator,
    )

    assert losses.isnan().all()


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(DataError, match="batch size 51: the training data have 50 items"):
        Run().train(batch_size=51)


def test_on_a_cpu_nothing_is_compiled(monkeypatch):
    compilations = []
    monkeypatch.setattr(torch, "compile", lambda loss: compilations.append(loss) or loss)

    Run().train(steps=1, compiled=True)

    assert compilations == []


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


@pytest.mark.parametrize("stop", [5, 9, 22])
def test_a_resumed_run_finds_its_place_in_the_schedule(tmp_path, stop):
    unbroken, first, second = Run(), Run(), Run()
    schedule = linear(STEPS)
    torch.manual_seed(7)
    expected = unbroken.train(schedule=schedule)
    checkpoint = Checkpoint(tmp_path / "run.pt", every=5)
    torch.manual_seed(7)
    with pytest.raises(KeyboardInterrupt):
        first.train(schedule=schedule, track=interrupted_after(stop), checkpoint=checkpoint)

    losses = second.train(schedule=schedule, checkpoint=checkpoint)

    assert torch.equal(losses, expected)
    assert torch.equal(second.weights, unbroken.weights)


@pytest.mark.parametrize("stop", [2, 5, 9, 22])
def test_a_resumed_history_equals_an_unbroken_one(tmp_path, stop):
    unbroken, first, second = (weights_every(4) for _ in range(3))
    torch.manual_seed(7)
    Run().train(history=unbroken)
    checkpoint = Checkpoint(tmp_path / "run.pt", every=5)
    torch.manual_seed(7)
    with pytest.raises(KeyboardInterrupt):
        Run().train(history=first, track=interrupted_after(stop), checkpoint=checkpoint)
    if not checkpoint.path.exists():
        torch.manual_seed(7)

    Run().train(history=second, checkpoint=checkpoint)

    assert second.steps == unbroken.steps == [0, 4, 8, 12, 16, 20, 23]
    assert torch.equal(torch.stack(second.values), torch.stack(unbroken.values))


def test_a_longer_run_forgets_what_a_shorter_one_saw_in_its_end(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt")
    history = weights_every(4)
    Run().train(steps=6, history=weights_every(4), checkpoint=checkpoint)

    Run().train(steps=10, history=history, checkpoint=checkpoint)

    assert history.steps == [0, 4, 8, 10]


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
        (Run(seed=1), {}, "written with another seed"),
        (Run(), {"batch_size": 9}, "written with another batch size"),
        (Run(rate=0.02), {}, "written with another rate"),
        (Run(), {"precision": "bf16"}, "written with another precision"),
        (Run(), {"history": History(lambda _: 0, every=5)}, "written with another history"),
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

"""The training step against loops written out, and with its calls in wrong orders."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from vaeflash.course.demo_source import read_demo
from vaeflash.demo import Result
from vaeflash.lab.bench import Bench
from vaeflash.runs.in_process import import_demo

PATH = Path(__file__).parents[2] / "demos" / "train_step.py"
SOURCE = read_demo("train-step", PATH, "demos/train_step.py")
DEMO = import_demo(SOURCE)


@cache
def measured(seed: int = 0, **params: Any) -> Result:
    """One run; a short one unless the test asks for more."""
    settings = {"epochs": 0, "examples": 320} | params
    return DEMO.run(DEMO.Params(**settings), Bench(seed, needs=SOURCE.needs))


@pytest.mark.slow
def test_the_metrics_are_those_that_its_source_lists():
    assert set(measured().metrics) == SOURCE.metrics


def written_out(examples: int, epochs: int, lr: float) -> float:
    """The test MSE of the same training, without the demo's loop."""
    lab = Bench(0, needs=SOURCE.needs)
    digits = lab.data("digits")
    x, x_test = digits.train[:examples].flatten(1), digits.test.flatten(1)
    model = DEMO.Autoencoder("nowhere")
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    generator = lab.generator("batches")
    for _ in range(epochs):
        order = torch.randperm(examples, generator=generator)
        for start in range(0, examples, 32):
            batch = x[order[start : start + 32]]
            adam.zero_grad()
            ((model(batch) - batch) ** 2).mean().backward()
            adam.step()
    with torch.no_grad():
        return float(((model(x_test) - x_test) ** 2).mean())


@pytest.mark.slow
def test_the_usual_order_is_the_loop_written_out():
    metrics = measured(epochs=2).metrics

    assert metrics["loss_after"] == pytest.approx(written_out(320, 2, 2.5e-3), rel=1e-4)


@pytest.mark.parametrize(("batch_size", "steps"), [(32, 10), (48, 7), (320, 1), (1000, 1)])
def test_an_epoch_has_a_step_for_each_begun_batch(batch_size, steps):
    assert measured(batch_size=batch_size, epochs=1).metrics["steps"] == steps


@pytest.mark.slow
@pytest.mark.parametrize("calls", ["backward_zero_step", "zero_backward", "zero_step"])
def test_nothing_is_learned_if_no_gradient_reaches_the_step(calls):
    metrics = measured(calls=calls, epochs=1).metrics

    assert metrics["loss_after"] == metrics["loss_before"]


@pytest.mark.slow
def test_clearing_last_trains_the_same_weights_and_not_clearing_trains_others():
    orders = ("backward_step_zero", "backward_step")

    unlike = [measured(calls=c).metrics["weights_unlike_usual_order"] for c in orders]

    assert unlike[0] == 0 < unlike[1]


@pytest.mark.slow
def test_gradients_add_up_until_they_are_cleared():
    growths = [measured(calls=c).metrics["gradient_growth"] for c in ("backward_step", DEMO.USUAL)]

    assert growths == pytest.approx([3, 1], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut", "learns"),
    [("nowhere", (True, True)), ("code", (False, True)), ("decoder", (True, False))],
)
def test_a_cut_leaves_one_half_without_gradient(cut, learns):
    metrics = measured(cut=cut).metrics

    assert (metrics["encoder_gradient"] > 0, metrics["decoder_gradient"] > 0) == learns


def test_a_gradient_norm_is_that_of_all_gradients_as_one_vector():
    layer = nn.Linear(3, 2)
    layer(torch.ones(1, 3)).sum().backward()

    assert DEMO.gradient_norm(layer) == pytest.approx(8**0.5)


@pytest.mark.slow
def test_labels_matter_to_the_classifier_alone():
    tasks = ("reconstruct", "classify")

    changed = [measured(task=t).metrics["weights_changed_by_wrong_labels"] for t in tasks]

    assert changed[0] == 0 < changed[1]


def test_the_loss_of_the_classifier_is_the_cross_entropy():
    model, x, labels = DEMO.Classifier(), torch.rand(5, 784), torch.arange(5)

    expected = -F.log_softmax(model(x), 1)[range(5), labels].mean()

    assert model.loss(x, labels).item() == pytest.approx(expected.item())


def test_an_autoencoder_is_right_where_all_pixels_agree_in_8_bits():
    model = DEMO.Autoencoder("nowhere")
    x = model(torch.rand(2, 784)).detach()
    model.forward = lambda _: x + torch.tensor([[1e-4], [1e-2]])

    right = model.right((255 * x).round() / 255, torch.zeros(2))

    assert right[1].item() is False


@pytest.mark.slow
def test_a_classifier_has_an_accuracy():
    assert measured(task="classify", epochs=3, examples=1_600).metrics["right_answers"] > 0.7


def test_the_figures_show_each_order_of_calls():
    figures = measured().figures

    assert len(figures["calls"].lines) == len(DEMO.ORDERS) + 1
    assert tuple(figures["digits"].pixels.shape) == (len(DEMO.ORDERS) + 1, 10, 28, 28)

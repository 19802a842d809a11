"""When looks are taken, and that looking changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vaeflash.lab.history import History
from vaeflash.lab.training import train


def trained(history: History | None, steps: int = 10) -> torch.Tensor:
    """The weights of a network with dropout, after so many steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 4))
    train(
        model,
        lambda m, x: (m(x) - x).square().mean(),
        torch.rand(20, 4),
        steps=steps,
        batch_size=5,
        optimizer=torch.optim.Adam(model.parameters(), lr=0.01),
        generator=torch.Generator().manual_seed(0),
        history=history,
    )
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(10, 4, [0, 4, 8, 10]), (8, 4, [0, 4, 8]), (3, 4, [0, 3]), (0, 4, [0])],
)
def test_looks_come_before_the_first_step_so_often_and_after_the_last(steps, every, expected):
    history = History(lambda _: 0.0, every)

    trained(history, steps)

    assert history.steps == expected


def test_a_look_that_draws_numbers_changes_nothing_that_is_learned():
    looking = trained(History(lambda model: model(torch.randn(3, 4)), every=1))

    assert torch.equal(looking, trained(None))


def test_a_look_sees_the_network_in_eval_mode_and_without_gradients():
    history = History(
        lambda model: (model.training, model(torch.ones(1, 4)).requires_grad), every=5
    )

    trained(history)

    assert history.values == [(False, False)] * 3


def test_a_look_sees_the_weights_of_its_step():
    history = History(lambda model: model[0].weight.clone(), every=5)

    weights = trained(history)

    assert torch.equal(history.values[-1].flatten(), weights[:32])

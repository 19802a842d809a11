"""Every item once an epoch, items kept together, and sizes that cannot be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaeflash.errors import DataError
from vaeflash.lab.batches import Batches, epoch_steps


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@given(n=st.integers(1, 60), size=st.integers(1, 60))
def test_an_epoch_shows_every_item_once(n, size):
    size = min(size, n)
    data = torch.arange(n)
    batches = Batches(data, size, generator())

    epoch = torch.cat([batches.next() for _ in range(epoch_steps(data, size))])

    assert epoch.sort().values.equal(data)


def test_the_next_epoch_has_another_order():
    batches = Batches(torch.arange(50), 50, generator())

    assert not batches.next().equal(batches.next())


def test_a_batch_of_several_tensors_is_a_tuple_of_the_same_items():
    batches = Batches((torch.arange(50), -torch.arange(50)), 8, generator())

    x, y = batches.next()

    assert len(x) == 8
    assert x.equal(-y)


def test_an_epoch_of_several_tensors_is_as_long_as_one_of_them():
    assert epoch_steps((torch.zeros(50, 3), torch.zeros(50)), 8) == 7


@pytest.mark.parametrize(
    ("size", "items", "advice"),
    [
        (51, 50, "from 1 to 50"),
        (0, 50, "from 1 to 50"),
        (-3, 50, "from 1 to 50"),
        (8, 0, "nothing to train on"),
    ],
)
def test_a_size_that_does_not_fit_the_data_is_named(size, items, advice):
    with pytest.raises(DataError, match=rf"batch size {size}: .* {items} items.\n.*{advice}"):
        Batches(torch.zeros(items, 6), size, generator())


def test_tensors_of_different_lengths_are_named():
    with pytest.raises(DataError, match="the tensors have 50, 49 items"):
        Batches((torch.zeros(50), torch.zeros(49)), 8, generator())

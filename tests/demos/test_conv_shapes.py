"""The lesson on convolution shapes, against shapes counted and adjoints written out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demos import conv_shapes as demo
from vaeflash.lab.bench import Bench


def measure(seed: int = 0, **params: Any) -> dict[str, Any]:
    return dict(demo.run(replace(demo.Params(), **params), Bench(seed)).metrics)


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return measure()


def places(n: int, k: int, s: int, p: int) -> int:
    """The convolution's output side by counting where a kernel fits."""
    return sum(1 for start in range(0, n + 2 * p, s) if start + k <= n + 2 * p)


def covered(n: int, k: int, s: int, p: int, op: int) -> int:
    """The transposed convolution's output side by marking what the copies cover."""
    last = max(start * s + k for start in range(n))
    return len(range(last)[p : last - p]) + op


sizes = {"k": st.integers(1, 7), "s": st.integers(1, 4), "p": st.integers(0, 3)}


@given(n=st.integers(7, 40), **sizes)
@settings(max_examples=60, deadline=None)
def test_conv_side_counts_the_places_of_the_kernel(n: int, k: int, s: int, p: int) -> None:
    assert demo.conv_side(n, k, s, p) == places(n, k, s, p)


@given(n=st.integers(7, 40), op=st.integers(0, 3), **sizes)
@settings(max_examples=60, deadline=None)
def test_up_side_is_what_the_copies_cover(n: int, k: int, s: int, p: int, op: int) -> None:
    assert demo.up_side(n, k, s, p, op) == covered(n, k, s, p, op)


@given(n=st.integers(1, 60), **sizes)
@settings(max_examples=60, deadline=None)
def test_some_output_padding_below_the_stride_undoes_any_size(
    n: int, k: int, s: int, p: int
) -> None:
    fits = n + 2 * p >= k
    down = demo.conv_side(n, k, s, p)
    missing = n - demo.up_side(down, k, s, p, 0)

    assert not fits or 0 <= missing < s


def test_pytorch_agrees_with_the_formulas_and_not_with_the_folklore() -> None:
    assert demo.mismatches("exact") == 0 < demo.mismatches("folklore")


def test_the_lecture_goes_past_28_and_trims(default: dict[str, Any]) -> None:
    assert (default["lecture_sides"], default["trimmed"]) == ((7, 7, 13, 27, 29), 28)


def test_padding_alone_reaches_odd_sides_only(default: dict[str, Any]) -> None:
    assert default["reachable"] == tuple(range(25, 42, 2))


@pytest.mark.parametrize("params", [{"output_padding": 1}, {"kernel": 4}])
def test_28_is_one_keyword_away(params: dict[str, int]) -> None:
    assert measure(**params)["sides"] == (7, 14, 28)


@pytest.mark.parametrize(("side", "output_padding"), [(27, 0), (28, 1)])
def test_output_padding_chooses_which_side_comes_back(side: int, output_padding: int) -> None:
    measured = measure(side=side, output_padding=output_padding)

    assert (measured["down"], measured["back"]) == (14, side)


@pytest.mark.parametrize(("kernel", "sides"), [(2, (2, 4, 8, 16, 32)), (3, (2, 5, 11, 23, 47))])
def test_a_volume_doubles_if_the_kernel_is_the_stride(kernel: int, sides: tuple[int, ...]) -> None:
    assert measure(volume_kernel=kernel)["volume_sides"] == sides


@pytest.mark.parametrize(("stride", "flat"), [(2, 64 * 7 * 7), (1, 64 * 28 * 28)])
def test_flattening_counts_channels_times_places(stride: int, flat: int) -> None:
    assert measure(stride=stride)["flat"] == flat


@pytest.mark.parametrize(("ends", "vector"), [("flatten", 3136), ("linear", 20)])
def test_only_a_linear_layer_gets_from_maps_to_20_numbers(ends: str, vector: int) -> None:
    assert measure(encoder_ends=ends)["vector"] == vector


def test_a_code_of_20_is_no_map_of_7_by_7() -> None:
    with pytest.raises(RuntimeError, match="invalid for input of size 20"):
        measure(decoder_starts="view")


def test_a_code_of_49_is_a_map_of_7_by_7() -> None:
    assert measure(decoder_starts="view", latent=49)["start"] == (1, 7, 7)


@pytest.mark.parametrize(
    ("order", "start", "right"),
    [("chw", (64, 7, 7), True), ("hwc", (7, 7, 64), True), ("permuted", (64, 7, 7), False)],
)
def test_the_permuted_view_has_the_right_shape_and_the_wrong_numbers(
    order: str, start: tuple[int, ...], right: bool
) -> None:
    measured = measure(order=order)

    assert (measured["start"], measured["misread"] == 0) == (start, right)


def test_only_tied_weights_are_the_adjoint(default: dict[str, Any]) -> None:
    assert default["adjoint_gap"] < 1e-12 < 1e-3 < measure(weights="fresh")["adjoint_gap"]


def test_the_adjoint_is_the_gradient() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 14, 14, generator=g, requires_grad=True)
    weights, y = torch.randn(4, 1, 3, 3, generator=g), torch.randn(1, 4, 7, 7, generator=g)
    (torch.nn.functional.conv2d(x, weights, stride=2, padding=1) * y).sum().backward()

    transposed = torch.nn.functional.conv_transpose2d(y, weights, None, 2, 1, 1)

    torch.testing.assert_close(x.grad, transposed)


@pytest.mark.slow
def test_the_best_linear_guess_misses_three_quarters_of_the_square() -> None:
    squares = [measure(seed)["least_squares_error"] ** 2 for seed in range(10)]

    assert sum(squares) / 10 == pytest.approx(3 / 4, abs=0.03)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_transposed_convolution_is_never_better_than_least_squares(seed: int) -> None:
    measured = measure(seed)

    assert measured["transposed_error"] > measured["least_squares_error"]


def test_eight_channels_can_be_inverted_but_not_by_transposing() -> None:
    measured = measure(channels=8)

    assert measured["least_squares_error"] < 1e-9 < 0.3 < measured["transposed_error"]


def test_a_1_by_1_convolution_is_undone() -> None:
    assert measure(kernel=1, stride=1)["transposed_error"] < 1e-12


@pytest.mark.parametrize(("padding", "copies"), [(1, 1), (0, 0)])
def test_output_padding_shows_a_row_that_padding_would_have_cut(padding: int, copies: int) -> None:
    assert measure(padding=padding, output_padding=1)["last_row_copies"] == copies


@pytest.mark.parametrize(("kernel", "copies"), [(2, (1, 1)), (3, (1, 4)), (4, (4, 4))])
def test_copies_overlap_evenly_if_the_stride_divides_the_kernel(
    kernel: int, copies: tuple[int, int]
) -> None:
    measured = measure(kernel=kernel)

    assert (measured["fewest_copies"], measured["most_copies"]) == copies


def test_equal_seeds_give_equal_results(default: dict[str, Any]) -> None:
    assert measure() == default


def test_the_seed_changes_the_values(default: dict[str, Any]) -> None:
    assert measure(1)["transposed_error"] != default["transposed_error"]


def test_every_picture_is_in_range() -> None:
    figures: dict[str, Any] = dict(demo.run(demo.Params(), Bench(0)).figures)
    pixels = [figures[name].pixels for name in ("ring", "copies")]

    assert all(grid.min() >= 0 and grid.max() <= 1 for grid in pixels)

"""What a VAE's loss amounts to: weights recovered, mistakes seen, collapse foretold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.errors import DemoError
from vaeflash.lab.loss_scale import Scale, as_loss, measure, weigh

PIXELS, LATENTS = 30, 5


def pictures(seed: int = 0) -> Tensor:
    return torch.rand(200, PIXELS, generator=torch.Generator().manual_seed(seed))


def scale_of(function, images: Tensor | None = None) -> Scale:
    generator = torch.Generator().manual_seed(1)
    images = pictures() if images is None else images
    return measure(as_loss(function, "loss"), images, LATENTS, generator)


def kl(mu: Tensor, std: Tensor) -> Tensor:
    """The oracle: torch.distributions, summed over latents and pictures."""
    return kl_divergence(Normal(mu, std), Normal(0, 1)).sum()


@pytest.mark.slow
@given(a=st.floats(1e-3, 1e3), b=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_the_weights_of_both_terms_are_recovered(a: float, b: float) -> None:
    def loss(x_hat, x, mu, logvar):
        return (b * (x_hat - x).square().sum() + a * kl(mu, (logvar / 2).exp())) / len(x)

    scale = scale_of(loss)

    assert (scale.reconstruction.weight, scale.kl.weight, scale.beta) == pytest.approx(
        (b, a, a / b), rel=1e-6
    )


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (F.mse_loss, "squared error"),
        (F.binary_cross_entropy, "cross-entropy"),
        (F.binary_cross_entropy_with_logits, "cross-entropy of logits"),
        (F.l1_loss, "absolute error"),
        (F.smooth_l1_loss, ""),
    ],
)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_reconstruction_is_named(function, kind: str, reduction: str) -> None:
    # smooth_l1 is half the squared error below a distance of 1, where probabilities always are.
    kind = kind or "squared error"

    def loss(x_hat, x, mu, logvar):
        return function(x_hat, x, reduction=reduction) + kl(mu, (logvar / 2).exp())

    scale = scale_of(loss)

    assert scale.reconstruction.kind == kind


def test_a_mean_over_pixels_is_a_beta_of_as_many() -> None:
    def loss(x_hat, x, mu, logvar):
        return F.mse_loss(x_hat, x) + kl(mu, (logvar / 2).exp()) / len(x)

    scale = scale_of(loss)

    assert scale.beta == pytest.approx(PIXELS)


def test_the_batch_is_seen_where_only_one_term_is_averaged_over_it() -> None:
    def loss(x_hat, x, mu, logvar):
        return F.mse_loss(x_hat, x) + kl(mu, (logvar / 2).exp())

    scale = scale_of(loss)

    assert (scale.reconstruction.batch, scale.kl.batch) == pytest.approx((1, 2))


def test_the_sources_kl_is_not_taken_for_the_closed_form() -> None:
    def loss(x_hat, x, mu, std):
        return (x_hat - x).square().sum() - 0.5 * (1 + std**2 - mu**2 - std.exp()).sum()

    scale = scale_of(loss)

    assert (scale.kl.kind, scale.kl.misfit > 0.1, scale.known) == ("", True, False)


@pytest.mark.parametrize("form", ["std", "log_std", "var", "logvar"])
def test_the_posterior_comes_in_the_form_that_the_argument_names(form: str) -> None:
    to_std = {
        "std": lambda s: s,
        "log_std": torch.exp,
        "var": torch.sqrt,
        "logvar": lambda s: (s / 2).exp(),
    }[form]
    names = {"to_std": to_std, "kl": kl}
    exec(
        f"def f(x, mu, {form}, recon_x): return ((recon_x-x)**2).sum() + kl(mu, to_std({form}))",
        names,
    )

    scale = scale_of(names["f"])

    assert scale.beta == pytest.approx(1)


@pytest.mark.parametrize("wrap", [lambda v: (v, v / 2), lambda v: {"loss": v}, float])
def test_a_loss_may_come_with_its_parts(wrap) -> None:
    def loss(a, b, c, d):
        return wrap((a - b).square().sum() + kl(c, (d / 2).exp()))

    scale = scale_of(loss)

    assert scale.beta == pytest.approx(1)


@pytest.mark.parametrize(("weight", "surviving"), [(0.5, 2), (3.0, 1), (10.0, 0)])
def test_what_survives_is_what_probabilistic_pca_says(weight: float, surviving: int) -> None:
    # Two directions of variance 4e-4 and 1e-4; SSE + a KL is a noise of variance a/2.
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(20_000, 2, generator=generator) * torch.tensor([0.02, 0.01])
    directions = torch.linalg.qr(torch.randn(PIXELS, 2, generator=generator)).Q

    def loss(x_hat, x, mu, logvar):
        return (x_hat - x).square().sum() + 1e-4 * weight * kl(mu, (logvar / 2).exp())

    scale = scale_of(loss, 0.5 + codes @ directions.T)

    assert scale.surviving == surviving


def test_bernoulli_pixels_survive_by_their_correlation() -> None:
    # Two halves of a picture that are each all on or all off, at random: per pixel the variance is
    # m (1 - m), so whitened they are two directions of PIXELS / 2.
    generator = torch.Generator().manual_seed(0)
    halves = (torch.rand(20_000, 2, generator=generator) < 0.3).float()
    images = halves.repeat_interleave(PIXELS // 2, dim=1)

    def loss(logits, x, mu, logvar):
        cross_entropy = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return cross_entropy + kl(mu, (logvar / 2).exp())

    scale = scale_of(loss, images)

    assert (scale.surviving, scale.largest) == (2, pytest.approx(PIXELS / 2, rel=0.05))


def test_an_autoencoders_loss_has_a_kl_of_weight_0() -> None:
    def loss(x_hat, x, mu, logvar):
        return (x_hat - x).square().sum() + 0 * kl(mu, logvar.exp())

    scale = scale_of(loss)

    assert (scale.kl.weight, scale.beta, scale.sound) == (0, 0, True)


def test_no_picture_of_any_shape_survives_a_mean_over_its_pixels() -> None:
    def loss(x_hat, x, mu, logvar):
        return F.mse_loss(x_hat, x) + kl(mu, (logvar / 2).exp()) / len(x)

    scale = weigh(as_loss(loss, "loss", (3, 8, 8)), 4, (3, 8, 8))

    assert (scale.surviving, scale.largest) == (0, None)


@pytest.mark.parametrize("arguments", ["x_hat, x", "x_hat, x, mu, a, b", "x, x_hat, mu, a, b"])
def test_arguments_that_cannot_be_told_apart_are_an_error(arguments: str) -> None:
    function = eval(f"lambda {arguments}: 0.0")

    with pytest.raises(DemoError, match="cannot be told apart"):
        as_loss(function, "loss")


def test_what_the_loss_raises_is_told_with_the_shapes_it_was_given() -> None:
    def loss(x_hat, x, mu, logvar):
        return (x_hat - x).view(-1, 7).sum() + kl(mu, logvar)

    with pytest.raises(DemoError, match=r"RuntimeError when called with x_hat \(64, 30\)"):
        scale_of(loss)

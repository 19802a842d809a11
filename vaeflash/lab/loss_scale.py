r"""On what scale is a VAE's loss? Which weight it gives to either term, and what that amounts to.

Any loss of the usual kind is, up to a constant,

    loss = b * (reconstruction, summed over a picture) + a * (KL, summed over the latents)

as a mean over pictures. Reductions hide a and b: a mean over P pixels is b = 1/P. Only the ratio
`beta = a/b` counts for what is learned, and users are off by factors of hundreds. So the loss is
called with pictures, reconstructions and posteriors that differ in one term at a time, and a and b
are fitted to what it answers. A loss that is not of this kind shows as a misfit.

Squared errors are a likelihood too: b * SSE + a * KL is the objective of Gaussian pixels of
variance a / (2b), at a weight of 1 for the KL.

Source: Lucas, Tucker, Grosse and Norouzi (2019), Don't blame the ELBO!, for what survives.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.data import find
from vaeflash.errors import DemoError, Problem
from vaeflash.lab import digits
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.linear import surviving_directions

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], float]
"""x_hat `(N, ...)`, x `(N, ...)`, mu `(N, D)`, logvar `(N, D)` -> what is minimised."""

BATCH = 64
PROBES = 6
MISFIT = 1e-3
"""Relative; above it a term is not what it was taken for. The arithmetic is in float64."""

SQUARED = "squared error"

_ROLES = {
    "x_hat": "x_hat xhat recon_x x_recon recon recons reconstruction reconstructed x_rec rec_x "
    "x_prime x_out out output outputs y y_hat logits pred preds prediction decoded recon_batch",
    "x": "x input inputs target targets img imgs image images data original batch x_true y_true",
    "mu": "mu mean means z_mean mu_z z_mu m",
    "logvar": "logvar log_var log_variance z_logvar logvar_z z_log_var log_sigma2 logsigma2 lv",
    "std": "std sigma stddev std_dev scale s",
    "log_std": "log_std logstd log_sigma logsigma",
    "var": "var variance sigma2",
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a loss, as fitted.

    Attributes:
        kind: What it is, e.g. "squared error"; empty if nothing known fits.
        weight: Of the sum over a picture, in a mean over pictures.
        misfit: The share of its changes that the fit leaves unexplained, 0 to 1.
        batch: By what factor `weight` grows when the batch doubles: 1 for a mean over pictures,
            2 for a sum.
    """

    kind: str
    weight: float
    misfit: float
    batch: float


@dataclass(frozen=True, slots=True)
class Scale:
    """What a loss amounts to.

    Attributes:
        reconstruction: Its first term.
        kl: Its second term, against the closed form to N(0, I).
        pixels: Numbers in a picture, P.
        latents: Numbers in a code, D.
        batch_size: Pictures in the probe; the weights hold for it.
        surviving: How many latents the best linear VAE would use on the probe's pictures; none if
            the reconstruction is of no known kind.
        threshold: What a direction's variance must exceed to survive; see `surviving`.
        largest: The largest such variance in the pictures.
    """

    reconstruction: Term
    kl: Term
    pixels: int
    latents: int
    batch_size: int
    surviving: int | None
    threshold: float | None
    largest: float | None

    @property
    def beta(self) -> float:
        """The weight of the KL beside a reconstruction summed over each picture."""
        return self.kl.weight / self.reconstruction.weight

    @property
    def known(self) -> bool:
        """Whether both terms are what they were taken for."""
        return bool(self.reconstruction.kind and self.kl.kind and self.reconstruction.weight)

    @property
    def even(self) -> bool:
        """Whether the size of the batch leaves the balance as it is."""
        same = abs(self.kl.batch / self.reconstruction.batch - 1) < 0.01
        return same or not self.kl.weight

    @property
    def sound(self) -> bool:
        """Whether nothing that was measured speaks against training with this loss."""
        signs = self.reconstruction.weight > 0 and self.kl.weight >= 0
        return self.known and signs and self.even and not self.collapses

    @property
    def collapses(self) -> bool:
        """Whether linear theory sees every latent at the prior."""
        return self.surviving == 0


def measure(loss: Loss, images: Tensor, latents: int, generator: torch.Generator) -> Scale:
    """Fit both weights of a loss on a batch, and ask the linear VAE what they lead to.

    Args:
        loss: Called some thirty times, with float64 tensors.
        images: `(N, P)` in [0, 1]; also what the linear theory is about. The first `BATCH` are
            the probe.
        latents: D, numbers in a code.
        generator: Draws the probes.
    """
    batch = images[:BATCH].double()
    recon, recon_half = (_reconstruction(loss, part, latents, generator) for part in _sizes(batch))
    kl, kl_half = (_kl(loss, part, latents, generator) for part in _sizes(batch))
    reconstruction = Term(*recon, batch=_ratio(recon[1], recon_half[1]))
    divergence = Term(*kl, batch=_ratio(kl[1], kl_half[1]))
    threshold = largest = surviving = None
    if reconstruction.kind in _SPECTRA and divergence.kind and reconstruction.weight:
        eigenvalues = _SPECTRA[reconstruction.kind](images.double())
        halved = 2 if reconstruction.kind == SQUARED else 1
        threshold = divergence.weight / (halved * reconstruction.weight)
        largest = eigenvalues.max().item()
        surviving = min(latents, surviving_directions(eigenvalues, threshold))
    return Scale(
        reconstruction,
        divergence,
        pixels=images.shape[1],
        latents=latents,
        batch_size=len(batch),
        surviving=surviving,
        threshold=threshold,
        largest=largest,
    )


def as_loss(function: Callable[..., Any], shown: str, shape: tuple[int, ...] = ()) -> Loss:
    """A user's function as a `Loss`: arguments by name, else by place; the total of what it gives.

    Understood are the usual names of a reconstruction, the picture, mu and one of logvar, std, log
    std or variance, in any order. Four arguments of other names are taken as (x_hat, x, mu,
    logvar). Of a tuple the first is the loss, of a mapping "loss".

    Args:
        function: As in a user's training script.
        shown: What messages call it.
        shape: Of one picture, where the function wants more than `(N, P)`.

    Raises:
        DemoError: By this function, if arguments cannot be told apart; by the loss, if the
            function fails or gives no single number.
    """
    roles = _roles(function, shown)

    def loss(x_hat: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> float:
        given = {
            "x_hat": x_hat.unflatten(1, shape) if shape else x_hat,
            "x": x.unflatten(1, shape) if shape else x,
            "mu": mu,
            "logvar": logvar,
            "std": (0.5 * logvar).exp(),
            "log_std": 0.5 * logvar,
            "var": logvar.exp(),
        }
        try:
            return _total(function(*(given[role] for role in roles)))
        except Exception as error:
            shapes = ", ".join(f"{role} {tuple(given[role].shape)}" for role in roles)
            advice = "If it wants pictures as (N, C, H, W), give their shape: --shape 1,28,28"
            if shape:
                advice = "Give the shape of the pictures that it is written for."
            raise DemoError(
                Problem(
                    shown,
                    f"it raised {type(error).__name__} when called with {shapes}: "
                    f"{str(error).partition(chr(10))[0]}",
                    advice,
                )
            ) from error

    return loss


def weigh(loss: Loss, latents: int, shape: tuple[int, ...] = ()) -> Scale:
    """`measure` a loss, always on the same pictures: digits, or noise of another shape.

    Of other shapes there are no pictures whose directions would count. But no direction of P
    numbers in [0, 1] has a variance above P/4, and some losses ask for more.

    Raises:
        DataError: The digits are missing or damaged.
        DemoError: The loss fails.
    """
    generator = torch.Generator().manual_seed(0)
    if not shape or math.prod(shape) == digits.SIDE**2:
        images = digits.load(find("digits"), generator).train.flatten(1)
        return measure(loss, images, latents, generator)
    pixels = math.prod(shape)
    scale = measure(loss, torch.rand(BATCH, pixels, generator=generator), latents, generator)
    hopeless = scale.reconstruction.kind == SQUARED and (scale.threshold or 0) >= pixels / 4
    return replace(scale, surviving=0 if hopeless else None, largest=None)


def _sizes(batch: Tensor) -> tuple[Tensor, Tensor]:
    return batch, batch[: len(batch) // 2]


def _ratio(whole: float, half: float) -> float:
    return whole / half if half else 1.0


def _reconstruction(
    loss: Loss, x: Tensor, latents: int, generator: torch.Generator
) -> tuple[str, float, float]:
    """Kind, weight and misfit of what depends on x_hat, at the prior's mu and logvar."""
    prior = torch.zeros(len(x), latents, dtype=x.dtype)
    guesses = [0.02 + 0.96 * _uniform(x, generator) for _ in range(PROBES)]
    answers = torch.tensor([loss(guess, x, prior, prior) for guess in guesses], dtype=x.dtype)
    fits = {
        kind: _fit(answers, torch.stack([error(guess, x).sum(1).mean() for guess in guesses]))
        for kind, error in _ERRORS.items()
    }
    kind = min(fits, key=lambda name: fits[name][1])
    weight, misfit = fits[kind]
    return (kind if misfit <= MISFIT else "", weight, misfit)


def _kl(
    loss: Loss, x: Tensor, latents: int, generator: torch.Generator
) -> tuple[str, float, float]:
    """Kind, weight and misfit of what depends on mu and logvar, at a fixed reconstruction."""
    guess = 0.02 + 0.96 * _uniform(x, generator)
    posteriors = [
        torch.randn(2, len(x), latents, dtype=x.dtype, generator=generator) * spread
        for spread in torch.linspace(0.2, 1.5, PROBES, dtype=x.dtype)
    ]
    answers = torch.tensor([loss(guess, x, mu, lv) for mu, lv in posteriors], dtype=x.dtype)
    truths = torch.stack([kl_to_prior(mu, logvar).mean() for mu, logvar in posteriors])
    weight, misfit = _fit(answers, truths)
    return ("KL" if misfit <= MISFIT else "", weight, misfit)


def _uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(x.shape, dtype=x.dtype, generator=generator)


def _fit(answers: Tensor, truths: Tensor) -> tuple[float, float]:
    """The slope of `answers` over `truths`, and the share of their changes left over."""
    rise, run = answers - answers.mean(), truths - truths.mean()
    slope = (rise @ run) / (run @ run)
    whole = rise.norm()
    if whole <= 1e-9 * answers.norm():  # only rounding: a loss without this term
        return 0.0, 0.0
    return slope.item(), ((rise - slope * run).norm() / whole).item()


_ERRORS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    SQUARED: lambda x_hat, x: (x_hat - x).square(),
    "cross-entropy": lambda p, x: F.binary_cross_entropy(p, x, reduction="none"),
    "cross-entropy of logits": lambda y, x: F.binary_cross_entropy_with_logits(
        y, x, reduction="none"
    ),
    "absolute error": lambda x_hat, x: (x_hat - x).abs(),
}


def _covariance_spectrum(x: Tensor) -> Tensor:
    """Variances of the data along its principal directions, `(P,)`."""
    eigenvalues: Tensor = torch.linalg.eigvalsh(torch.cov(x.T, correction=0))
    return eigenvalues.clamp(min=0)


def _logit_spectrum(x: Tensor) -> Tensor:
    r"""The same for Bernoulli pixels with a linear decoder of logits, near the mean picture.

    There the cross-entropy is, to second order, a Gaussian's with precision H = diag(m (1 - m)) of
    pseudo-observations H^-1 (x - m). Whitened, their covariance is H^-1/2 C H^-1/2 and the noise
    is 1, so a direction survives where an eigenvalue of that exceeds beta.
    """
    m = x.mean(0)
    used = (m > 1e-6) & (m < 1 - 1e-6)  # a pixel that never changes carries nothing
    scale = (m * (1 - m))[used].rsqrt()
    return _covariance_spectrum(x[:, used] * scale)


_SPECTRA: Mapping[str, Callable[[Tensor], Tensor]] = {
    SQUARED: _covariance_spectrum,
    "cross-entropy": _logit_spectrum,
    "cross-entropy of logits": _logit_spectrum,
}


def _roles(function: Callable[..., Any], shown: str) -> list[str]:
    """What each argument without a default stands for, in the function's order."""
    parameters = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    named = [_ROLE_OF.get(name.lower(), "") for name in parameters]
    if len(set(named)) == len(named) == 4 and {"x_hat", "x", "mu"} <= set(named):
        return named
    if len(parameters) == 4 and len(set(named)) < 4:
        return ["x_hat", "x", "mu", "logvar"]
    raise DemoError(
        Problem(
            shown,
            f"its arguments ({', '.join(parameters)}) cannot be told apart.",
            "A loss takes a reconstruction, the picture, mu, and logvar or std: "
            "def loss(x_hat, x, mu, logvar). Wrap yours in such a function.",
        )
    )


def _total(answer: Any) -> float:
    if isinstance(answer, Mapping):
        answer = answer["loss"]
    elif isinstance(answer, tuple | list):
        answer = answer[0]
    return float(answer)

r"""The closed form of the KL is what sampling measures; two lines of the source's proof are not.

**The term.** A VAE's encoder answers a picture `x` with a diagonal Gaussian, the posterior
q(z|x) = N(mu, diag(std^2)). The prior is p(z) = N(0, I). The objective charges for the distance
from q to p,

    KL(q || p) = E_{z ~ q} [ log q(z) - log p(z) ]

in nats, never negative, and 0 only if q = p. It is an average under q: how much more probable q
calls its own samples than p does.

**The derivation**, for one latent dimension, with z = mu + std eps and eps ~ N(0, 1):

    line 1   E[ log q(z) - log p(z) ]
    line 2   E[ log( exp(-(z - mu)^2 / (2 std^2)) / (sqrt(2 pi) std) )
              - log( exp(-z^2 / 2) / sqrt(2 pi) ) ]
    line 3   E[ -log std - (z - mu)^2 / (2 std^2) + z^2 / 2 ]
    line 4   1/2 (mu^2 + std^2 - 1 - log std^2)

The last step uses E (z - mu)^2 = std^2 and E z^2 = mu^2 + std^2.

With independent dimensions log q and log p are sums over them, and so is the KL.

**The source's derivation** has the same first and last line, and in between

    line 2   -E[ log( exp(-(z - mu)^2 / 2) / (sqrt(2 pi) std) ) ]
    line 3   -E[ log(sqrt(2 pi) std) + (z - mu)^2 / (2 std^2) ]

It writes mu and std for the posterior's and for the prior's parameters alike. So in line 2 the
prior sits at q's mean, and log q is lost; line 3 is E[log q], the negative entropy, half a KL.
Evaluated as written, at mu = (.2, .3) and std = (.1, .1), lines that an equals sign joins differ:
3.680, then -2.757, then 1.767, then 3.680 nats. The last line is right and follows from nothing.

**The misspelling.** With logvar = log std^2 the KL can be written in the first two of these ways,
and the source's code is the third:

    -1/2 sum(1 + logvar - mu^2 - exp(logvar))     with logvar
    -1/2 sum(1 + log(std^2) - mu^2 - std^2)       with std
    -1/2 sum(1 + std^2 - mu^2 - exp(std))         a mixture of both

The mixture runs, it is differentiable, and for std > 0 it is never negative. But it has no minimum
at the prior: it falls all the way to std = 0, and below zero, where an encoder without an
exponential can go, it falls for ever. What it does to a VAE is the lesson of `kl-training`.

Source: notes on digits and faces, cards on the loss and on the KL; Kingma and Welling (2014),
Auto-encoding variational Bayes, appendix B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Bars, Curves, Figure, Lab, Result

POSTERIORS, DIMENSIONS = 50, 4  # on which the formulas are tried, and their latents
PIXELS = ((1.0, 0.0), (0.4, 0.5))  # the worked example's target and what the decoder made of it


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # The formula under test, and what it does with the latent dimensions; see `per_dimension`.
    form: Literal["closed", "logvar", "mixed", "logstd", "swapped", "negated"] = "closed"
    over: Literal["sum", "mean"] = "sum"

    # The worked example: a posterior in two dimensions, and two pixels' cross-entropies.
    mu: tuple[float, ...] = (0.2, 0.3)
    std: tuple[float, ...] = (0.1, 0.1)
    # Whose four lines to evaluate; slipped is the source's with a sign lost in its last step.
    derivation: Literal["source", "repaired", "slipped"] = "source"
    reduction: Literal["sum", "mean"] = "sum"  # of the cross-entropies

    # Monte Carlo: samples for each random posterior (ten times as many for the example).
    samples: int = 20_000
    average_over: Literal["posterior", "prior"] = "posterior"  # whose samples

    wide: float = 2.0  # std of the Gaussian whose KL to and from N(0, 1) is compared


# The formulas, right and wrong


def per_dimension(form: str, mu: Tensor, std: Tensor) -> Tensor:
    """A formula for KL(N(mu, std^2) || N(0, 1)) in nats, for each dimension on its own.

    Nothing checks that std is positive: an encoder without an exponential does not either.
    """
    logvar = std.square().log()
    match form:
        case "logvar":
            return -0.5 * (1 + logvar - mu.square() - logvar.exp())
        case "mixed":  # std^2 where logvar belongs, exp(std) where the variance belongs
            return -0.5 * (1 + std.square() - mu.square() - std.exp())
        case "logstd":  # log std where log std^2 belongs
            return 0.5 * (mu.square() + std.square() - 1 - logvar / 2)
        case "swapped":  # KL(p || q)
            return 0.5 * (logvar + (1 + mu.square()) / std.square() - 1)
        case "negated":
            return -per_dimension("closed", mu, std)
    return 0.5 * (mu.square() + std.square() - 1 - logvar)


def log_ratios(mu: Tensor, std: Tensor, samples: Tensor) -> Tensor:
    """How much surer q is of samples than p: nats, summed over D; `(S, ..., D)` to `(S, ...)`."""
    q = Independent(Normal(mu, std), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(std)), 1)
    ratios: Tensor = q.log_prob(samples) - p.log_prob(samples)
    return ratios


def draw(mu: Tensor, std: Tensor, average_over: str, n: int, generator: torch.Generator) -> Tensor:
    """`(n, ..., D)` samples of the posterior, or, by mistake, of the prior."""
    eps = torch.randn(n, *mu.shape, dtype=mu.dtype, generator=generator)
    return mu + std * eps if average_over == "posterior" else eps


def derivation_lines(who: str, mu: Tensor, std: Tensor, z: Tensor) -> list[float]:
    """The four lines as written, in nats, summed over D; E is the mean over `z`, `(S, D)`."""
    root = math.sqrt(2 * math.pi)
    if who != "repaired":
        line2 = -(torch.exp(-((z - mu) ** 2) / 2) / (root * std)).log()
        line3 = -((root * std).log() + (z - mu) ** 2 / (2 * std**2))
    else:
        log_q = (torch.exp(-((z - mu) ** 2) / (2 * std**2)) / (root * std)).log()
        log_p = (torch.exp(-(z**2) / 2) / root).log()
        line2 = log_q - log_p
        line3 = -std.log() - (z - mu) ** 2 / (2 * std**2) + z**2 / 2
    line4 = (0.5 if who == "slipped" else -0.5) * (1 + (std**2).log() - mu**2 - std**2)
    expectations = [log_ratios(mu, std, z).mean(), line2.sum(-1).mean(), line3.sum(-1).mean()]
    return [line.item() for line in (*expectations, line4.sum())]


# The measurement


@dataclass(frozen=True, slots=True)
class Trial:
    """A formula held against torch.distributions and against n samples, in nats."""

    error: float  # largest over the random posteriors
    lowest: float
    sizes: list[int]
    mc_errors: list[float]  # root mean square over the random posteriors, for each size
    mixed_errors: list[float]  # the same for the source's code


def try_formula(params: Params, lab: Lab) -> Trial:
    """Judge the formula on random posteriors."""
    shape, g = (POSTERIORS, DIMENSIONS), lab.generator("posteriors")
    mu = torch.randn(shape, dtype=torch.float64, generator=g)
    std = 0.1 + 1.9 * torch.rand(shape, dtype=torch.float64, generator=g)
    kl = combined(params, mu, std)
    # The general formula, with matrices: it has never heard of diagonals.
    prior = MultivariateNormal(torch.zeros_like(mu[0]), torch.eye(DIMENSIONS).to(mu))
    exact = kl_divergence(MultivariateNormal(mu, scale_tril=std.diag_embed()), prior)
    z = draw(mu, std, params.average_over, params.samples, lab.generator("samples"))
    ratios = log_ratios(mu, std, z)
    sizes = [max(1, params.samples // part) for part in (1000, 100, 10, 1)]
    mc_errors, mixed_errors = (
        [(ratios[:n].mean(0) - nats).square().mean().sqrt().item() for n in sizes]
        for nats in (kl, per_dimension("mixed", mu, std).sum(-1))
    )
    error = (kl - exact).abs().max().item()
    return Trial(error, kl.min().item(), sizes, mc_errors, mixed_errors)


def combined(params: Params, mu: Tensor, std: Tensor) -> Tensor:
    """The formula under test over all latent dimensions, `(..., D)` to `(...)`."""
    terms = per_dimension(params.form, mu, std)
    return terms.sum(-1) if params.over == "sum" else terms.mean(-1)


def at(form: str, mu: float, std: float) -> float:
    """A formula at one point of one dimension, in nats."""
    return per_dimension(form, *torch.tensor([mu, std], dtype=torch.float64)).item()


def run(params: Params, lab: Lab) -> Result:
    """Judge a formula by torch.distributions and by sampling, and a derivation line by line."""
    trial = try_formula(params, lab)

    mu, std = torch.tensor([params.mu, params.std], dtype=torch.float64)
    z = draw(mu, std, params.average_over, 10 * params.samples, lab.generator("example"))
    lines = derivation_lines(params.derivation, mu, std, z)
    q, p = Normal(mu, std), Normal(torch.zeros_like(mu), torch.ones_like(std))
    reference, entropy = kl_divergence(q, p).sum().item(), q.entropy().sum().item()
    kl = combined(params, mu, std).item()
    target, output = torch.tensor(PIXELS)
    bce = F.binary_cross_entropy(output, target, reduction=params.reduction).item()

    grid = torch.arange(1, 301) / 100
    best_std = grid[per_dimension(params.form, torch.zeros_like(grid), grid).argmin()].item()

    x = torch.linspace(0.02, 2.5, 200)
    forms = ("closed", "mixed", "logstd")
    figures: dict[str, Figure] = {
        "formulas": Curves(
            "At mu = 0 the KL is lowest where q is the prior, at std = 1. The mixed formula has "
            "no minimum there: the smaller std, the cheaper.",
            x=x,
            lines={form: per_dimension(form, torch.zeros_like(x), x) for form in forms},
            x_label="std",
            y_label="nats",
        ),
        "lines": Bars(
            f"The {params.derivation} derivation, line by line, as written. Equals signs stand "
            "between them, so all four bars should be as high as the first.",
            {f"line {number}": value for number, value in enumerate(lines, 1)},
            y_label="nats",
        ),
        "monte_carlo": Curves(
            "A right formula differs from an average of n samples by noise, a tenth for a hundred "
            "times the samples; a wrong one also by a bias, which stays.",
            x=trial.sizes,
            lines={"mixed": trial.mixed_errors, params.form: trial.mc_errors},
            x_label="samples",
            y_label="rms difference, nats",
            log_x=True,
            log_y=True,
        ),
    }
    return Result(
        metrics={
            "kl_error_nats": trial.error,
            "lowest_nats": trial.lowest,
            "mc_error_nats": trial.mc_errors[-1],
            "mc_gain": trial.mc_errors[1] / trial.mc_errors[-1],
            "kl_nats": kl,
            "reference_nats": reference,
            "mc_nats": lines[0],
            "line2_nats": lines[1],
            "line3_nats": lines[2],
            "line4_nats": lines[3],
            "entropy_nats": entropy,
            "cross_entropy_nats": reference + entropy,
            "bce_nats": bce,
            "loss_nats": bce + kl,
            "best_std": best_std,
            "prior_nats": at(params.form, 0, 1),
            "negative_std_nats": at(params.form, 0, -50),
            "forward_nats": at("closed", 0, params.wide),
            "backward_nats": at("swapped", 0, params.wide),
        },
        figures=figures,
    )

r"""The ELBO misses log p(x) by exactly KL(q || p(z|x)), on a model where all three are known.

**A model without secrets.** Draw a code of D = 2 numbers, mix it linearly, add noise:

    z ~ N(0, I)        x | z ~ N(W z, s^2 I)        W: (P, D), x: (P,), P = 6

That is a VAE whose decoder is one matrix (probabilistic PCA). All that a VAE on pictures can only
estimate follows in closed form, from Bayes' rule for Gaussians:

    p(x)   = N(0, W W^T + s^2 I)                                      the evidence
    p(z|x) = N(L^-1 W^T x / s^2, L^-1),    L = I + W^T W / s^2        the true posterior

**The bound.** For *any* density q over codes,

    log p(x) = E_q[log p(x|z)] - KL(q || p(z))  +  KL(q || p(z|x))
               \______________ ELBO __________/    \____ gap ____/

The gap is a KL, so it is never negative: the ELBO bounds log p(x) from below, and touches it where
q is the true posterior. With q = N(m, S) both terms are sums that one can write down,

    E_q[log p(x|z)] = -P/2 log(2 pi s^2) - (|x - W m|^2 + tr(W S W^T)) / (2 s^2)
    KL(q || p(z))   = 1/2 (|m|^2 + tr S - D - log det S)

All in nats, summed over P or D, and averaged over N observations x.

**A diagonal q** is what VAEs use. Here the columns of W are correlated, so the true posterior is a
slanted ellipse, and the best axis-parallel one has the variances 1 / L_dd, which are too small: it
fits inside. It leaves a gap of 1/2 (sum_d log L_dd - log det L). Training can close that gap from
the other side: rotate W, which leaves p(x) as it is, until the true posterior is axis-parallel.

**Tighter.** Average K weights w = p(x, z) / q(z) before taking the logarithm (IWAE): from K = 1,
the ELBO, the bound rises to log p(x). If q is the true posterior, every w is p(x) itself.

Source: notes on digits and faces, cards on the VAE's objective, encoder and decoder; Kingma and
Welling (2014), Auto-encoding variational Bayes, eq. 1-3; Tipping and Bishop (1999), Probabilistic
principal component analysis, eq. 4-8; Burda et al. (2016), Importance weighted autoencoders, eq. 8;
Lucas et al. (2019), Don't blame the ELBO!
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from vaeflash.demo import Bars, Curves, Figure, Lab, Result, Scatter

P, D = 6, 2  # numbers of an observation, and of a code


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # q: the true posterior, the best diagonal one, the diagonal of the true covariance, one that
    # is off in mean and width, or the prior, which does not look at x.
    q: Literal["exact", "diagonal", "marginal", "careless", "prior"] = "diagonal"
    # What is called the ELBO; two ways to get it wrong.
    objective: Literal["elbo", "kl_added", "mean_over_pixels"] = "elbo"
    gap_to: Literal["forward", "reverse"] = "forward"  # KL(q || p(z|x)), or the other direction
    decoder: Literal["right", "other"] = "right"  # the data's own w, or one turned at random
    output: Literal["mean", "sample"] = "mean"  # what is generated: the decoder's answer, or x|z
    average: Literal["weights", "logs"] = "weights"  # of K samples, for a tighter bound
    angle: float = 30.0  # degrees between the columns of the data's w
    noise: float = 1.0  # s
    observations: int = 2_000
    steps: int = 400  # of training a VAE on the data
    train: Literal["both", "encoder"] = "both"  # or keep the data's own decoder


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The generative half: `w` is `(P, D)`, `s` the standard deviation of the noise."""

    w: Tensor
    s: Tensor

    def evidence(self) -> MultivariateNormal:
        """p(x)."""
        return MultivariateNormal(torch.zeros_like(self.w[:, 0]), self.w @ self.w.T + self.noise())

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """The log density of observations `(..., P)` given codes `(..., D)`: nats; `(...)`."""
        noise = MultivariateNormal(torch.zeros_like(self.w[:, 0]), self.noise())
        log_density: Tensor = noise.log_prob(x - z @ self.w.T)
        return log_density

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """p(z|x), for observations `(N, P)`."""
        mean = x @ self.w @ torch.linalg.inv(self.precision()) / self.s**2
        return MultivariateNormal(mean, precision_matrix=self.precision())

    def precision(self) -> Tensor:
        """L, `(D, D)`, the inverse covariance of p(z|x): the same for every x."""
        precision: Tensor = torch.eye(D).to(self.w) + self.w.T @ self.w / self.s**2
        return precision

    def noise(self) -> Tensor:
        """The covariance of x given z, `(P, P)`."""
        return self.s**2 * torch.eye(P).to(self.w)


def mixing(lengths: Tensor, angle: float, g: torch.Generator) -> Tensor:
    """`(P, D)`: two columns of these lengths at this angle, turned at random."""
    basis = torch.linalg.qr(torch.randn(P, D, dtype=torch.float64, generator=g)).Q
    radians = math.radians(angle)
    plane = torch.tensor([[1.0, math.cos(radians)], [0.0, math.sin(radians)]]).to(basis)
    w: Tensor = basis @ plane * lengths
    return w


def encoder(q: str, model: Model, x: Tensor) -> MultivariateNormal:
    """The approximate posterior q(z|x) of this name, `(N, D)`."""
    exact, precision = model.posterior(x), model.precision()
    match q:
        case "diagonal":
            return MultivariateNormal(exact.mean, precision.diag().reciprocal().diag())
        case "marginal":
            return MultivariateNormal(exact.mean, torch.linalg.inv(precision).diag().diag())
        case "careless":
            return MultivariateNormal(0.8 * exact.mean, 2 * torch.linalg.inv(precision))
        case "prior":
            return prior(x)
    return exact


def prior(x: Tensor) -> MultivariateNormal:
    """p(z) = N(0, I), once for each observation."""
    return MultivariateNormal(x.new_zeros(len(x), D), torch.eye(D).to(x))


# The bound


def reconstruction(model: Model, m: Tensor, cov: Tensor, x: Tensor) -> Tensor:
    """E_q[log p(x|z)] for q = N(m, cov): nats, sum over P; `(N,)`."""
    spread = torch.trace(model.w @ cov @ model.w.T)
    squares = (x - m @ model.w.T).square().sum(1) + spread
    return -P / 2 * torch.log(2 * math.pi * model.s**2) - squares / (2 * model.s**2)


def kl_to_prior(m: Tensor, cov: Tensor) -> Tensor:
    """KL(N(m, cov) || N(0, I)): nats, sum over D; `(N,)`."""
    return 0.5 * (m.square().sum(1) + torch.trace(cov) - D - torch.logdet(cov))


def bound(objective: str, model: Model, m: Tensor, cov: Tensor, x: Tensor) -> Tensor:
    """The ELBO of each observation, or what a mistake makes of it: nats; `(N,)`."""
    expected, kl = reconstruction(model, m, cov, x), kl_to_prior(m, cov)
    match objective:
        case "kl_added":
            return expected + kl
        case "mean_over_pixels":
            return expected / P - kl
    return expected - kl


def log_weights(
    model: Model, q: MultivariateNormal, x: Tensor, k: int, g: torch.Generator
) -> Tensor:
    """The log weights log p(x, z) - log q(z|x) of k codes drawn from q for each x; `(k, N)`."""
    noise = torch.randn(k, *q.mean.shape, dtype=x.dtype, generator=g)
    z = q.mean + noise @ q.scale_tril[0].T
    joint = prior(x).log_prob(z) + model.log_likelihood(z, x)
    ratio: Tensor = joint - q.log_prob(z)
    return ratio


def importance_weighted(log_w: Tensor, k: int, average: str = "weights") -> float:
    """The mean bound with k samples, over all groups of k in `(K, N)`; nats."""
    groups = log_w.unflatten(0, (-1, k))
    bounds: Tensor = groups.logsumexp(1) - math.log(k) if average == "weights" else groups.mean(1)
    return bounds.mean().item()


# Training


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A linear VAE after training: its decoder, its q = N(x a, diag std^2), its ELBO on the way."""

    model: Model
    mean: Tensor
    std: Tensor
    elbos: list[float]


def train(params: Params, truth: Model, x: Tensor, lab: Lab) -> Trained:
    """Maximise the mean ELBO over encoder and decoder, or the encoder alone, with a diagonal q."""
    g = lab.generator("initial")
    a, w = (0.1 * torch.randn(P, D, dtype=x.dtype, generator=g) for _ in range(2))
    log_std, log_s = x.new_zeros(D), x.new_zeros(())
    if params.train == "encoder":
        w, log_s = truth.w.clone(), truth.s.log()
    learned = [a, log_std] + ([w, log_s] if params.train == "both" else [])
    optimizer = torch.optim.Adam([t.requires_grad_() for t in learned], lr=0.03)
    elbos = []
    for _ in lab.track(range(params.steps), "training"):
        optimizer.zero_grad()
        variances = (2 * log_std).exp().diag()
        elbo = bound("elbo", Model(w, log_s.exp()), x @ a, variances, x).mean()
        (-elbo).backward()
        optimizer.step()
        elbos.append(elbo.item())
    model = Model(w.detach(), log_s.detach().exp())
    return Trained(model, (x @ a).detach(), log_std.detach().exp(), elbos)


def best_log_px(x: Tensor) -> float:
    """The highest mean log p(x) that any w and s reach, nats (Tipping and Bishop, eq. 7-8)."""
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    s2 = values[:-D].mean()
    w = vectors[:, -D:] * (values[-D:] - s2).clamp(min=0).sqrt()
    log_px: Tensor = Model(w, s2.sqrt()).evidence().log_prob(x)
    return log_px.mean().item()


# Figures


def ellipses(model: Model, x: Tensor, g: torch.Generator) -> Scatter:
    """Codes that could have made the first observation: the true posterior and a diagonal q."""
    exact, diagonal = (encoder(q, model, x[:1]) for q in ("exact", "diagonal"))
    noise = torch.randn(400, D, dtype=x.dtype, generator=g)
    clouds = [q.mean + noise @ q.scale_tril[0].T for q in (exact, diagonal)]
    return Scatter(
        "Codes of one observation. 0: the true posterior is slanted, since two codes can explain "
        "the same x. 1: the best diagonal q fits inside it, and knows nothing of the slant.",
        torch.cat(clouds),
        torch.arange(2).repeat_interleave(400),
        x_label="z_1",
        y_label="z_2",
    )


def bound_curve(bounds: dict[int, float], log_px: float) -> Curves:
    """The importance-weighted bound over its number of samples."""
    return Curves(
        "One sample gives the ELBO. Averaging K weights before taking the logarithm brings the "
        "bound up to log p(x), without a better encoder.",
        x=list(bounds),
        lines={"bound": list(bounds.values()), "log p(x)": [log_px] * len(bounds)},
        x_label="samples K",
        y_label="nats",
        log_x=True,
    )


def run(params: Params, lab: Lab) -> Result:
    """Draw data from a known model, and hold the ELBO of a q against the truth."""
    g = lab.generator("model")
    lengths = 2 + torch.rand(D, dtype=torch.float64, generator=g)
    truth = Model(mixing(lengths, params.angle, g), torch.tensor(params.noise).double())
    z = torch.randn(params.observations, D, dtype=torch.float64, generator=g)
    x = z @ truth.w.T + truth.s * torch.randn(len(z), P, dtype=z.dtype, generator=g)
    other = Model(mixing(lengths, params.angle, g), truth.s)
    model = truth if params.decoder == "right" else other

    q, posterior = encoder(params.q, model, x), model.posterior(x)
    cov = q.covariance_matrix[0]  # the same for every x
    log_px = model.evidence().log_prob(x)
    elbo = bound(params.objective, model, q.mean, cov, x)
    pair = (q, posterior) if params.gap_to == "forward" else (posterior, q)
    covariance = posterior.covariance_matrix[0]
    correlation = covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()
    aggregate = cov + torch.cov(q.mean.T, correction=0)  # of codes drawn for all x together

    few = x[:200]
    log_w = log_weights(model, encoder(params.q, model, few), few, 1_000, lab.generator("weights"))
    bounds = {k: importance_weighted(log_w, k, params.average) for k in (1, 10, 100, 1_000)}

    codes = torch.randn(20_000, D, dtype=x.dtype, generator=lab.generator("generated"))
    generated = codes @ model.w.T
    again = generated
    if params.output == "sample":
        h = lab.generator("pixels")
        generated, again = (
            m + model.s * torch.randn(m.shape, dtype=m.dtype, generator=h)
            for m in (generated, again)
        )

    trained = train(params, truth, x, lab)
    trained_log_px = trained.model.evidence().log_prob(x).mean().item()
    variances = trained.std.square().diag()
    trained_elbo = bound("elbo", trained.model, trained.mean, variances, x).mean().item()

    figures: dict[str, Figure] = {
        "posterior": ellipses(model, x, lab.generator("figure")),
        "bounds": bound_curve(bounds, log_px[:200].mean().item()),
        "terms": Bars(
            "Reconstruction plus KL is the loss, -ELBO. It exceeds -log p(x) by the gap, which is "
            "the KL from q to the true posterior.",
            {
                "-E log p(x|z)": -reconstruction(model, q.mean, cov, x).mean().item(),
                "KL to prior": kl_to_prior(q.mean, cov).mean().item(),
                "-ELBO": -elbo.mean().item(),
                "-log p(x)": -log_px.mean().item(),
                "KL to posterior": kl_divergence(*pair).mean().item(),
            },
            y_label="nats",
        ),
    }
    if params.steps:
        best = best_log_px(x)
        figures["training"] = Curves(
            "The ELBO of a VAE with a diagonal q rises to the best log p(x) that any linear model "
            "has, as if q were not restricted: the decoder has turned to suit it.",
            x=range(params.steps),
            lines={"ELBO": trained.elbos, "best log p(x)": [best] * params.steps},
            x_label="step",
            y_label="nats",
        )
    return Result(
        metrics={
            "log_px_nats": log_px.mean().item(),
            "data_log_px_nats": truth.evidence().log_prob(x).mean().item(),
            "elbo_nats": elbo.mean().item(),
            "gap_nats": (log_px - elbo).mean().item(),
            "lowest_gap_nats": (log_px - elbo).min().item(),
            "kl_to_posterior_nats": kl_divergence(*pair).mean().item(),
            "reconstruction_nats": reconstruction(model, q.mean, cov, x).mean().item(),
            "kl_to_prior_nats": kl_to_prior(q.mean, cov).mean().item(),
            "posterior_correlation": correlation.item(),
            "q_std": cov.diag().sqrt().mean().item(),
            "posterior_std": covariance.diag().sqrt().mean().item(),
            "aggregate_kl_nats": kl_to_prior(q.mean.mean(0, keepdim=True), aggregate).item(),
            "aggregate_std": aggregate.diag().sqrt().mean().item(),
            "log_weight_std_nats": log_w.std(0).mean().item(),
            "bound_1_nats": bounds[1],
            "bound_10_nats": bounds[10],
            "bound_1000_nats": bounds[1_000],
            "log_px_of_these_nats": log_px[:200].mean().item(),
            "decode_gap": (generated - again).abs().max().item(),
            "generated_variance": generated.var(0).sum().item(),
            "data_variance": x.var(0).sum().item(),
            "trained_gap_nats": trained_log_px - trained_elbo,
            "trained_log_px_nats": trained_log_px,
            "best_log_px_nats": best_log_px(x),
        },
        figures=figures,
    )

r"""Written as mu + std * eps, a code lets the reconstruction teach the encoder; drawn, it does not.

**The problem.** The encoder gives mu and std, a code is drawn from N(mu, std^2), the decoder is
judged by what it makes of it. Backpropagation wants d z / d mu. But `Normal(mu, std).sample()` is
a number that came out of a random generator; PyTorch gives it no gradient.

**The trick.** Draw the noise first, and *compute* the code from it:

    z = mu + std * eps,   eps ~ N(0, I)         d z / d mu = 1,   d z / d std = eps

z has the same distribution as before, but mu and std now enter by arithmetic, and for any f

    d/d mu E[f(z)] = E[f'(z)],    d/d std E[f(z)] = E[f'(z) eps]        (the pathwise gradient)

`Normal(mu, std).rsample()` does just this. So does `mu + std * Normal(0, 1).sample()`: here
`sample` is right, because eps has no parameters to learn.

**There is another way**, the score function, which needs no f':

    d/d mu E[f(z)] = E[f(z) d log q(z) / d mu] = E[f(z) (z - mu) / std^2]

Also right on average. But every latent's gradient is multiplied by the whole of f, the other
latents' noise included, so its variance grows with their number, and the pathwise one's does not.
We compare both for f(z) = |z - a|^2, where E f = |mu - a|^2 + |std|^2 has a gradient one can write
down: 2 (mu - a) and 2 std.

**The mistake trains.** With `sample()` a VAE's loss = reconstruction + KL still has a gradient in
the encoder: that of the KL, which needs no code. No error, a falling loss, and an encoder that only
ever hears "be the prior".

Source: notes on scroll cubes and notes on digits and faces, cards on the VAE's training steps;
Kingma and Welling (2014), Auto-encoding variational Bayes, section 2.4; Williams (1992), Simple
statistical gradient-following algorithms.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.elbo import bernoulli_log_likelihood, kl_to_prior
from vaeflash.lab.training import train

NEEDS = ("digits",)
LATENT = 20


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    # How the rival draws its codes, see `draw`; the first VAE has "by_hand".
    how: Literal["by_hand", "by_variance", "rsample", "sample", "numpy"] = "sample"
    steps: int = 300  # of training each VAE
    # Of a gradient, beside the pathwise one; see `gradient_samples`.
    estimator: Literal["path", "score", "score_on_rsample"] = "score"
    dimensions: int = 20  # of the z whose gradients are estimated
    # Where mu and std are, and how noise for them is made: meta is a device without values.
    place: Literal["cpu", "meta"] = "meta"
    noise: Literal["randn_like", "randn"] = "randn_like"
    numpy_mean: float = 0.5  # of a normal in numpy
    numpy_scale: Literal["std", "variance"] = "std"  # what it gets for a std of 0.1


def draw(how: str, mu: Tensor, std: Tensor) -> Tensor:
    """A code from N(mu, diag(std^2)), in one of four ways, or with std^2 for std by mistake.

    Raises:
        RuntimeError: By `numpy`, if mu or std has a gradient to lose.
    """
    match how:
        case "rsample":
            z: Tensor = Normal(mu, std).rsample()
        case "sample":
            z = Normal(mu, std).sample()
        case "numpy":
            z = torch.from_numpy(np.random.default_rng(0).normal(mu.numpy(), std.numpy()))
        case _:
            eps = Normal(0.0, 1.0).sample(mu.shape).to(mu)
            z = mu + (std**2 if how == "by_variance" else std) * eps
    return z


@contextmanager
def same_noise(seed: int) -> Iterator[None]:
    """PyTorch's global generator, from which distributions draw, set to a seed for a while."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


# What reaches the encoder


class VAE(nn.Module):
    """784 -> 128 -> mu and logvar of 20 numbers; z -> 128 -> 784 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, 128), nn.ReLU(), nn.Linear(128, 784))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 784)` pictures to their reconstructions from the posterior's mean."""
        mu, _ = self.encoder(x).chunk(2, dim=1)
        x_hat: Tensor = self.decoder(mu).sigmoid()
        return x_hat


class Objective:
    """The five steps of training a VAE, up to the loss: nats, mean over the batch."""

    def __init__(self, how: str) -> None:
        self.how = how

    def terms(self, model: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL of a batch `(N, 784)`."""
        mu, logvar = model.encoder(x).chunk(2, dim=1)
        z = draw(self.how, mu, (0.5 * logvar).exp())
        reconstruction = -bernoulli_log_likelihood(model.decoder(z), x).mean()
        return reconstruction, kl_to_prior(mu, logvar).mean()

    def __call__(self, model: VAE, x: Tensor) -> Tensor:
        """The loss on a batch `(N, 784)`."""
        reconstruction, kl = self.terms(model, x)
        return reconstruction + kl


def reaches(term: Tensor, part: nn.Module) -> int:
    """1 if the term has a gradient other than 0 in some weight of the part, else 0."""
    gradients = torch.autograd.grad(
        term, list(part.parameters()), retain_graph=True, allow_unused=True
    )
    return int(any(g is not None and bool(g.any()) for g in gradients))


def fit(how: str, model: VAE, x: Tensor, steps: int, lab: Lab) -> Tensor:
    """Train with codes drawn in one way, on the same batches and noise as any other; the losses."""
    with same_noise(lab.seed):
        return train(
            model,
            Objective(how),
            x,
            steps=steps,
            batch_size=64,
            optimizer=torch.optim.Adam(model.parameters(), lr=4e-3, fused=True),
            generator=lab.generator("batches"),
            track=lab.track,
        )


@torch.no_grad()
def mean_kl(model: VAE, x: Tensor) -> float:
    """KL from posterior to prior: nats, sum over latents, mean over pictures `(N, 784)`."""
    mu, logvar = model.encoder(x).chunk(2, dim=1)
    return kl_to_prior(mu, logvar).mean().item()


# Estimators of one gradient


def gradient_samples(
    estimator: str, mu: Tensor, std: Tensor, target: Tensor, n: int, g: torch.Generator
) -> Tensor:
    """`n` one-sample estimates of d E[|z - target|^2] / d mu; `(n, D)`, by autograd.

    `score_on_rsample` is the mistake of giving the score function a z that has a gradient itself:
    log q(mu + std eps) does not depend on mu.
    """
    each = mu.expand(n, -1).clone().requires_grad_()  # a row has its own gradient
    z = each + std * torch.randn(each.shape, dtype=mu.dtype, generator=g)
    if estimator == "score":
        z = z.detach()
    surrogate = (z - target).square().sum(1)
    if estimator != "path":
        surrogate = surrogate * Normal(each, std).log_prob(z).sum(1)
    (gradients,) = torch.autograd.grad(surrogate.sum(), each)
    return gradients


@dataclass(frozen=True, slots=True)
class Estimate:
    """How a one-sample estimate of the gradient for mu is distributed."""

    variance: float  # mean over latents
    off: float  # from the true gradient, in standard errors; root mean square over latents


def estimate(estimator: str, dimensions: int, lab: Lab) -> Estimate:
    """Estimate a gradient that is known, 20,000 times, at a random mu and std."""
    g = lab.generator(f"gradients/{dimensions}")
    mu = torch.randn(dimensions, dtype=torch.float64, generator=g)
    target = mu + 1  # each latent is one away from where f wants it
    std = 0.5 + torch.rand(dimensions, dtype=torch.float64, generator=g)
    gradients = gradient_samples(estimator, mu, std, target, 20_000, g)
    standard_error = gradients.std(0) / len(gradients) ** 0.5
    off = (gradients.mean(0) - 2 * (mu - target)) / standard_error
    return Estimate(gradients.var(0).mean().item(), off.square().mean().sqrt().item())


def on_device(place: str, noise: str) -> tuple[int, ...]:
    """Draw a code on a device with noise made in one of two ways; the shape of the code.

    Raises:
        RuntimeError: The noise is on another device than mu and std.
    """
    mu, std = torch.zeros(2, LATENT, device=place)
    eps = torch.randn_like(std) if noise == "randn_like" else torch.randn(*std.size())
    return tuple((mu + std * eps).shape)


def run(params: Params, lab: Lab) -> Result:
    """Follow gradients into an encoder, train it and a right one, and compare two estimators."""
    code_shape = on_device(params.place, params.noise)

    digits = lab.data("digits")
    x_train, x_test = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test))
    model = VAE().to(lab.device)
    rival, objective = copy.deepcopy(model), Objective(params.how)
    with same_noise(lab.seed):
        reconstruction, kl = objective.terms(rival, x_train[:64])
    reached = {
        "reconstruction_reaches_encoder": reaches(reconstruction, rival.encoder),
        "reconstruction_reaches_decoder": reaches(reconstruction, rival.decoder),
        "kl_reaches_encoder": reaches(kl, rival.encoder),
    }
    losses = {
        "mu + std * eps": fit("by_hand", model, x_train, params.steps, lab),
        params.how: fit(params.how, rival, x_train, params.steps, lab),
    }
    kls = [mean_kl(trained, x_test) for trained in (model, rival)]
    x_hats = [metrics.reconstruct(trained, x_test) for trained in (model, rival)]

    g = lab.generator("posteriors")
    mu, std = torch.randn(1_000, LATENT, generator=g), 0.1 + torch.rand(1_000, LATENT, generator=g)
    codes = []
    for how in (params.how, "rsample"):
        with same_noise(lab.seed):
            codes.append(draw(how, mu, std))
    scale = 0.1 if params.numpy_scale == "std" else 0.1**2
    numbers = np.random.default_rng(lab.seed).normal(params.numpy_mean, scale, size=10_000)

    path = estimate("path", params.dimensions, lab)
    estimated = estimate(params.estimator, params.dimensions, lab)
    sizes = (1, 2, 5, 10, 20, 50)
    figures: dict[str, Figure] = {
        "variance": Curves(
            "Variance of one sample's gradient for mu. The score function multiplies each latent's "
            "share by the noise of all the others; the pathwise gradient looks at its own slope.",
            x=sizes,
            lines={
                "score function": [estimate("score", size, lab).variance for size in sizes],
                "pathwise": [estimate("path", size, lab).variance for size in sizes],
            },
            x_label="latents",
            y_label="variance",
            log_x=True,
            log_y=True,
        ),
        "digits": Images(
            "Unseen digits, rebuilt by two VAEs. Where codes are drawn with `sample`, the encoder "
            "learned nothing of digits, and the decoder gives every one the same answer.",
            torch.stack([x_test[:10], *(x_hat[:10] for x_hat in x_hats)])
            .unflatten(-1, (28, 28))
            .cpu(),
            rows=["original", *losses],
        ),
    }
    if params.steps:
        figures["loss"] = Curves(
            "The loss falls either way. That of `sample` comes to rest early, near what the mean "
            "image costs.",
            x=10 * torch.arange(1, len(losses[params.how].split(10)) + 1),
            lines={
                how: [block.mean().item() for block in series.split(10)]
                for how, series in losses.items()
            },
            x_label="step",
            y_label="nats",
        )
    return Result(
        metrics={
            **reached,
            "first_loss_nats": losses[params.how][:1].mean().item(),
            "last_loss_nats": losses[params.how][-20:].mean().item(),
            "by_hand_kl_nats": kls[0],
            "rival_kl_nats": kls[1],
            "by_hand_mse": metrics.mse(x_hats[0], x_test),
            "rival_mse": metrics.mse(x_hats[1], x_test),
            "mean_image_mse": metrics.mean_image_mse(x_train, x_test),
            "has_gradient": int(draw(params.how, mu.requires_grad_(), std).requires_grad),
            "unlike_rsample": int((codes[0] != codes[1]).sum()),
            "path_variance": path.variance,
            "estimate_variance": estimated.variance,
            "estimate_off_standard_errors": estimated.off,
            "code_shape": code_shape,
            "numpy_sample_mean": float(numbers.mean()),
            "numpy_sample_std": float(numbers.std()),
        },
        figures=figures,
    )

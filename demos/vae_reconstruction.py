r"""A VAE answers a digit with a cloud of codes: variations of that digit, not new ones.

**Encoder and decoder.** An autoencoder sends a picture to a point. The encoder of a VAE has two
heads and sends it to a Gaussian, from which a code is drawn and decoded:

    x (784) -> 128, ReLU -> mu (20), logvar (20)          q(z|x) = N(mu, diag(std^2))
    z = mu + std * eps,   eps ~ N(0, I)                   std = exp(logvar / 2)
    z (20)  -> 128, ReLU -> 784, sigmoid -> x_hat

Encoder and decoder are functions; all chance is in `eps`. So the same digit gives another code and
another picture each time, a little different. How different, std decides, and std is learned: a
large one is cheap in the KL to the prior N(0, I), a small one is cheap in the reconstruction,

    loss = -log p(x|z) + beta * KL(q(z|x) || N(0, I))     summed; nats a digit

**Three sources of a code.** The same decoder makes different things of

    the mean        z = mu           one answer to the digit, the least squared error of the three
    the posterior   z ~ q(z|x)       variations of the digit
    the prior       z ~ N(0, I)      new digits; no picture goes in

Only the last one is generation. The prior stands in for all posteriors together, the *aggregate*:
the codes drawn for all digits. Each posterior is narrow; their mixture is as wide as the prior.

Source: notes on digits and faces, cards on the latent space and on reconstruction with VAEs;
Kingma and Welling (2014), Auto-encoding variational Bayes, sections 2.3 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vaeflash.demo import Bars, Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.elbo import bernoulli_log_likelihood, kl_to_prior
from vaeflash.lab.training import train

NEEDS = ("digits",)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    source: Literal["posterior", "mean", "prior"] = "posterior"  # of the codes that are judged
    latent: int = 20
    beta: float = 1.0  # weight of the KL in training
    steps: int = 500
    damage: Literal["noise", "occlusion"] = "noise"  # to digits, before the encoder sees them


class VAE(nn.Module):
    """784 -> 128 -> mu and logvar of `latent` numbers; z -> 128 -> 784 logits."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.to_hidden = nn.Sequential(nn.Linear(784, 128), nn.ReLU())
        self.to_mu = nn.Linear(128, latent)
        self.to_logvar = nn.Linear(128, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, 784)` pictures to means and standard deviations, `(N, latent)` each."""
        h = self.to_hidden(x)
        return self.to_mu(h), (0.5 * self.to_logvar(h)).exp()

    def decode(self, z: Tensor) -> Tensor:
        """`(N, latent)` codes to `(N, 784)` pictures."""
        x_hat: Tensor = self.decoder(z).sigmoid()
        return x_hat


class Objective:
    """The loss: nats, summed over pixels and latents, mean over the batch."""

    def __init__(self, beta: float, noise: torch.Generator) -> None:
        self.beta = beta
        self.noise = noise

    def __call__(self, model: VAE, x: Tensor) -> Tensor:
        """The loss on a batch `(N, 784)`."""
        mu, std = model.encode(x)
        z = draw("posterior", mu, std, self.noise)
        log_likelihood = bernoulli_log_likelihood(model.decoder(z), x)
        return (self.beta * kl_to_prior(mu, 2 * std.log()) - log_likelihood).mean()


def draw(source: str, mu: Tensor, std: Tensor, g: torch.Generator) -> Tensor:
    """A code for each picture, `(..., latent)`; the prior does not look at the picture."""
    eps = torch.randn(mu.shape, generator=g).to(mu)
    match source:
        case "mean":
            return mu
        case "prior":
            return eps
    return mu + std * eps


def recognised(x_hat: Tensor, x: Tensor) -> float:
    """The share of pictures whose nearest of all `x` is the one they were made of; `(N, 784)`."""
    nearest = torch.cdist(x_hat, x).argmin(1).cpu()
    return (nearest == torch.arange(len(x))).float().mean().item()


def variance(pictures: Tensor) -> float:
    """Variance over draws, `(S, N, 784)`: sum over pixels, mean over N."""
    return pictures.var(0).sum(-1).mean().item()


def same_kind(a: Tensor, b: Tensor) -> float:
    """The share of points whose nearest neighbour is of their own set; `(N, D)` each.

    One half if both were drawn from one distribution (Schilling, 1986).
    """
    points, kinds = torch.cat([a, b]), torch.arange(2).repeat_interleave(len(a)).to(a.device)
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    return (kinds[distances.argmin(1)] == kinds).float().mean().item()


def damaged(x: Tensor, damage: str, amount: float, g: torch.Generator) -> Tensor:
    """Pictures `(N, 784)` with noise of this std on every pixel, or this share of rows blackened.

    Noise is cut off at 0 and 1; the blackened rows are the lowest.
    """
    if damage == "noise":
        return (x + amount * torch.randn(x.shape, generator=g).to(x)).clamp(0, 1)
    rows: Tensor = x.view(-1, 28, 28).clone()
    rows[:, round(28 * (1 - amount)) :] = 0
    return rows.flatten(1)


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train a VAE, then decode codes from its means, its posteriors and its prior."""
    digits = lab.data("digits")
    x_train, x = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test[:1_000]))
    model = VAE(params.latent).to(lab.device)
    with torch.enable_grad():
        train(
            model,
            Objective(params.beta, lab.generator("noise")),
            x_train,
            steps=params.steps,
            batch_size=64,
            optimizer=torch.optim.Adam(model.parameters(), lr=4e-3, fused=True),
            generator=lab.generator("batches"),
            track=lab.track,
        )
    mu, std = model.encode(x)
    g = lab.generator("codes")
    z = draw(params.source, mu, std, g)
    rebuilt = model.decode(z)
    again = model.decode(draw(params.source, mu, std, g))
    few = 50  # digits that are drawn 100 times
    codes = draw(params.source, mu[:few].expand(100, -1, -1), std[:few].expand(100, -1, -1), g)
    from_prior = model.decode(torch.randn(codes.shape, generator=g).to(mu))
    aggregate, prior = draw("posterior", mu, std, g), torch.randn(mu.shape, generator=g).to(mu)

    amounts = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    stds = {
        damage: [model.encode(damaged(x, damage, a, g))[1].mean().item() for a in amounts]
        for damage in ("noise", "occlusion")
    }
    rows = {
        "original": x[:10],
        "mean": model.decode(mu[:10]),
        **{f"draw {i + 1}": model.decode(draw("posterior", mu, std, g)[:10]) for i in range(3)},
        "prior": from_prior[0, :10],
    }
    errors = {
        source: metrics.mse(model.decode(draw(source, mu, std, g)), x)
        for source in ("mean", "posterior", "prior")
    }
    figures: dict[str, Figure] = {
        "digits": Images(
            "Unseen digits; what the mean of their posterior decodes to; three draws of it, the "
            "same digit with other strokes; and samples of the prior, which are no one's copies.",
            torch.stack(list(rows.values())).unflatten(-1, (28, 28)).cpu(),
            rows=list(rows),
        ),
        "errors": Bars(
            "Squared error of the reconstruction by where the code comes from. Most of it is there "
            "without any chance; a sample of the prior does not rebuild anything.",
            errors,
            y_label="MSE",
        ),
        "damage": Curves(
            "What the encoder says of its own uncertainty. Strokes taken away make it less sure, "
            "noise on the pixels makes it surer: it never saw any.",
            x=amounts,
            lines=stds,
            x_label="std of the noise, share of rows blackened",
            y_label="mean posterior std",
        ),
    }
    return Result(
        metrics={
            "mean_mse": metrics.mse(model.decode(mu), x),
            "drawn_mse": metrics.mse(rebuilt, x),
            "mean_image_mse": metrics.mse(x_train.mean(0), x),
            "repeat_mse": metrics.mse(again, rebuilt),
            "between_mse": metrics.mse(rebuilt.roll(1, 0), rebuilt),
            "drawn_variance": variance(model.decode(codes)),
            "prior_variance": variance(from_prior),
            "recognised": recognised(rebuilt, x),
            "mu_size": mu.shape[1],
            "std_size": std.shape[1],
            "decoder_takes": next(model.decoder.parameters()).shape[1],
            "drawn_std": codes.std(0).mean().item(),
            "predicted_std": std.mean().item(),
            "predicted_std_of_few": std[:few].mean().item(),
            "damaged_std": stds[params.damage][-1],
            "aggregate_std": aggregate.std(0).mean().item(),
            "aggregate_same_kind": same_kind(aggregate, prior),
            "prior_same_kind": same_kind(torch.randn(mu.shape, generator=g).to(mu), prior),
            "kl_nats": kl_to_prior(mu, 2 * std.log()).mean().item(),
        },
        figures=figures,
    )

r"""Trained with a misspelt KL, a VAE loses its noise, and its pictures do not show it.

**Two losses.** Both are the cross-entropy of the pixels, summed, plus a term that should be the KL
from the posterior N(mu, diag(std^2)) to the prior N(0, I), summed over the latents:

    closed    1/2  sum(mu^2 + std^2 - 1 - log std^2)
    mixed    -1/2  sum(1 + std^2 - mu^2 - exp(std))         the source's code

`mixed` is what is left of the logvar form when std is written for logvar in one place and std^2
in another. What does each ask of a single std? Differentiate:

    d closed / d std = std - 1/std           zero at std = 1: the prior
    d mixed  / d std = exp(std)/2 - std      never below .307: smaller, please

The reconstruction wants a small std as well, since noise in z blurs pictures. With the closed form
the two pull against each other, which is the point of a VAE. With the mixed one nobody pulls back:
std goes to zero and q to a point, whose true KL to the prior has no bound, as -log std grows for
ever. What is left is an autoencoder without noise, kept near the origin by the surviving mu^2.

Without noise it rebuilds digits *better*. So the reconstructions, the first thing that one looks
at, speak for the bug; the KL and the ELBO, computed by the right formula on unseen digits, do not.

Source: notes on digits and faces, the code of the cards on the VAE's loss; Kingma and Welling
(2014), Auto-encoding variational Bayes, appendix B.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.training import train

NEEDS = ("digits",)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    kl: Literal["closed", "mixed", "none"] = "mixed"  # of the rival; the first VAE has "closed"
    latent: int = 20
    steps: int = 400  # of each VAE; 0 leaves both as they were initialised


def kl_term(kl: str, mu: Tensor, std: Tensor) -> Tensor:
    """What a loss adds for the posterior, rightly or not: nats, `(N, D)` summed to `(N,)`."""
    match kl:
        case "mixed":
            return -0.5 * (1 + std**2 - mu**2 - std.exp()).sum(1)
        case "none":
            return torch.zeros_like(mu).sum(1)
    return 0.5 * (mu**2 + std**2 - 1 - (std**2).log()).sum(1)


class VAE(nn.Module):
    """784 -> 128 -> mu and log std of `latent` numbers; z -> 128 -> 784 logits."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, 784)` pictures to means and standard deviations, `(N, latent)` each."""
        mu, log_std = self.encoder(x).chunk(2, dim=1)
        return mu, log_std.exp()

    def decode(self, z: Tensor) -> Tensor:
        """`(N, latent)` codes to `(N, 784)` pictures."""
        x_hat: Tensor = self.decoder(z).sigmoid()
        return x_hat

    def forward(self, x: Tensor) -> Tensor:
        """`(N, 784)` pictures to their reconstructions from the posterior's mean."""
        return self.decode(self.encode(x)[0])


class Objective:
    """Summed cross-entropy plus summed KL by one formula: nats, mean over the batch."""

    def __init__(self, kl: str, noise: torch.Generator) -> None:
        self.kl = kl
        self.noise = noise
        self.stds: list[float] = []
        """The mean posterior std of each batch so far."""

    def __call__(self, model: VAE, x: Tensor) -> Tensor:
        """The loss on a batch `(N, 784)`."""
        mu, std = model.encode(x)
        self.stds.append(std.mean().item())
        z = mu + std * torch.randn(mu.shape, generator=self.noise).to(mu)
        bce = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
        return (bce + kl_term(self.kl, mu, std).sum()) / len(x)


def fit(kl: str, model: VAE, x: Tensor, steps: int, lab: Lab) -> list[float]:
    """Train with one formula on the same batches and noise as any other; the stds on the way."""
    objective = Objective(kl, lab.generator("noise"))
    train(
        model,
        objective,
        x,
        steps=steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), lr=4e-3, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    return objective.stds


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the right formula and the eye say of a VAE, on unseen digits."""

    std: float  # mean over digits and latents
    kl: float  # true KL, nats a digit
    loss: float  # negative ELBO, nats a digit
    mse: float  # of the reconstruction from mu, mean over pixels


@torch.no_grad()
def judge(model: VAE, x: Tensor, lab: Lab) -> Judgement:
    """Measure on pictures `(N, 784)`, whatever the model was trained with."""
    mu, std = model.encode(x)
    kl = kl_term("closed", mu, std).mean().item()
    loss = Objective("closed", lab.generator("judge"))(model, x).item()
    return Judgement(std.mean().item(), kl, loss, metrics.mse(model(x), x))


@torch.no_grad()
def pictures(models: dict[str, VAE], x: Tensor, z: Tensor) -> Images:
    """Ten digits `(10, 784)`, rebuilt by each VAE, and ten codes `(10, latent)` decoded by each."""
    rows = {"original": x}
    rows |= {f"{name}: rebuilt": model(x) for name, model in models.items()}
    rows |= {f"{name}: sampled": model.decode(z) for name, model in models.items()}
    return Images(
        "Unseen digits rebuilt, and samples of the prior decoded: the rival rebuilds no worse, "
        "often more sharply. The bug is not in the pictures, it is in the numbers.",
        torch.stack(list(rows.values())).unflatten(-1, (28, 28)).cpu(),
        rows=list(rows),
    )


def run(params: Params, lab: Lab) -> Result:
    """Train two VAEs that differ in the KL alone, and judge both by the true one."""
    digits = lab.data("digits")
    x_train, x_test = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test))
    model = VAE(params.latent).to(lab.device)
    models = {"closed": model, f"rival ({params.kl})": copy.deepcopy(model)}
    stds = {
        name: fit(kl, models[name], x_train, params.steps, lab)
        for name, kl in zip(models, ("closed", params.kl), strict=True)
    }
    closed, rival = (judge(model, x_test, lab) for model in models.values())

    z = torch.randn(10, params.latent, generator=lab.generator("prior")).to(lab.device)
    figures: dict[str, Figure] = {"digits": pictures(models, x_test[:10], z)}
    if params.steps:
        figures["std"] = Curves(
            "With the closed form the posterior keeps its noise. With the mixed one it shrinks to "
            "some thousandths of the prior's width; with more steps, further.",
            x=range(params.steps),
            lines=stds,
            x_label="step",
            y_label="mean posterior std",
            log_y=True,
        )
    return Result(
        metrics={
            "closed_std": closed.std,
            "rival_std": rival.std,
            "closed_kl_nats": closed.kl,
            "rival_kl_nats": rival.kl,
            "closed_loss_nats": closed.loss,
            "rival_loss_nats": rival.loss,
            "closed_mse": closed.mse,
            "rival_mse": rival.mse,
        },
        figures=figures,
    )

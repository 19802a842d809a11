r"""In a map of 35^3 voxels one word of the loss is a factor of 42,875, and decides over collapse.

**Two terms.** A density map x has P = 35^3 = 42,875 voxels, standardised: mean 0, variance 1. Of a
VAE's loss

    loss = error(x_hat, x) + beta * KL(q(z|x) || N(0, I))        a mean over maps; KL in nats

the error is either averaged over the P voxels or summed. Averaged, all there is to be gained by
encoding anything is 1, the variance; summed it is 42,875. Codes are paid for in nats, and what can
be said of a protein's density takes over a thousand of them.

**The same factor by hand.** With `reduction="sum"` PyTorch sums over *all* axes, so that for a
batch of N maps with c channels it gives P c N times the mean, not P times. Here a batch's sum is
divided by N.

**Which term has its way.** The sources compare values: 40,000 against 100. What moves a weight is
the gradient, and a term may be large and have next to none. `pull` is the length of the error's
gradient over that of the KL's, in the encoder's weights, the only ones that both terms reach.

**The network** is convolutions throughout: two halvings, 35 -> 18 -> 9, then four latents at each
of the 9^3 places, 2,916 in all, and the same way back. Its last layer adds one number to all
voxels, so that even the mean map must come through it.

**Judged** on maps that it was not trained on, by the explained variance

    EV = 1 - MSE / MSE of the mean map

beside the mean map (EV 0) and a map shrunk to 14^3 = 2,744 voxels and enlarged again, which takes
nearly as many numbers as there are latents, and no training.

Source: notes on density maps; Lucas et al. (2019), Don't blame the ELBO!, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.metrics import mse
from vaeflash.lab.networks import reparameterize
from vaeflash.lab.training import train

NEEDS = ("molecules",)
MAPS, UNSEEN = 192, 48
SHRUNK = 14
"""Side of a map with nearly as many voxels as the network has latents."""
ACTIVE = 0.01
"""Variance over maps from which on a posterior's mean counts as active (Burda et al., 2016)."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    reduction: Literal["sum", "mean"] = "sum"  # of the error, over the voxels of a map
    times: float = 1.0  # a weight of the error, beside its reduction
    beta: float = 1.0  # of the KL
    last: Literal["number", "map"] = "number"  # what is added to the output: the same for all, or
    # a map of its own, which starts as the mean map
    side: int = 35  # to which maps are cut
    batch: int = 4
    lr: float = 5e-3
    steps: int = 200
    prior: float = 100.0  # that the error is to come down to: the sources' value of the KL


class VAE(nn.Module):
    """`(N, 1, 35, 35, 35)` to four latents at each of 9^3 places, and back.

    Args:
        side: Of the maps. Halving rounds up, so the way back must be told whether it was even.
        offset: What is added to the output: `(1,)` or `(1, side, side, side)`.
    """

    def __init__(self, side: int, offset: Tensor) -> None:
        super().__init__()
        half = (side + 1) // 2
        self.encoder = nn.Sequential(
            nn.Conv3d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv3d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv3d(16, 8, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv3d(4, 16, 1),
            nn.ReLU(),
            nn.ConvTranspose3d(16, 8, 3, stride=2, padding=1, output_padding=1 - half % 2),
            nn.ReLU(),
            nn.ConvTranspose3d(
                8, 1, 3, stride=2, padding=1, output_padding=1 - side % 2, bias=False
            ),
        )
        self.offset = nn.Parameter(offset)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps to the posterior's mean and log-variance, `(N, 4, 9, 9, 9)` each."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar.clamp(-10, 10)

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(N, 4, 9, 9, 9)` to maps."""
        x_hat: Tensor = self.decoder(z) + self.offset
        return x_hat


class Objective:
    """The loss of the lesson, and a record of its two terms."""

    def __init__(self, params: Params, noise: torch.Generator) -> None:
        self.params = params
        self.noise = noise
        self.terms: list[tuple[Tensor, Tensor]] = []
        """Of each batch so far: the weighted error and the KL, a map's, mean over the batch."""

    def split(self, model: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted error and the KL in nats, both a mean over maps `(N, 1, S, S, S)`."""
        mu, logvar = model.encode(x)
        x_hat = model.decode(reparameterize(mu, logvar, self.noise))
        return self.error(x_hat, x), kl_to_prior(mu.flatten(1), logvar.flatten(1)).mean()

    def error(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """The weighted squared error with the reduction of the lesson."""
        if self.params.reduction == "sum":
            return self.params.times * F.mse_loss(x_hat, x, reduction="sum") / len(x)
        return self.params.times * F.mse_loss(x_hat, x)

    def __call__(self, model: VAE, x: Tensor) -> Tensor:
        """The loss on the next batch of a training."""
        error, kl = self.split(model, x)
        self.terms.append((error.detach(), kl.detach()))
        return error + self.params.beta * kl


def pull(model: VAE, objective: Objective, x: Tensor) -> float:
    """How hard the error pulls at the encoder, over how hard the KL does: a ratio of lengths."""
    weights = list(model.encoder.parameters())
    error, kl = (
        torch.cat([g.flatten() for g in torch.autograd.grad(term, weights, retain_graph=True)])
        for term in objective.split(model, x)
    )
    ratio: Tensor = error.norm() / kl.norm()
    return ratio.item()


def explained(x_hat: Tensor, x: Tensor, mean: Tensor) -> float:
    """1 - MSE / MSE of the mean map, over maps and voxels."""
    return 1 - mse(x_hat, x) / mse(mean, x)


def shrunk(x: Tensor) -> Tensor:
    """Maps `(N, 1, S, S, S)`, reduced to 14^3 voxels and enlarged again, linearly."""
    small = F.interpolate(x, size=(SHRUNK,) * 3, mode="trilinear")
    return F.interpolate(small, size=x.shape[2:], mode="trilinear")


def late_fall(errors: Tensor) -> float:
    """By which share the error is lower in the last quarter of the steps than in the one before."""
    quarter = len(errors) // 4
    before, last = errors[-2 * quarter : -quarter], errors[-quarter:]
    return 1 - (last.mean() / before.mean()).item() if quarter else float("nan")


def slices(versions: dict[str, Tensor]) -> Images:
    """The middle slices of one map `(S, S, S)` across two axes, for each of some versions of it."""
    middle = [
        torch.stack([x.select(axis, x.shape[axis] // 2) for x in versions.values()])
        for axis in (0, 1)
    ]
    return Images(
        "Middle slices of an unseen map, and what is made of it. In the difference grey is 0.",
        (torch.stack(middle) / 8 + 0.25).clamp(0, 1).cpu(),
        rows=("across z", "across y"),
        columns=list(versions),
    )


def run(params: Params, lab: Lab) -> Result:
    """Weigh the error of a VAE, look at what pulls, train it, and judge it on unseen maps."""
    maps = lab.data("molecules").take(MAPS, UNSEEN)
    x_train, x = (
        part[..., *(slice(params.side),) * 3].to(lab.device) for part in (maps.train, maps.test)
    )
    mean = x_train.mean(0)
    offset = mean[0, None].clone() if params.last == "map" else mean.mean().view(1)
    model = VAE(params.side, offset).to(lab.device)

    objective = Objective(params, lab.generator("noise"))
    first = x_train[: params.batch]
    with torch.no_grad():
        first_error, first_kl = (term.item() for term in objective.split(model, first))
        guess = model.decode(model.encode(first)[0])
        per_voxel = F.mse_loss(guess, first)
        weight = objective.error(guess, first) / per_voxel
        torch_sum = F.mse_loss(guess, first, reduction="sum") / per_voxel
    first_pull = pull(model, objective, x_train[:16])

    train(
        model,
        objective,
        x_train,
        steps=params.steps,
        batch_size=params.batch,
        optimizer=torch.optim.Adam(model.parameters(), params.lr),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    with torch.no_grad():
        mu, logvar = model.encode(x)
        x_hat = model.decode(mu)
        drawn = model.decode(reparameterize(mu, logvar, lab.generator("codes")))
        kl = kl_to_prior(mu.flatten(1), logvar.flatten(1)).mean()

    error, nats = torch.tensor(objective.terms or [(torch.nan, torch.nan)]).T
    versions = {"map": x[0, 0], "rebuilt": x_hat[0, 0], "difference": x[0, 0] - x_hat[0, 0]}
    figures: dict[str, Figure] = {
        "slices": slices(versions | {"14^3 voxels": shrunk(x[:1])[0, 0]}),
    }
    if params.steps:
        figures["terms"] = Curves(
            "Both terms while training. Summed, the error stays the larger one, and the KL shapes "
            "the codes all the same: what moves weights are gradients.",
            x=range(0, params.steps, 4),
            lines={"error": error[::4], "KL, nats": nats[::4]},
            x_label="step",
            y_label="in the loss",
            log_y=True,
        )
    return Result(
        metrics={
            "voxels": x[0].numel(),
            "weight": weight.item(),
            "torch_sum_over_mean": torch_sum.item(),
            "first_error": first_error,
            "first_kl_nats": first_kl,
            "parity_factor": first_error / params.prior,
            "first_pull": first_pull,
            "end_pull": pull(model, objective, x_train[:16]),
            "latents": mu[0].numel(),
            "active": int((mu.var(0) > ACTIVE).sum()),
            "kl_nats": kl.item(),
            "mse": mse(x_hat, x),
            "sampled_mse": mse(drawn, x),
            "mean_map_mse": mse(mean, x),
            "ev": explained(x_hat, x, mean),
            "sampled_ev": explained(drawn, x, mean),
            "shrunk_ev": explained(shrunk(x), x, mean),
            "late_fall": late_fall(error),
        },
        figures=figures,
    )

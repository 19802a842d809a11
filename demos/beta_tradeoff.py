r"""A larger beta buys a smaller KL and pays for it in reconstruction error, at the price beta.

**The objective** of a beta-VAE, with R the KL and E the squared error of a picture,

    loss = E + beta R        E: summed over P pixels;  R: nats, summed over D latents

is the Lagrangian of a trade. R is the *rate*: how many nats of a picture go through the code. E is
the *distortion*. Minimising their sum minimises neither.

**The price.** Let (R1, E1) be the best at beta = b1, and (R2, E2) at b2 > b1. Each is the best at
its own price, so

    E1 + b1 R1 <= E2 + b1 R2        E2 + b2 R2 <= E1 + b2 R1

and adding the two gives (b2 - b1)(R1 - R2) >= 0: the dearer rate is the smaller one. Then by the
first line E1 <= E2. And together

    b1  <=  (E2 - E1) / (R1 - R2)  <=  b2:

between two betas a nat of code buys as much error as it costs. No network occurs in this. What is
assumed is that training has found the best, and this one stops after 250 steps.

**When the KL matters.** At the optimum the sum does not change with the weights, so the gradients
of E and of beta R are opposite and *equally long*, however different the two numbers are.

**Which beta is right** the unit of E decides. E + beta R is the negative ELBO of Gaussian pixels
with variance beta / 2. The variance is a belief about the pixels, and the size of the picture does
not change it, but it does change E: small pictures have less to say, and beta = 1 silences more.

Source: Higgins et al. (2017), beta-VAE, eq. 4; Alemi et al. (2018), Fixing a broken ELBO, section
3; Bowman et al. (2016), Generating sentences from a continuous space, section 3.1, for the warm-up;
notes on density maps and on digits and faces.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.elbo import kl_per_dimension, kl_to_prior
from vaeflash.lab.linear import fit_pca, surviving_directions
from vaeflash.lab.networks import reparameterize
from vaeflash.lab.training import train

NEEDS = ("digits",)
BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    same: bool = False  # all VAEs at beta = 1 instead
    warmup: int = 125  # steps in which the sixth VAE's beta rises from 0 to 1
    side: int = 28  # of the digits: 28, or averaged down to 14 or 7
    latent: int = 16
    steps: int = 250
    lr: float = 4e-3


class VAE(nn.Module):
    """P -> 128 -> mu and logvar of `latent` numbers; z -> 128 -> P brightnesses."""

    def __init__(self, pixels: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, pixels))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, P)` pictures to means and log-variances, `(N, latent)` each."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar


def terms(model: VAE, x: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """E and R on pictures `(N, P)`: summed over pixels, over latents; mean over N."""
    mu, logvar = model.encode(x)
    x_hat = model.decoder(reparameterize(mu, logvar, noise))
    return (x_hat - x).square().sum(1).mean(), kl_to_prior(mu, logvar).mean()


class Objective:
    """E + beta R, and a record of both on the way."""

    def __init__(self, beta: float, warmup: int, noise: torch.Generator) -> None:
        self.beta = beta
        self.warmup = warmup
        self.noise = noise
        self.terms: list[tuple[float, float]] = []

    def __call__(self, model: VAE, x: Tensor) -> Tensor:
        """The loss on the next batch of a training."""
        warm = min(1.0, len(self.terms) / self.warmup) if self.warmup else 1.0
        error, rate = terms(model, x, self.noise)
        self.terms.append((error.item(), rate.item()))
        return error + warm * self.beta * rate


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A VAE, and what it does with unseen pictures."""

    model: VAE
    terms: Tensor  # (steps, 2), E and R of each batch
    error: float  # E, summed over pixels
    rate: float  # R, nats
    mse: float  # from mean codes, mean over pixels
    kl: Tensor  # (D,), nats

    @property
    def active(self) -> int:
        """Latents that carry more than a twentieth of a nat."""
        return int((self.kl > 0.05).sum())


def fit(
    start: VAE, beta: float, warmup: int, data: tuple[Tensor, Tensor], params: Params, lab: Lab
) -> Trained:
    """Train a copy of `start` on the first of two sets of pictures, judge it on the second."""
    x_train, x = data
    model = copy.deepcopy(start)
    objective = Objective(beta, warmup, lab.generator("noise"))
    train(
        model,
        objective,
        x_train,
        steps=params.steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.lr, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    with torch.no_grad():
        error, rate = (term.item() for term in terms(model, x, lab.generator("judge")))
        mu, logvar = model.encode(x)
        mse = metrics.mse(model.decoder(mu), x)
    record = torch.tensor(objective.terms or [(torch.nan, torch.nan)])
    return Trained(model, record, error, rate, mse, kl_per_dimension(mu, logvar).detach())


def pull(model: VAE, x: Tensor, lab: Lab) -> float:
    """How hard R pulls at the encoder's last layer, over how hard E does: a ratio of norms."""
    heads = list(model.encoder[-1].parameters())
    error, rate = (
        torch.cat([g.flatten() for g in torch.autograd.grad(term, heads, retain_graph=True)])
        for term in terms(model, x, lab.generator("pull"))
    )
    ratio: Tensor = rate.norm() / error.norm()
    return ratio.item()


@torch.no_grad()
def travelled(trained: Trained, latent: int) -> Tensor:
    """What decoding sees when one latent goes from -2 to 2, the others at 0: `(7, P)`."""
    z = torch.zeros(7, len(trained.kl)).to(trained.kl)
    z[:, latent] = torch.linspace(-2, 2, 7)
    x_hat: Tensor = trained.model.decoder(z)
    return x_hat


@torch.no_grad()
def drawn(trained: Trained, n: int, lab: Lab) -> Tensor:
    """`n` codes of the prior decoded, the same codes for every VAE: `(n, P)`."""
    z = torch.randn(n, len(trained.kl), generator=lab.generator("prior")).to(trained.kl)
    x_hat: Tensor = trained.model.decoder(z)
    return x_hat


def pictures(rows: dict[str, Tensor], side: int, caption: str) -> Images:
    """Rows of pictures `(n, P)`."""
    stacked = torch.stack(list(rows.values())).unflatten(-1, (side, side))
    return Images(caption, stacked.clamp(0, 1).cpu(), rows=list(rows))


def sweep_figures(vaes: list[Trained], predicted: list[int]) -> dict[str, Figure]:
    """What there is to see over the betas."""
    order = sorted(vaes, key=lambda one: one.rate)
    return {
        "price": Curves(
            "Error over rate, one point a beta, from the dearest code at the left. The slope "
            "between two points lies between their betas.",
            x=[one.rate for one in order],
            lines={"unseen digits": [one.error for one in order]},
            x_label="KL, nats",
            y_label="squared error, summed",
        ),
        "active": Curves(
            "Latents in use over beta: counted, and how many directions of the pictures a linear "
            "VAE would keep. The formula is exact for linear networks only.",
            x=BETAS,
            lines={
                "counted": [one.active for one in vaes],
                "linear theory": predicted,
            },
            x_label="beta",
            y_label="latents",
            log_x=True,
        ),
        "latents": Curves(
            "KL of each latent, sorted, at each beta. A larger beta does not thin all of them "
            "alike: it switches latents off.",
            x=range(1, len(vaes[0].kl) + 1),
            lines={
                f"beta {beta:g}": one.kl.sort(descending=True).values.cpu()
                for beta, one in zip(BETAS, vaes, strict=True)
            },
            x_label="latent, sorted",
            y_label="KL, nats",
        ),
    }


def run(params: Params, lab: Lab) -> Result:
    """Train VAEs from the same weights at five betas, and one with a warm-up."""
    digits = lab.data("digits")
    x_train, x = (
        F.adaptive_avg_pool2d(part, params.side).flatten(1).to(lab.device)
        for part in (digits.train, digits.test[:1_000])
    )
    start = VAE(x.shape[1], params.latent).to(lab.device)
    betas = [1.0 if params.same else beta for beta in BETAS]
    vaes = [fit(start, beta, 0, (x_train, x), params, lab) for beta in betas]
    at_01, at_03, at_1, at_3, at_10 = vaes
    warm = fit(start, 1.0, params.warmup, (x_train, x), params, lab)

    travels = [travelled(at_3, latent) for latent in at_3.kl.argsort(descending=True)]
    changes = [travel.var(0).sum().sqrt().item() for travel in travels]
    samples = {beta: drawn(one, 200, lab) for beta, one in zip(BETAS, vaes, strict=True)}
    spread = {beta: sample.var(0).sum().item() for beta, sample in samples.items()}
    first, late = at_1.terms[0], at_1.terms[-20:].mean(0)
    variances = fit_pca(x_train, params.latent).eigenvalues
    predicted = [surviving_directions(variances, 0.5, beta) for beta in betas]  # E: variance 1/2

    figures = sweep_figures(vaes, predicted)
    figures["samples"] = pictures(
        {"digits": x[:10]} | {f"beta {b:g}": samples[b][:10] for b in (0.1, 1.0, 10.0)},
        params.side,
        "Codes of the prior decoded, the same ten for each beta. Cheap codes fill places where the "
        "prior never looked; dear ones leave little to draw but the mean.",
    )
    figures["traversals"] = pictures(
        {f"latent {i + 1}": travels[i] for i in (0, 1, 2, len(travels) - 1)},
        params.side,
        "At beta = 3: three latents that are in use, and the one that carries least, each taken "
        "from -2 to 2. A latent at the prior is one that the decoder does not read.",
    )
    if params.steps:
        figures["terms"] = Curves(
            "Both terms while training at beta = 1, and the KL with a warm-up. The error falls "
            "because the KL rises: what is learned goes through the code.",
            x=range(params.steps),
            lines={
                "error": at_1.terms[:, 0],
                "KL": at_1.terms[:, 1],
                "KL, warmed up": warm.terms[:, 1],
            },
            x_label="step",
            y_label="in the loss",
            log_y=True,
        )
    return Result(
        metrics={
            "kl_01_nats": at_01.rate,
            "kl_03_nats": at_03.rate,
            "kl_1_nats": at_1.rate,
            "kl_3_nats": at_3.rate,
            "kl_10_nats": at_10.rate,
            "error_01": at_01.error,
            "error_03": at_03.error,
            "error_1": at_1.error,
            "error_3": at_3.error,
            "error_10": at_10.error,
            "active_01": at_01.active,
            "active_1": at_1.active,
            "active_3": at_3.active,
            "active_10": at_10.active,
            "predicted_1": predicted[2],
            "predicted_3": predicted[3],
            "predicted_10": predicted[4],
            "unexplained_1": at_1.mse / metrics.mse(x_train.mean(0), x),
            "first_error": first[0].item(),
            "first_kl_nats": first[1].item(),
            "late_error": late[0].item(),
            "late_kl_nats": late[1].item(),
            "first_pull": pull(start, x_train, lab),
            "late_pull": pull(at_1.model, x_train, lab),
            "warm_kl_nats": warm.rate,
            "warm_error": warm.error,
            "warm_highest_kl_nats": warm.terms[:, 1].max().item(),
            "highest_kl_nats": at_1.terms[:, 1].max().item(),
            "largest_travel": changes[0],
            "smallest_travel": changes[-1],
            "spread_01": spread[0.1],
            "spread_1": spread[1.0],
            "spread_10": spread[10.0],
            "data_spread": x.var(0).sum().item(),
        },
        figures=figures,
    )

r"""Averaged over its pixels, a VAE's error is not worth a code, and the codes die of that.

**Two terms.** A picture has P pixels, its code D numbers. The source's loss averages the error
over the pixels and sums the KL over the latents:

    loss = 1/P * error(x_hat, x)  +  beta * KL(q(z|x) || N(0, I))       error: summed over P

Summed, the error of a digit is some 50 (squared error) or 200 nats (cross-entropy); averaged,
.07 or .27. That is all there is to be gained by knowing which digit it was. A code costs nats.

**What a nat buys.** By Hoeffding's lemma, whoever learns R nats about a number in [a, b] shifts its
mean by at most (b - a) sqrt(R / 2). A picture in [0, 1]^P, seen along any direction, has a range of
at most sqrt(P), so a code worth R nats moves the best answer by at most sqrt(P R / 2), which
lowers the averaged squared error by at most

    1/P * P R / 2  =  R / 2.

One nat of KL buys half a unit of loss at the very best, with pictures whose pixels all flip
together. So for *every* data set in [0, 1] and *every* network the best code at beta > 1/2 is none.
The averaged cross-entropy gains at most R, by the data processing inequality: no profit either.

**What is seen then.** The posterior is the prior for every picture: mu = 0, std = 1, KL = 0, the
latents have *collapsed*. The decoder sees noise, learns to ignore it, and answers every picture
with the best constant, the mean image. It is where this loss is smallest, not a trap on the way:
a VAE that was well trained with the summed error goes there too, once its loss is averaged.

Source: notes on digits and faces, the code of the card on the VAE's loss; notes on density maps;
Hoeffding (1963), Probability inequalities for sums of bounded random variables, eq. 4.16; Lucas et
al. (2019), Don't blame the ELBO!
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
from vaeflash.lab.codes import knn_accuracy
from vaeflash.lab.elbo import kl_per_dimension, kl_to_prior
from vaeflash.lab.networks import reparameterize
from vaeflash.lab.training import train

NEEDS = ("digits",)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    error: Literal["mse", "bce"] = "mse"
    reduction: Literal["mean", "sum"] = "mean"  # over pixels, of the loss that is judged
    beta: float = 1.0  # weight of the KL in that loss
    warmup: int = 0  # steps in which that weight rises from 0
    # Pixels in [0, 1]; each pixel with mean 0 and variance 1; pictures all black or all white.
    data: Literal["digits", "standardised", "flips"] = "digits"
    latent: int = 20
    steps: int = 250


class VAE(nn.Module):
    """P -> 128 -> mu and logvar of `latent` numbers; z -> 128 -> P outputs, no sigmoid."""

    def __init__(self, pixels: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, pixels))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, P)` pictures to means and log-variances, `(N, latent)` each."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar


class Objective:
    """The loss of the lesson, and a record of its two terms: a mean over the batch."""

    def __init__(self, params: Params, noise: torch.Generator) -> None:
        self.params = params
        self.noise = noise
        self.terms: list[tuple[float, float]] = []
        """Of each batch so far: the error, summed or averaged over pixels, and beta * KL."""

    def split(self, model: VAE, x: Tensor, beta: float) -> tuple[Tensor, Tensor]:
        """Both terms on a batch `(N, P)`."""
        mu, logvar = model.encode(x)
        y = model.decoder(reparameterize(mu, logvar, self.noise))
        if self.params.error == "bce":
            errors = F.binary_cross_entropy_with_logits(y, x, reduction="none")
        else:
            errors = (y - x).square()
        error = errors.sum(1).mean() if self.params.reduction == "sum" else errors.mean()
        return error, beta * kl_to_prior(mu, logvar).mean()

    def __call__(self, model: VAE, x: Tensor) -> Tensor:
        """The loss on the next batch of a training."""
        warm = min(1.0, len(self.terms) / self.params.warmup) if self.params.warmup else 1.0
        error, kl = self.split(model, x, warm * self.params.beta)
        self.terms.append((error.item(), kl.item()))
        return error + kl


def fit(model: VAE, params: Params, x: Tensor, lab: Lab) -> list[tuple[float, float]]:
    """Train on the same batches and noise as any other; the two terms on the way."""
    objective = Objective(params, lab.generator("noise"))
    train(
        model,
        objective,
        x,
        steps=params.steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), lr=4e-3, fused=True),
        generator=lab.generator("batches"),
        track=lab.track,
    )
    return objective.terms


def pictures(data: str, x_train: Tensor, x_test: Tensor, g: torch.Generator) -> list[Tensor]:
    """The training and the unseen pictures `(N, P)`, as the lesson wants them."""
    both = [x_train, x_test]
    match data:
        case "flips":
            halves = [torch.randint(2, (len(x), 1), generator=g) for x in both]
            return [half.expand(-1, x.shape[1]).to(x) for half, x in zip(halves, both, strict=True)]
        case "standardised":
            std, mean = torch.std_mean(x_train, 0)
            busy = std > 0.25  # pixels at the rim are nearly always black
            return [((x - mean) / std)[:, busy] for x in both]
    return both


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a VAE does with unseen pictures."""

    mu: Tensor  # (N, D)
    codes: Tensor  # (N, D), drawn
    kl: Tensor  # (D,), nats, mean over pictures
    x_hat: Tensor  # (N, P), from the posterior's mean


@torch.no_grad()
def judge(model: VAE, error: str, x: Tensor, lab: Lab) -> Judgement:
    """Encode and rebuild pictures `(N, P)`."""
    mu, logvar = model.encode(x)
    codes = reparameterize(mu, logvar, lab.generator("codes"))
    y = model.decoder(mu)
    x_hat = y.sigmoid() if error == "bce" else y
    return Judgement(mu, codes, kl_per_dimension(mu, logvar), x_hat)


@torch.no_grad()
def mean_loss(model: VAE, params: Params, x: Tensor, lab: Lab) -> float:
    """The loss of the lesson on unseen pictures, whatever the model was trained with."""
    error, kl = Objective(params, lab.generator("judge")).split(model, x, params.beta)
    return (error + kl).item()


def pull(model: VAE, params: Params, x: Tensor, lab: Lab) -> float:
    """How hard the KL pulls at the encoder, over how hard the error does: a ratio of norms."""
    terms = Objective(params, lab.generator("pull")).split(model, x, params.beta)
    weights = list(model.encoder.parameters())
    error, kl = (torch.autograd.grad(term, weights, retain_graph=True) for term in terms)
    return (length(kl) / length(error)).item()


def length(gradient: tuple[Tensor, ...]) -> Tensor:
    """Euclidean norm over all weights together."""
    norm: Tensor = torch.cat([part.flatten() for part in gradient]).norm()
    return norm


def code_accuracy(codes: Tensor, labels: Tensor) -> float:
    """How often the digit of a drawn code is that of most of the 15 nearest; chance is .1."""
    codes, half = codes.cpu(), len(codes) // 2
    return knn_accuracy(codes[:half], labels[:half], codes[half:], labels[half:])


def rebuilt(x: Tensor, healthy: Judgement, judged: Judgement, switched: Judgement) -> Images:
    """Ten unseen digits, and what each VAE makes of them."""
    rows = {
        "original": x,
        "summed": healthy.x_hat,
        "judged": judged.x_hat,
        "switched": switched.x_hat,
    }
    return Images(
        "Unseen digits rebuilt by a VAE with a summed error, by one with the loss that is judged, "
        "and by the first after its loss was switched. Collapsed: one grey answer for all.",
        torch.stack([row[:10] for row in rows.values()]).unflatten(-1, (28, 28)).clamp(0, 1).cpu(),
        rows=list(rows),
    )


def run(params: Params, lab: Lab) -> Result:
    """Train with a summed error, train with the judged loss, and switch from one to the other."""
    digits = lab.data("digits")
    x_train, x = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test[:1_000]))
    x_train, x = pictures(params.data, x_train, x, lab.generator("flips"))
    labels = digits.test_labels[:1_000]
    summed = Params(params.error, "sum", latent=params.latent, steps=params.steps)

    model = VAE(x.shape[1], params.latent).to(lab.device)
    kl_pull = pull(model, params, x_train[:1_000], lab)
    judged_model = copy.deepcopy(model)
    healthy_terms = fit(model, summed, x_train, lab)
    judged_terms = fit(judged_model, params, x_train, lab)
    healthy, judged = (judge(one, params.error, x, lab) for one in (model, judged_model))
    healthy_loss, judged_loss = (mean_loss(m, params, x, lab) for m in (model, judged_model))
    switched_terms = fit(model, params, x_train, lab)
    switched = judge(model, params.error, x, lab)

    error, kl = torch.tensor(judged_terms or [(torch.nan, torch.nan)]).T
    figures: dict[str, Figure] = {
        "latents": Curves(
            "KL of each latent on unseen pictures, sorted. With the summed error some carry much "
            "and some little; with the judged loss, if it collapses, none carries anything.",
            x=range(1, params.latent + 1),
            lines={
                "summed": healthy.kl.sort(descending=True).values.cpu(),
                "judged": judged.kl.sort(descending=True).values.cpu(),
            },
            x_label="latent, sorted",
            y_label="KL, nats",
        ),
    }
    if params.data == "digits":
        figures["digits"] = rebuilt(x, healthy, judged, switched)
    if params.steps:
        kls = {"summed": healthy_terms, "judged": judged_terms, "switched": switched_terms}
        figures["kl"] = Curves(
            "The KL term while training. A loss that averages the error drives it to zero, from "
            "fresh weights as from those of a VAE that has learned its digits.",
            x=range(params.steps),
            lines={name: [term[1] for term in terms] for name, terms in kls.items()},
            x_label="step",
            y_label="beta * KL, nats",
            log_y=True,
        )
        figures["terms"] = Curves(
            "Both terms of the judged loss. The error is the larger one nearly all the time, and "
            "stays where the mean image has it: the larger number does not pull the harder.",
            x=range(params.steps),
            lines={
                "error": error,
                "beta * KL": kl,
                "mean image": [metrics.mse(x_train.mean(0), x)] * params.steps,
            },
            x_label="step",
            y_label="in the loss",
            log_y=True,
        )
    return Result(
        metrics={
            "kl_nats": judged.kl.sum().item(),
            "mse": metrics.mse(judged.x_hat, x),
            "mean_image_mse": metrics.mse(x_train.mean(0), x),
            "output_std": judged.x_hat.std(0).mean().item(),
            "output_size": judged.x_hat.abs().mean().item(),
            "healthy_kl_nats": healthy.kl.sum().item(),
            "healthy_loss": healthy_loss,
            "loss": judged_loss,
            "switched_kl_nats": switched.kl.sum().item(),
            "first_error": error[0].item(),
            "first_kl": kl[0].item(),
            "kl_pull": kl_pull,
            "error_leads_share": (error > kl).float().mean().item(),
            "code_accuracy": code_accuracy(judged.codes, labels),
        },
        figures=figures,
    )

r"""A VAE rebuilds unseen faces from 64 numbers, better than 64 eigenfaces, and none is the glasses.

**Faces whose factors are known.** The portraits are drawn: skin, hair, width of the head, glasses
and a dozen more are numbers. So there is a right answer where photographs have none: what the same
person looks like with glasses, or the person halfway between two others.

**The network.** The principal axes of the training portraits are the *eigenfaces*. They are
orthonormal, so a squared error of a face's coordinates on them is one of its pixels, and the VAE
may work on 256 coordinates in place of 3 x 64 x 64 = 12,288 numbers:

    c (256) -> 512 -> 512 -> mu, log std (64)        z (64) -> 512 -> 512 -> c_hat (256)

**The objective**, nats a face, mean over the batch:

    16 |c_hat - c|^2 + KL(q(z|c) || N(0, I))

The 16 is the size of the picture. At 256 x 256 the source sums squares over 196,608 numbers. The
same difference to the eye sums to 16 times less at 64 x 64, and the KL does not shrink.

**What is asked of the codes.** Do 64 of them rebuild unseen faces better than 64 eigenfaces? Is one
of the 64 the glasses: how much of the glasses' variance does the best single number explain, and
how much a direction of several? Is the code halfway between two faces the face halfway? And does a
draw from the prior look like the faces? It should if all codes together, the aggregate posterior,
were distributed as the prior is.

`--set size=full` trains the source's network of 63 million weights at 256 x 256; `--set faces=DIR`
takes photographs in two folders, `glasses` and `no_glasses`.

Source: notes on digits and faces, the chapter's face VAE; Turk and Pentland (1991), Eigenfaces for
recognition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from vaeflash.card import Value
from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.codes import active_units, aggregate
from vaeflash.lab.elbo import kl_per_dimension
from vaeflash.lab.face_networks import Eigenfaces
from vaeflash.lab.people import Factors, sample
from vaeflash.lab.portraits import draw
from vaeflash.lab.samples import diversity, sharpness

from ._faces import Recipe, Size, Trained, Weight, difference_of_means, shown, trained

NEEDS = ("faces",)
GRADUAL = ("skin", "length", "fringe", "width", "height", "yaw", "smile", "mouth", "eyes", "brows")
"""Factors that have a middle."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    size: Size = "small"
    faces: str = "portraits"
    epochs: int = 16
    weight: Weight = "as_at_256"  # of the summed squared error: 16 at 64 x 64, or 1
    eigenfaces: int = 64  # how many the VAE is compared with
    units: Literal["as_trained", "turned"] = "as_trained"  # turned: one of them along the glasses
    apart: float = 1.0  # how far the two people are, whose middle is looked for; at 0 they are one
    samples: Literal["prior", "fitted", "centre"] = "prior"  # where sampled codes come from


def by_eigenfaces(eigenfaces: Eigenfaces, x: Tensor, count: int) -> Tensor:
    """Pictures `(N, 3, S, S)` rebuilt from their first coordinates alone."""
    coordinates = eigenfaces.project(x)
    coordinates[:, count:] = 0
    return eigenfaces.restore(coordinates).clamp(0, 1)


# Units and directions


def explained(numbers: Tensor, glasses: Tensor) -> Tensor:
    """Which share of the glasses' variance each number explains: R^2, `(N, D)` to `(D,)`."""
    x = numbers.double() - numbers.double().mean(0)
    y = glasses.double() - glasses.double().mean()
    shares: Tensor = (y @ x).square() / (x.square().sum(0) * y.square().sum())
    return shares


def turned(codes: Tensor, direction: Tensor) -> Tensor:
    """Codes `(N, D)` mirrored so that the first axis lies along a direction `(D,)`."""
    axis = torch.zeros_like(direction)
    axis[0] = 1
    normal = direction / direction.norm() - axis
    normal = normal / normal.norm()
    mirrored: Tensor = codes - 2 * (codes @ normal)[:, None] * normal
    return mirrored


# Halfway


@dataclass(frozen=True, slots=True, eq=False)
class Couples:
    """N times two people who differ in gradual factors alone.

    Attributes:
        first: All factors of the one.
        other: Who gives the second person the gradual ones; the rest is the first's.
    """

    first: Factors
    other: Factors

    def between(self, t: float) -> Factors:
        """The people on the way from the first (0) to the other (1)."""
        ways = {
            name: torch.lerp(getattr(self.first, name), getattr(self.other, name), t)
            for name in GRADUAL
        }
        return replace(self.first, **ways)


def couples(n: int, g: torch.Generator) -> Couples:
    """Draw n couples."""
    return Couples(sample(n, g), sample(n, g))


def halfway(fit: Trained, pairs: Couples, apart: float, side: int) -> dict[str, float]:
    """Three guesses at the person between: MSE to the true picture, mean over pictures and pixels.

    Args:
        apart: Where on the way from the first to the other the second person stands.
    """
    decode = fit.network.decode
    a, b, truth = (draw(pairs.between(t), side).to(fit.mu) for t in (0.0, apart, apart / 2))
    za, zb, z = (fit.network.encode(x)[0] for x in (a, b, truth))
    return {
        "middle_by_codes_mse": metrics.mse(decode((za + zb) / 2), truth),
        "middle_by_pictures_mse": metrics.mse((decode(za) + decode(zb)) / 2, truth),
        "middle_rebuilt_mse": metrics.mse(decode(z), truth),
    }


# Samples


def codes_to_sample(source: str, fit: Trained, n: int, g: torch.Generator) -> Tensor:
    """Codes `(n, D)`: of the prior, of a Gaussian with the codes' own moments, or all 0."""
    if source == "fitted":
        return aggregate(fit.mu, fit.logvar).sample(n, g)
    z = torch.randn(n, fit.mu.shape[1], generator=g).to(fit.mu)
    return z if source == "prior" else torch.zeros_like(z)


# Figures


def rebuilt_faces(fit: Trained, count: int) -> Images:
    """Unseen faces, and two ways to rebuild them."""
    x = fit.faces.test[:9]
    rows = {
        "unseen": x,
        "VAE": fit.network(x),
        f"{count} eigenfaces": by_eigenfaces(fit.eigenfaces, x, count),
    }
    return Images(
        "Unseen faces, rebuilt by the VAE and from as many eigenfaces. Glasses survive; smiles, "
        "of few pixels, hardly do.",
        shown(torch.stack(list(rows.values()))),
        rows=list(rows),
    )


def on_the_way(fit: Trained, pairs: Couples, side: int) -> Images:
    """From one person to another, of the couple who look furthest apart: two ways and the truth."""
    most = (pairs.first.yaw - pairs.other.yaw).abs().argmax()[None]
    pair = Couples(pairs.first[most], pairs.other[most])
    steps = torch.linspace(0, 1, 7).tolist()
    truth = torch.cat([draw(pair.between(t), side) for t in steps]).to(fit.mu)
    codes = fit.network.encode(truth)[0]
    ways = [torch.lerp(codes[0], codes[-1], t) for t in steps]
    ends = fit.network.decode(codes[[0, -1]])
    rows = {
        "through codes": fit.network.decode(torch.stack(ways)),
        "by fading": torch.stack([torch.lerp(ends[0], ends[1], t) for t in steps]),
        "the truth": truth,
    }
    return Images(
        "From one person to another. The way through the codes is not much better than a fade: "
        "long hair pales where it should get shorter, as in the last row, drawn factor by factor.",
        shown(torch.stack(list(rows.values()))),
        rows=list(rows),
        columns=[f"{t:.2f}" for t in steps],
    )


def traversal(fit: Trained) -> Images:
    """The three latents that carry most, and the glasses' direction, from the mean code."""
    carried = kl_per_dimension(fit.mu, fit.logvar)
    scales = fit.mu.std(0)
    rows: dict[str, Tensor] = {}
    for unit in carried.topk(3).indices.tolist():
        step = torch.zeros_like(scales)
        step[unit] = scales[unit]
        rows[f"latent {unit}"] = step
    v = difference_of_means(fit.mu, fit.glasses)
    rows["glasses"] = v / 2
    steps = (-2, -1, 0, 1, 2)
    codes = [fit.mu.mean(0) + t * step for step in rows.values() for t in steps]
    return Images(
        "One number of the code is moved, by up to two of its standard deviations. Each changes "
        "several things of a face; the glasses' direction is made of many numbers.",
        shown(fit.network.decode(torch.stack(codes)).unflatten(0, (len(rows), len(steps)))),
        rows=list(rows),
        columns=[f"{t:+d}" for t in steps],
    )


def sampled(fit: Trained, g: torch.Generator) -> Images:
    """The source's grid of 18, as `make_grid(pictures, 6)` lays it out, and six better ones."""
    prior = fit.network.decode(codes_to_sample("prior", fit, 18, g))
    fitted = fit.network.decode(codes_to_sample("fitted", fit, 6, g))
    return Images(
        "18 draws of the prior, decoded: soft, and all alike. Below, draws of a Gaussian with the "
        "mean and covariance of the codes: the same decoder, more like the faces.",
        shown(torch.cat([prior, fitted]).unflatten(0, (4, 6))),
        rows=["prior", "prior", "prior", "fitted"],
    )


def while_learning(fit: Trained, columns: int = 6) -> Images:
    """What the same codes decode to as the epochs go by."""
    last = len(fit.epochs) - 1
    epochs = sorted({0, *(2**k for k in range(last.bit_length()) if 2**k < last), last})
    return Images(
        "The same draws of the prior after some epochs: first the mean face, then faces that "
        "differ, at last such as have detail.",
        shown(fit.epochs[epochs, :columns]),
        rows=[f"epoch {epoch}" for epoch in epochs],
    )


def carried(fit: Trained) -> Curves:
    """How the KL is spread over the latents."""
    nats = kl_per_dimension(fit.mu, fit.logvar).sort(descending=True).values.cpu()
    return Curves(
        "The KL of each latent, the largest first.",
        x=range(1, len(nats) + 1),
        lines={"KL": nats},
        x_label="latent",
        y_label="nats a face",
    )


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Train, rebuild unseen faces, and ask codes for glasses, middles and samples."""
    recipe = Recipe(params.size, params.epochs, params.weight)
    fit = trained(recipe, lab)
    x, glasses = fit.faces.test, fit.glasses
    v = difference_of_means(fit.mu, glasses)
    units = turned(fit.mu, v) if params.units == "turned" else fit.mu
    codes = codes_to_sample(params.samples, fit, len(x), lab.generator("sampled"))
    pictures = fit.network.decode(codes)
    moments = aggregate(fit.mu, fit.logvar)
    measured: dict[str, Value] = {
        "mse": metrics.mse(fit.network(x), x),
        "eigenfaces_mse": metrics.mse(by_eigenfaces(fit.eigenfaces, x, params.eigenfaces), x),
        "mean_image_mse": metrics.mse(fit.mean, x),
        "kl_nats": kl_per_dimension(fit.mu, fit.logvar).sum().item(),
        "active_units": active_units(fit.mu),
        "best_unit_r2": explained(units, glasses).max().item(),
        "direction_r2": explained((fit.mu @ v)[:, None], glasses).item(),
        "samples_diversity": diversity(pictures),
        "faces_diversity": diversity(x),
        "samples_sharpness": sharpness(pictures).mean().item(),
        "rebuilt_sharpness": sharpness(fit.network(x)).mean().item(),
        "samples_with_glasses": fit.with_glasses(pictures),
        "widest_code_std": float(torch.linalg.eigvalsh(moments.covariance)[-1].sqrt()),
    }
    figures: dict[str, Figure] = {
        "faces": rebuilt_faces(fit, params.eigenfaces),
        "traversal": traversal(fit),
        "samples": sampled(fit, lab.generator("figure")),
        "epochs": while_learning(fit),
        "kl": carried(fit),
    }
    if fit.faces.train_people is not None:  # drawn, so the person between can be drawn, too
        pairs = couples(200, lab.generator("couples"))
        measured |= halfway(fit, pairs, params.apart, recipe.side)
        figures["middle"] = on_the_way(fit, pairs, recipe.side)
    return Result(metrics=measured, figures=figures)

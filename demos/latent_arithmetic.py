r"""Mean code with glasses minus mean code without, added to the code of a face, puts glasses on it.

**The vector.** Encode the training faces, by the means of their posteriors, and take

    v = mean of mu over faces with glasses - mean of mu over faces without        (64,)

Everything that the two groups have in equal measure cancels; what is left is the glasses. Then

    decode(mu + v)    puts glasses on a bare face
    decode(mu - v)    takes them off one that wears them

**How to tell.** Three ways, of which each alone can be fooled:

    the judge       a classifier that was trained on true portraits says whether there are glasses.
                    First ask it about *bare reconstructions*: if it sees glasses there, it proves
                    nothing.
    the truth       the same person, drawn with glasses. An edit closes a share of the gap to it,
                        1 - |edit - truth|^2 / |rebuilt bare - truth|^2
                    in the band of the picture where glasses are.
    the rest        what the edit changes below that band, where nothing should change.

**What cancels.** Two faces differ in everything, and a mean over n faces keeps 1/n of each. Of v
from thousands next to nothing is chance; of one from three and three, as in the book, most is. And
what the groups do not have in equal measure does not cancel at all: if those with glasses wear
beards and the others do not, v is a vector of glasses with a beard.

**Without codes.** The same difference can be taken of pictures, and added to a picture: it lays a
mean pair of glasses over any face. Codes can do better, where a nonlinear decoder puts the glasses
where the eyes are.

Source: the chapter on faces that the notes follow, arithmetic on codes; Radford et al. (2016),
Unsupervised representation learning with deep convolutional GANs, section 6.3; White (2016),
Sampling generative networks, on replicating attribute vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.card import Value
from vaeflash.demo import Bars, Curves, Figure, Images, Lab, Result
from vaeflash.lab.portraits import draw

from ._faces import Recipe, Size, Trained, difference_of_means, shown, trained

NEEDS = ("faces",)
BAND = (0.375, 0.7)  # of a portrait's height: from above the brows to the middle of the nose
TRIES = 30  # vectors of few faces


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    size: Size = "small"
    faces: str = "portraits"
    epochs: int = 16
    direction: Literal["glasses", "random"] = "glasses"  # random: of the same length
    strength: float = 1.0  # what the vector is multiplied by
    average: int = 3  # faces of each kind in a vector of few
    groups: Literal["balanced", "beards"] = "balanced"  # beards: who wears glasses has one, too
    pasted_in: Literal["pictures", "codes"] = "pictures"  # where the rival adds its difference


# Vectors


def of_few(codes: Tensor, glasses: Tensor, count: int, g: torch.Generator) -> Tensor:
    """The same from `count` faces of each kind, drawn at random; `(D,)`."""
    kinds = [(glasses == kind).nonzero()[:, 0] for kind in (True, False)]
    drawn = [kind[torch.randperm(len(kind), generator=g)[:count].to(kind.device)] for kind in kinds]
    return codes[drawn[0]].mean(0) - codes[drawn[1]].mean(0)


def random_like(v: Tensor, g: torch.Generator) -> Tensor:
    """A direction that knows nothing, as long as `v`; `(D,)`."""
    r = torch.randn(v.shape, generator=g).to(v)
    scaled: Tensor = r * (v.norm() / r.norm())
    return scaled


def cosine(a: Tensor, b: Tensor) -> float:
    """Of the angle between two vectors `(D,)`."""
    return float(F.cosine_similarity(a, b, dim=0))


# Truth


def band(images: Tensor) -> Tensor:
    """The rows where glasses are, of pictures `(N, 3, S, S)`."""
    side = images.shape[-1]
    return images[:, :, round(BAND[0] * side) : round(BAND[1] * side)]


def below(images: Tensor) -> Tensor:
    """The rows below: tip of the nose, mouth, beard."""
    return images[:, :, round(BAND[1] * images.shape[-1]) :]


def mse(a: Tensor, b: Tensor) -> float:
    """Squared difference, mean over pictures and pixels."""
    return (a - b).square().mean().item()


def closed(edit: Tensor, start: Tensor, truth: Tensor) -> float:
    """The share of the gap to the true picture that an edit closes, in the band; 1 is all of it."""
    return 1 - mse(band(edit), band(truth)) / mse(band(start), band(truth))


def portion(change: Tensor, whole: Tensor) -> float:
    """How much of a known change is in another: the factor that fits best; `(N, 3, S, S)`."""
    return float((change * whole).sum() / whole.square().sum())


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """The same unseen people without and with glasses, and what the VAE makes of them.

    Attributes:
        bare: `(M, 3, S, S)`.
        worn: `(M, 3, S, S)`.
        z_bare: `(M, D)`, means of their posteriors.
        z_worn: `(M, D)`.
        rebuilt_bare: `(M, 3, S, S)`.
        rebuilt_worn: `(M, 3, S, S)`.
    """

    bare: Tensor
    worn: Tensor
    z_bare: Tensor
    z_worn: Tensor
    rebuilt_bare: Tensor
    rebuilt_worn: Tensor


def twins(fit: Trained) -> Twins:
    """Of drawn portraits the same people twice; of photographs those who are there, each once."""
    faces = fit.faces
    if faces.test_people is not None:
        bare, worn = (faces.redraw_test(glasses=kind).to(fit.mu.device) for kind in (False, True))
    else:
        bare, worn = faces.test[~faces.test_glasses], faces.test[faces.test_glasses]
    z_bare, z_worn = fit.network.encode(bare)[0], fit.network.encode(worn)[0]
    decode = fit.network.decode
    return Twins(bare, worn, z_bare, z_worn, decode(z_bare), decode(z_worn))


# Experiments


def few_faces(fit: Trained, pair: Twins, params: Params, lab: Lab) -> dict[str, Value]:
    """Vectors of few faces on 50 bare ones: means over many vectors."""
    v = difference_of_means(fit.mu, fit.glasses)
    z, start = pair.z_bare[:50], pair.rebuilt_bare[:50]
    g = lab.generator("few")
    judged, cosines, spilt = [], [], []
    for _ in range(TRIES):
        few = of_few(fit.mu, fit.glasses, params.average, g)
        if params.direction == "random":
            few = random_like(few, g)
        edit = fit.network.decode(z + few)
        judged.append(fit.with_glasses(edit))
        cosines.append(cosine(few, v))
        spilt.append(mse(below(edit), below(start)))
    return {
        "few_judged": sum(judged) / TRIES,
        "few_cosine": sum(cosines) / TRIES,
        "few_changed_below": sum(spilt) / TRIES,
    }


def without_beards(fit: Trained) -> tuple[Tensor, Tensor]:
    """The unseen people shaved and bare, and what a beard changes in the truth; `(M, 3, S, S)`.

    Only of drawn portraits.
    """
    people = fit.faces.test_people
    assert people is not None
    side = fit.faces.test.shape[-1]
    bare = people.wearing(glasses=False)
    shaved, bearded = (
        draw(replace(bare, beard=torch.full_like(bare.beard, beard)), side) for beard in (0, 1)
    )
    return shaved.to(fit.mu.device), (bearded - shaved).to(fit.mu.device)


def group_vector(fit: Trained, groups: str) -> Tensor:
    """The vector of the groups as they are, or of those in which glasses come with beards."""
    chosen = torch.ones_like(fit.glasses)
    if groups == "beards" and fit.faces.train_people is not None:
        chosen = fit.faces.train_people.beard.to(fit.glasses.device) == fit.glasses
    return difference_of_means(fit.mu[chosen], fit.glasses[chosen])


def beard_added(fit: Trained, groups: str) -> float:
    """How much of a beard comes along with the glasses, of what a beard changes below the eyes."""
    shaved, beard = without_beards(fit)
    z = fit.network.encode(shaved)[0]
    change = fit.network.decode(z + group_vector(fit, groups)) - fit.network.decode(z)
    return portion(below(change), below(beard))


# Figures


def put_on(fit: Trained, pair: Twins, v: Tensor) -> Images:
    """Glasses put on, beside the truth."""
    n = min(8, len(pair.bare), len(pair.worn))
    rows = {
        "bare": pair.bare[:n],
        "rebuilt": pair.rebuilt_bare[:n],
        "+ v": fit.network.decode(pair.z_bare[:n] + v),
        "the truth": pair.worn[:n],
    }
    return Images(
        "Unseen faces, rebuilt, and with the vector added. The last row is not from the network: "
        "the same people, drawn with their own glasses, round or square.",
        shown(torch.stack(list(rows.values()))),
        rows=list(rows),
    )


def taken_off(fit: Trained, pair: Twins, v: Tensor) -> Images:
    """Glasses taken off, beside the truth."""
    n = min(8, len(pair.bare), len(pair.worn))
    rows = {
        "with glasses": pair.worn[:n],
        "rebuilt": pair.rebuilt_worn[:n],
        "- v": fit.network.decode(pair.z_worn[:n] - v),
        "the truth": pair.bare[:n],
    }
    return Images(
        "The vector subtracted. What was behind the frame the decoder fills in; the last row shows "
        "how it really looks.",
        shown(torch.stack(list(rows.values()))),
        rows=list(rows),
    )


def by_strength(fit: Trained, pair: Twins, v: Tensor, r: Tensor) -> Curves:
    """How many edits the judge sees glasses in, by how much of a vector is added."""
    strengths = torch.linspace(0, 2, 9).tolist()
    return Curves(
        "Bare faces in which the judge sees glasses, by how much of the vector is added. In a "
        "random direction of the same length there is nothing to see.",
        x=strengths,
        lines={
            name: [fit.with_glasses(fit.network.decode(pair.z_bare + s * way)) for s in strengths]
            for name, way in {"glasses": v, "random direction": r}.items()
        },
        x_label="strength",
        y_label="judged to wear glasses",
    )


def pasted_or_added(fit: Trained, pair: Twins, pasted: Tensor, v: Tensor) -> Images:
    """The difference of mean pictures beside that of codes, on faces that look aside."""
    people = fit.faces.test_people
    order = torch.arange(len(pair.bare)) if people is None else people.yaw.abs().argsort()
    chosen = order[-8:].to(v.device)
    chosen = chosen[chosen < len(pair.worn)]
    rows = {
        "in pictures": pasted[chosen],
        "in codes": fit.network.decode(pair.z_bare[chosen] + v),
        "the truth": pair.worn[chosen],
    }
    return Images(
        "Heads that are turned most. The mean pair of glasses, pasted, stays where the mean eyes "
        "are; through the code glasses go along with the face.",
        shown(torch.stack(list(rows.values()))),
        rows=list(rows),
    )


def three_and_three(fit: Trained, pair: Twins, average: int, g: torch.Generator) -> Images:
    """One face, and vectors of few."""
    vectors = [of_few(fit.mu, fit.glasses, average, g) for _ in range(6)]
    faces = pair.z_bare[:3]
    edits = [fit.network.decode(faces + few) for few in vectors]
    return Images(
        f"Three faces, each with six vectors of {average} faces a kind: glasses, and other people.",
        shown(torch.stack([pair.rebuilt_bare[:3], *edits], dim=1)),
        columns=["rebuilt", *(f"vector {i + 1}" for i in range(len(vectors)))],
    )


def with_and_without_beards(fit: Trained) -> Images:
    """Shaved faces with the vector of balanced groups, and with that of bearded ones."""
    shaved, _ = without_beards(fit)
    z = fit.network.encode(shaved[:8])[0]
    rows = {"rebuilt": fit.network.decode(z)}
    for groups, name in {"balanced": "+ v", "beards": "+ v of beards"}.items():
        rows[name] = fit.network.decode(z + group_vector(fit, groups))
    return Images(
        "Two vectors of glasses. In the groups of the second, those with glasses had beards and "
        "the others none: a shade of beard comes with the glasses.",
        shown(torch.stack(list(rows.values()))),
        rows=list(rows),
    )


def shares_closed(pair: Twins, pasted: Tensor, added: Tensor) -> Bars:
    """How near to the truth each way comes."""
    ways = {
        "pasted in pictures": pasted,
        "added in codes": added,
        "the truth, rebuilt": pair.rebuilt_worn,
    }
    return Bars(
        "How much of the gap between a bare face and the truth is closed in the band of the eyes. "
        "No edit can come much further than the network's own picture of the truth.",
        {name: closed(way, pair.rebuilt_bare, pair.worn) for name, way in ways.items()},
        y_label="share of the gap closed",
    )


@torch.no_grad()
def run(params: Params, lab: Lab) -> Result:
    """Take the vector of glasses, add it, subtract it, and compare with the truth."""
    fit = trained(Recipe(params.size, params.epochs), lab)
    pair = twins(fit)
    decode = fit.network.decode
    v = difference_of_means(fit.mu, fit.glasses)
    r = random_like(v, lab.generator("random"))
    way = params.strength * (v if params.direction == "glasses" else r)
    added, removed = decode(pair.z_bare + way), decode(pair.z_worn - way)
    difference = params.strength * (fit.means[1] - fit.means[0])
    pasted = (pair.rebuilt_bare + difference).clamp(0, 1)
    rival = pasted if params.pasted_in == "pictures" else added
    measured: dict[str, Value] = {
        "bare_judged": fit.with_glasses(pair.rebuilt_bare),
        "worn_judged": fit.with_glasses(pair.rebuilt_worn),
        "added_judged": fit.with_glasses(added),
        "removed_judged": fit.with_glasses(removed),
        "pasted_judged": fit.with_glasses(rival),
        "added_changed_band": mse(band(added), band(pair.rebuilt_bare)),
        "added_changed_below": mse(below(added), below(pair.rebuilt_bare)),
        **few_faces(fit, pair, params, lab),
    }
    figures: dict[str, Figure] = {
        "put_on": put_on(fit, pair, v),
        "taken_off": taken_off(fit, pair, v),
        "strength": by_strength(fit, pair, v, r),
        "pasted": pasted_or_added(fit, pair, pasted, v),
        "few": three_and_three(fit, pair, params.average, lab.generator("figure")),
    }
    if fit.faces.test_people is not None:  # drawn, so the truth is known
        measured |= {
            "added_closed": closed(added, pair.rebuilt_bare, pair.worn),
            "removed_closed": closed(removed, pair.rebuilt_worn, pair.bare),
            "pasted_closed": closed(rival, pair.rebuilt_bare, pair.worn),
            "rebuilt_closed": closed(pair.rebuilt_worn, pair.rebuilt_bare, pair.worn),
            "beard_added": beard_added(fit, params.groups),
        }
        figures["beards"] = with_and_without_beards(fit)
        figures["closed"] = shares_closed(pair, pasted, decode(pair.z_bare + v))
    return Result(metrics=measured, figures=figures)

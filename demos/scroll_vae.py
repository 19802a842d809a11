r"""A VAE of scroll cubes passes principal components, long after its output looks reasonable.

**Data.** Cubes of 16^3 = 4,096 grey levels are cut anywhere in one scroll, new ones in each step,
and become 64 numbers. What counts is a scroll that the network has never seen. The measure is

    explained variance = 1 - MSE / MSE of the mean cube

1 for copies, 0 for always answering with the mean cube.

**Line to beat.** 64 principal components explain 85 to 88% of it, with no training but one
eigenproblem. No linear network does better on the cubes that they come from. A reconstruction that
"looks reasonable" says little before it has passed that line.

**Network.** Patches of 4^3 voxels become 32 channels each, by a convolution with kernel and stride
4; one residual block lets neighbours talk; two linear heads give the mean and the log-variance of
64 numbers. Back it goes the same way. On patches a step costs about half of what it costs with
convolutions at half the cube's side.

**Loss.** Each voxel is Gaussian around the decoder's output with standard deviation s, so minus the
ELBO is, in nats a cube and up to a constant,

    sum of (x - x_hat)^2 / (2 s^2)  +  beta KL(N(mu, exp(logvar)) || N(0, I))

Both are sums over what a cube has, voxels and latents. With the mean over voxels in place of the
sum, the first term is 4,096 times smaller, and the KL presses all that a code says out of it.

**Full size**, for a GPU, is the sources' own network: cubes of 32^3, 512 numbers, 4,655,905
parameters. It trains in as many processes as torchrun starts, and goes on from a checkpoint.

    torchrun --nproc-per-node 8 -m vaeflash demo scroll-vae --set size=full

Source: notes on the scroll; Kingma and Welling (2014), Auto-encoding variational Bayes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab.checkpoints import Checkpoint
from vaeflash.lab.codes import active_units
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.history import History
from vaeflash.lab.linear import PCA
from vaeflash.lab.metrics import mse, parameter_count
from vaeflash.lab.volumes.cubes import Cubes, resident
from vaeflash.lab.volumes.distributed import Team, joined
from vaeflash.lab.volumes.explained import (
    CHUNK,
    explained_variance,
    mean_cube,
    pca_reconstructed,
    quick_pca,
    reconstructed,
)
from vaeflash.lab.volumes.fitting import fit, one_cycle, running
from vaeflash.lab.volumes.networks import Size, VolumeVAE, pooled_vae, start_at_mean
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.volume import inner
from vaeflash.lab.volumes.windows import Windows

NEEDS = ("scroll",)
MARGIN = 0.1  # of the scroll's length, at both ends of each axis, where no cube is cut
LOOKS, LOOKED_AT = 6, 128  # how often, and at how many unseen cubes, while training
SAVE_EVERY = 500  # steps


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    scroll: str = "phantom"
    size: Literal["small", "full"] = "small"
    beta: float = 1.0
    reduction: Literal["sum", "mean"] = "sum"  # over the voxels of a cube
    test: Literal["another", "same"] = "another"  # scroll than the one that is trained on
    steps: int = -1  # -1: as many as the size has
    batch: int = -1  # cubes in a step, of all processes together; likewise
    checkpoint: str = ""  # a file to go on from, written on the way


@dataclass(frozen=True, slots=True)
class Setting:
    """What a size is.

    Attributes:
        side: Voxels of a cube along each axis.
        latent: Numbers in a code.
        steps: Of training.
        batch: Cubes in a step.
        rate: The largest learning rate.
        noise: Standard deviation of a voxel around the decoder's output.
        scroll: Voxels of a drawn scroll along each axis.
        train: Cubes that give the mean cube and the principal components.
        test: Cubes that are measured.
        own: Whether the network is the sources' own.
    """

    side: int
    latent: int
    steps: int
    batch: int
    rate: float
    noise: float
    scroll: int
    train: int
    test: int
    own: bool


SETTINGS = {
    "small": Setting(16, 64, 400, 16, 3e-3, 0.06, 128, 4_096, 512, own=False),
    "full": Setting(32, 512, 20_000, 256, 1e-3, 0.06, 512, 8_192, 2_048, own=True),
}


# Data


@dataclass(frozen=True, slots=True)
class Papyrus:
    """Cubes of the scroll that is trained on, and of the one that is kept unseen.

    Attributes:
        voxels: Of the first, `(Z, Y, X)`, uint8.
        places: Any cube of its inner region, each as likely.
        train: `(N, 1, S, S, S)`, for the mean cube and principal components.
        seen: `(M, 1, S, S, S)`, other cubes of the same scroll.
        unseen: `(M, 1, S, S, S)`, of the other.
        pca: As many components as a code has numbers.
    """

    voxels: Tensor
    places: Uniform
    train: Tensor
    seen: Tensor
    unseen: Tensor
    pca: PCA

    def explained(self, x_hat: Tensor, x: Tensor) -> float:
        """Explained variance, beside the mean cube of the scroll that is trained on."""
        return explained_variance(x_hat, x, mean_cube(self.train))


def papyrus(params: Params, setting: Setting, lab: Lab, team: Team) -> Papyrus:
    """Read both scrolls and cut cubes out of them."""
    scroll = lab.data("scroll")

    def read(part: str) -> tuple[Tensor, Uniform]:
        voxels = resident(scroll.volume(part, (setting.scroll,) * 3), team.device)
        z, y, x = voxels.shape
        return voxels, Uniform(inner((z, y, x), MARGIN), (setting.side,) * 3)

    def cut(voxels: Tensor, places: Uniform, count: int, name: str) -> Tensor:
        corners = places.draw(count, lab.generator(name)).to(voxels.device)
        return Windows(voxels, places.window).cut(corners).unsqueeze(1)

    first = read("train")
    other = read("test") if params.test == "another" else first
    train = cut(*first, setting.train, "train")
    return Papyrus(
        *first,
        train,
        cut(*first, setting.test, "seen"),
        cut(*other, setting.test, "unseen"),
        quick_pca(train, setting.latent),
    )


# Networks


class Residual(nn.Module):
    """Group norm, ReLU, a 3 x 3 x 3 convolution, plus what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, D, H, W)` to the same shape."""
        y: Tensor = x + self.conv(F.relu(self.norm(x)))
        return y


def patch_vae(side: int, latent: int, channels: int = 32) -> VolumeVAE:
    """Convolutions on patches of 4^3 voxels, each 32 numbers: at a side of 16, 4^3 patches."""
    encoder = nn.Sequential(nn.Conv3d(1, channels, 4, stride=4), Residual(channels), nn.ReLU())
    decoder = nn.Sequential(
        Residual(channels), nn.ReLU(), nn.ConvTranspose3d(channels, 1, 4, stride=4)
    )
    patches = side // 4
    shape = (channels, patches, patches, patches)
    return VolumeVAE(encoder, decoder, shape, latent)


def network(setting: Setting, data: Papyrus) -> VolumeVAE:
    """The network of this size, as training begins: it answers with the mean grey level."""
    size = Size(setting.side, latent=setting.latent)
    model = pooled_vae(size) if setting.own else patch_vae(setting.side, setting.latent)
    start_at_mean(model, data.train.mean().item())
    return model


def placed(model: Any, device: torch.device) -> Any:
    """The network there, laid out in memory as convolutions run fastest."""
    return model.to(device, memory_format=running(device).layout)


# Training


@dataclass(frozen=True, slots=True)
class NegativeElbo:
    """The loss: nats a cube, mean over the batch, up to a constant.

    Attributes:
        noise: Standard deviation of a voxel.
        beta: Weight of the KL.
        reduction: Over the voxels of a cube.
        team: Draws our share of the noise of the codes.
    """

    noise: float
    beta: float
    reduction: str
    team: Team

    def __call__(self, model: VolumeVAE, x: Tensor) -> Tensor:
        """Squared error of a decoded sample, and the KL."""
        mu, logvar = model.encode(x)
        z = mu + (0.5 * logvar).exp() * self.team.noise(mu)
        squares = (model.decode(z) - x).square().flatten(1)
        error = squares.sum(1) if self.reduction == "sum" else squares.mean(1)
        return (error / (2 * self.noise**2) + self.beta * kl_to_prior(mu, logvar)).mean()


def train(
    model: nn.Module, data: Papyrus, params: Params, setting: Setting, lab: Lab, team: Team
) -> tuple[Tensor, History]:
    """Train on fresh cubes in each step; losses `(steps,)`, and EV of unseen cubes on the way."""
    steps = setting.steps if params.steps < 0 else params.steps
    batch = setting.batch if params.batch < 0 else params.batch
    few = data.unseen[:LOOKED_AT]
    history = History(
        lambda model: data.explained(reconstructed(model, few), few), max(1, steps // LOOKS)
    )
    how = running(team.device)
    file = Path(params.checkpoint).expanduser() if params.checkpoint else None
    checkpoint = Checkpoint(file, SAVE_EVERY) if file else None
    losses = fit(
        model,
        NegativeElbo(setting.noise, params.beta, params.reduction, team),
        Cubes(data.voxels, data.places, batch, lab.generator("batches"), shard=team.shard),
        steps=steps,
        optimizer=torch.optim.Adam(model.parameters(), lr=setting.rate, fused=True),
        schedule=one_cycle(steps),
        precision=how.precision,
        compiled=how.compiled,
        history=history,
        track=lab.track,
        checkpoint=checkpoint,
        team=team,
    )
    return losses, history


@torch.no_grad()
def codes(model: VolumeVAE, x: Tensor) -> tuple[Tensor, Tensor]:
    """Means and log-variances of all cubes, `(N, D)` each."""
    parts = [model.encode(part) for part in x.split(CHUNK)]
    mu, logvar = (torch.cat(column) for column in zip(*parts, strict=True))
    return mu, logvar


@torch.no_grad()
def decoded(model: VolumeVAE, z: Tensor) -> Tensor:
    """Cubes of all codes `(N, D)`."""
    return torch.cat([model.decode(part) for part in z.split(CHUNK)])


# Figures


def slices(x: Tensor, rebuilt: dict[str, Tensor]) -> Images:
    """The three middle planes of a cube `(S, S, S)`, its reconstructions, and what they miss."""
    half = len(x) // 2

    def planes(cube: Tensor) -> Tensor:
        return torch.stack([cube[half], cube[:, half], cube[:, :, half]])

    columns = {"input": planes(x)}
    for name, x_hat in rebuilt.items():
        columns |= {
            name: planes(x_hat).clamp(0, 1),
            f"{name}: missed": (2 * planes(x_hat - x).abs()).clamp(max=1),
        }
    return Images(
        "A cube of a scroll never trained on, of middling error: its three middle planes. What is "
        "missed is shown at twice its size.",
        torch.stack(list(columns.values()), 1).cpu(),
        rows=("z", "y", "x"),
        columns=tuple(columns),
    )


def curve(history: History, pca: float) -> Curves:
    """Explained variance of unseen cubes while training."""
    return Curves(
        f"Explained variance of {LOOKED_AT} cubes of an unseen scroll while training, beside "
        "principal components.",
        x=history.steps,
        lines={"network": history.values, "principal components": [pca] * len(history.steps)},
        x_label="step",
        y_label="explained variance",
    )


def run(params: Params, lab: Lab) -> Result:
    """Train on one scroll, alone or with other processes, and measure on another."""
    with joined(lab.device) as team:
        return measured(params, SETTINGS[params.size], lab, team)


def measured(params: Params, setting: Setting, lab: Lab, team: Team) -> Result:
    """Everything that `run` does, as one of a team."""
    data = papyrus(params, setting, lab, team)
    model = placed(network(setting, data), team.device)
    losses, history = train(model, data, params, setting, lab, team)
    model.eval()

    x = data.unseen
    mu, logvar = codes(model, x)
    x_hat = decoded(model, mu)
    noise = torch.randn(mu.shape, generator=lab.generator("codes")).to(mu)
    sampled = decoded(model, mu + (0.5 * logvar).exp() * noise)
    linear = pca_reconstructed(data.pca, x)
    few = slice(LOOKED_AT)
    middling = int((x_hat - x).square().flatten(1).mean(1).argsort()[len(x) // 2])
    figures: dict[str, Figure] = {
        "slices": slices(x[middling, 0], {"VAE": x_hat[middling, 0], "PCA": linear[middling, 0]}),
        "training": curve(history, data.explained(linear[few], x[few])),
    }
    return Result(
        metrics={
            "ev": data.explained(x_hat, x),
            "ev_sampled": data.explained(sampled, x),
            "ev_seen": data.explained(reconstructed(model, data.seen), data.seen),
            "pca_ev": data.explained(linear, x),
            "pca_ev_seen": data.explained(pca_reconstructed(data.pca, data.seen), data.seen),
            "mse": mse(x_hat, x),
            "mean_cube_mse": mse(mean_cube(data.train).expand_as(x), x),
            "kl_nats": kl_to_prior(mu, logvar).mean().item(),
            "active_units": active_units(mu),
            "lowest": x_hat.min().item(),
            "highest": x_hat.max().item(),
            "last_loss_nats": losses[-20:].mean().item() if len(losses) else 0.0,
            "parameters": parameter_count(model),
        },
        figures=figures,
    )

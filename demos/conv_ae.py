r"""Convolutions have few weights and much arithmetic, and their first epoch teaches little.

**The network** of the lecture, for one picture of 28 x 28; channels x height x width:

    encoder   1 -> 32 x 28 x 28 -> 64 x 14 x 14 -> 64 x 7 x 7 -> 64 x 7 x 7 -> 3136 -> z (2)
    decoder   z (2) -> 3136 -> 64 x 7 x 7 -> 64 x 13 x 13 -> 32 x 27 x 27 -> 1 x 29 x 29, trimmed

All kernels are 3 x 3, strides 1, 2, 2, 1, with a leaky ReLU between any two of them; a sigmoid ends
it. `width` is the number of channels after the first layer: 32 in the lecture, where the counts
are made. Trained is a copy of a quarter of its channels (8, 16, 16, 16), in seconds.

**Weights and arithmetic.** A kernel of 3 x 3 from c to c' channels has 9 c c' weights (and c'
biases), and each of them is multiplied once for each place the kernel is put down, up to 784 times.
A dense layer uses each weight once. So parameters say little about the time a picture takes.

**Shifts.** The same kernel everywhere means: move the picture, and the maps move along,

    maps(shift(x)) = shift(maps(x)),

by shifts that all strides divide, 2 * 2 = 4 pixels here, and away from the border. The linear layer
behind the maps has a weight for each place, so the code has no such property.

**Training** is Adam on batches of 32 with the mean squared error. As in most of this course, the
network sees how a digit differs from the mean image and answers with a difference, which saves it
the first epoch; `start=plain` leaves that to the network, as in the lecture. Errors are looked at
before training, halfway and at the end; two epochs of 4,000 digits are the default, so that
halfway is after the first.

Source: notes of a lecture on a convolutional autoencoder; LeCun et al. (1989), Backpropagation
applied to handwritten zip code recognition.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name
from torch.utils.flop_counter import FlopCounterMode

from vaeflash.demo import Bars, Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.batches import epoch_steps
from vaeflash.lab.history import History
from vaeflash.lab.networks import Centred
from vaeflash.lab.training import train

NEEDS = ("digits",)
MARGIN = 16  # black pixels around a digit whose maps are compared: padding must not reach them
Left = Literal["none", "last", "encoder", "decoder"]


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    width: int = 8  # channels after the first layer, then twice as many; the lecture has 32
    latent: int = 2
    # Left out: the encoder's last convolution, all convolutions of the encoder or of the decoder.
    without: Left = "none"
    cut: Literal["before", "after"] = "before"  # leave the last convolution out of the trained net
    start: Literal["mean", "plain"] = "mean"  # from the mean image, or from grey
    lr: float = 6e-3
    batch_size: int = 32
    steps: int = 250  # two epochs of 4,000 digits
    examples: int = 4_000
    decoder: Literal["own", "twin"] = "own"  # which reads the codes of the saved encoder
    shift: int = 4  # pixels by which a digit is moved to the right


class Autoencoder(nn.Module):
    """The lecture's network, or what is left of it.

    At width 32 and complete it is `vaeflash.lab.networks.ConvAutoencoder`, layer by layer.
    """

    def __init__(self, width: int, latent: int, without: str = "none") -> None:
        super().__init__()
        twice = 2 * width
        flat = twice * 7 * 7
        to_maps = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=1, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(width, twice, 3, stride=2, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(twice, twice, 3, stride=2, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(twice, twice, 3, stride=1, padding=1),
        )
        if without == "last":
            del to_maps[-1]
        if without == "encoder":
            to_maps, flat = nn.Sequential(), 784
        self.encoder = nn.Sequential(to_maps, nn.Flatten(), nn.Linear(flat, latent))
        self.decoder = nn.Sequential(
            nn.Linear(latent, twice * 7 * 7),
            nn.Unflatten(1, (twice, 7, 7)),
            nn.ConvTranspose2d(twice, twice, 3, stride=1, padding=1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(twice, twice, 3, stride=2, padding=1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(twice, width, 3, stride=2, padding=0),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(width, 1, 3, stride=1, padding=0),
        )
        if without == "decoder":
            self.decoder = nn.Sequential(nn.Linear(latent, 784), nn.Unflatten(1, (1, 28, 28)))

    @property
    def to_maps(self) -> Any:
        """The encoder's convolutions, which take pictures of any size."""
        return self.encoder[0]

    def encode(self, x: Tensor) -> Tensor:
        """Pictures `(N, 1, 28, 28)` to codes `(N, latent)`."""
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Codes to logits `(N, 1, 28, 28)`: of 29 rows and columns the last are trimmed."""
        logits: Tensor = self.decoder(z)[..., :28, :28]
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions, in [0, 1]."""
        return self.decode(self.encode(x)).sigmoid()


Model = Autoencoder | Centred


def loss(model: Model, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


def multiplications(model: nn.Module, x: Tensor) -> int:
    """Products of a weight and a number that one picture `(1, 1, 28, 28)` takes, forward."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return int(counter.get_total_flops()) // 2  # it counts the additions as well


def weighted(half: nn.Sequential) -> list[Any]:
    """The convolutions and linear layers of a half, in order."""
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    return [layer for layer in half.modules() if isinstance(layer, kinds)]


def saved_and_loaded(half: nn.Sequential, seed: int) -> nn.Sequential:
    """A half of a network as it comes back from a file: new layers, the saved weights."""
    fresh = copy.deepcopy(half)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        for layer in weighted(fresh):
            layer.reset_parameters()
    fresh.load_state_dict(half.state_dict())
    return fresh


@torch.no_grad()
def twin(network: Autoencoder) -> Autoencoder:
    """A network with the same answer to every picture, whose codes have the opposite sign."""
    mirrored = copy.deepcopy(network)
    to_code, from_code = weighted(mirrored.encoder)[-1], weighted(mirrored.decoder)[0]
    for parameter in (to_code.weight, to_code.bias, from_code.weight):
        parameter.neg_()
    return mirrored


@torch.no_grad()
def without_last(network: Autoencoder) -> Autoencoder:
    """A trained network whose encoder's last convolution is taken out; nothing is trained again."""
    pruned = copy.deepcopy(network)
    del pruned.to_maps[-1]
    return pruned


@torch.no_grad()
def maps_left_behind(network: Autoencoder, x: Tensor, shift: int) -> float:
    """How far the maps of moved digits differ from the moved maps: root mean square, as a share.

    Both are looked at on a canvas so large that its border does not count. The maps are moved by
    `shift // 4` places, what four pixels of the picture are.
    """
    wide = F.pad(x, (MARGIN,) * 4)
    maps, moved = network.to_maps(wide), network.to_maps(wide.roll(shift, dims=3))
    inner = (..., slice(4, -4), slice(5, -4))
    expected = maps.roll(shift // 4, dims=3)[inner]
    return float((moved[inner] - expected).square().mean().sqrt() / expected.std())


@torch.no_grad()
def code_moves(model: Model, x: Tensor, shift: int) -> float:
    """How far the code goes when a digit is moved, over the distance of two digits' codes.

    Both are medians over pictures `(N, 1, 28, 28)`; what leaves on the right is black, so no ink
    comes back on the left.
    """
    moved = F.pad(x, (shift, 0))[..., :28]
    z = model.encode(x)
    way, apart = (model.encode(moved) - z).norm(dim=1), (z.roll(1, 0) - z).norm(dim=1)
    return float(way.median() / apart.median())


def replaced(model: Model, network: Autoencoder) -> Model:
    """The same model around another network."""
    if isinstance(model, Autoencoder):
        return network
    around = copy.deepcopy(model)
    around.network = network
    return around


def halves(network: Autoencoder, model: Model, which: str, x: Tensor, lab: Lab) -> Tensor:
    """What an encoder and a decoder make of pictures, each saved and loaded by itself."""
    pair = copy.deepcopy(network)
    pair.encoder = saved_and_loaded(network.encoder, lab.seed + 1)
    source = twin(network) if which == "twin" else network
    pair.decoder = saved_and_loaded(source.decoder, lab.seed + 2)
    return metrics.reconstruct(replaced(model, pair), x)


def loss_curve(losses: Tensor, epoch: int, mean_image_mse: float) -> Curves:
    """The training loss, each point the mean of 5 steps."""
    points = torch.stack([block.mean() for block in losses.split(5)])
    return Curves(
        f"The loss of {len(losses) / epoch:.0f} epochs of {epoch} steps. Below the line of the "
        "mean image a network says something of the single digit.",
        x=5 * torch.arange(1, len(points) + 1),
        lines={"training loss": points, "mean image": torch.full_like(points, mean_image_mse)},
        x_label="step",
        y_label="MSE",
    )


def arithmetic(network: Autoencoder, x: Tensor) -> Bars:
    """Multiplications of each layer with weights, for one picture `(1, 1, 28, 28)`."""
    counts: dict[str, float] = {}
    for name, half in (("down", network.encoder), ("up", network.decoder)):
        for layer in half.modules():
            if not list(layer.children()):
                if count := multiplications(layer, x):
                    counts[f"{name} {len(counts) + 1}"] = count / 1e6
                with torch.no_grad():
                    x = layer(x)
    return Bars(
        "Where the arithmetic is: in the layers with many channels in and out. The linear ones on "
        "either side of the code hardly count. Four times the channels are sixteen times the "
        "multiplications.",
        counts,
        y_label="million multiplications a picture",
    )


def run(params: Params, lab: Lab) -> Result:
    """Count, train, look halfway and at the end, and take the network apart."""
    digits = lab.data("digits")
    x_train = digits.train[: params.examples].to(lab.device)
    x_test = digits.test[:250].to(lab.device)
    seen = x_train[:250]
    without = "none" if params.cut == "after" else params.without
    network = Autoencoder(params.width, params.latent, without).to(lab.device)
    mean = x_train.mean(0)
    model: Any = Centred(network, mean) if params.start == "mean" else network
    model = model.to(lab.device, memory_format=torch.channels_last)  # faster on a CPU

    def errors(model: Model) -> tuple[float, float]:
        return metrics.mse(model(seen), seen), metrics.mse(model(x_test), x_test)

    history = History(errors, every=max(1, params.steps // 2))
    batch_size = min(params.batch_size, len(x_train))
    losses = train(
        model,
        loss,
        x_train,
        steps=params.steps,
        batch_size=batch_size,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.lr, fused=True),
        generator=lab.generator("batches"),
        history=history,
        track=lab.track,
    )
    looks = history.values
    (_, start_mse), (half_train, half), (end_train, _) = looks[0], looks[:2][-1], looks[-1]
    judged = model
    if params.without == "last" and params.cut == "after":
        judged = replaced(model, without_last(network))
    x_hat = metrics.reconstruct(model, x_test)
    paired = halves(network, model, params.decoder, x_test, lab)
    mean_image_mse = metrics.mse(mean, x_test)

    rows = {
        "original": x_test[:10],
        "reconstruction": x_hat[:10],
        "the twin's decoder": halves(network, model, "twin", x_test[:10], lab),
    }
    figures: dict[str, Figure] = {
        "digits": Images(
            "Unseen digits; what a code of two numbers tells of them; and the same codes in the "
            "decoder of a twin that answers every digit as this network does, by other codes.",
            torch.stack(list(rows.values()))[:, :, 0].cpu(),
            rows=list(rows),
        ),
        "arithmetic": arithmetic(network, x_test[:1]),
    }
    if params.steps:
        epoch = epoch_steps(x_train, batch_size)
        figures["loss"] = loss_curve(losses, epoch, mean_image_mse)
    return Result(
        metrics={
            "channels": tuple(layer.out_channels for layer in weighted(network.to_maps)),
            "encoder_params": metrics.parameter_count(network.encoder),
            "decoder_params": metrics.parameter_count(network.decoder),
            "multiplications": multiplications(network, x_test[:1]),
            "start_mse": start_mse,
            "half_train_mse": half_train,
            "half_mse": half,
            "train_mse": end_train,
            "test_mse": metrics.mse(metrics.reconstruct(judged, x_test), x_test),
            "mean_image_mse": mean_image_mse,
            "pixels_changed_by_halves": int((paired != x_hat).sum()),
            "halves_mse": metrics.mse(paired, x_test),
            "maps_left_behind": maps_left_behind(network, x_test[:20], params.shift),
            "code_moves": code_moves(model, x_test, params.shift),
        },
        figures=figures,
    )

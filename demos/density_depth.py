r"""Two halvings rebuild a map better than three, and a smaller latent is only part of the reason.

Source 003 compares encoders of two and of three strided convolutions, and finds that two rebuild
better. Both end in maps of as many channels; so the number of halvings changes two things at once,
the network and the size of its latent:

    35 -> 18 -> 9          C * 729 numbers
    35 -> 18 -> 9 -> 5     C * 125 numbers, 5.8 times fewer

A fair comparison holds one fixed: with 23 channels three halvings have 2,875 numbers in the latent,
as good as the 2,916 of two halvings with 4. Now the two networks give away equally much. What is
left of the difference belongs to the network and to its training, of which the number of steps is a
part: the third halving is one more layer to be trained on either side.

The networks are plain autoencoders, without noise and KL, of convolutions throughout; the error is
of maps that they were not trained on. Explained variance is 1 - MSE / MSE of the mean map.

Source: notes on density maps, the comparison of networks of two and three layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab.metrics import mse, parameter_count
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

NEEDS = ("molecules",)
MAPS, UNSEEN = 192, 48
SIDES = (35, 18, 9, 5)
WIDTHS = (8, 16, 32)
"""Channels behind each halving."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    halvings: int = 2  # of the sides, at most 3
    channels: int = 4  # of the latent
    batch: int = 4
    lr: float = 5e-3
    steps: int = 200


class Autoencoder(nn.Module):
    """`(N, 1, 35, 35, 35)` to a latent `(N, C, s, s, s)` and back; s is 18, 9 or 5."""

    def __init__(self, halvings: int, channels: int) -> None:
        super().__init__()
        widths = (1, *WIDTHS[:halvings])
        self.encoder, self.decoder = nn.Sequential(), nn.Sequential()
        for i, o in pairwise(widths):
            self.encoder.extend((nn.Conv3d(i, o, 3, stride=2, padding=1), nn.ReLU()))
        self.encoder.append(nn.Conv3d(widths[-1], channels, 1))

        self.decoder.append(nn.Conv3d(channels, widths[-1], 1))
        for level in reversed(range(halvings)):
            # An even side and the odd one below are halved to the same; this tells them apart.
            up = nn.ConvTranspose3d(
                widths[level + 1],
                widths[level],
                3,
                stride=2,
                padding=1,
                output_padding=1 - SIDES[level] % 2,
            )
            self.decoder.extend((nn.ReLU(), up))

    def forward(self, x: Tensor) -> Tensor:
        """Maps to their reconstructions."""
        x_hat: Tensor = self.decoder(self.encoder(x))
        return x_hat


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Squared error, mean over maps and voxels."""
    return F.mse_loss(model(x), x)


def middle(x: Tensor) -> Tensor:
    """The middle slices of maps `(N, S, S, S)` across z and y, as grey levels; `(2, N, S, S)`."""
    cuts = torch.stack([x.select(axis, x.shape[axis] // 2) for axis in (1, 2)])
    return (cuts / 8 + 0.25).clamp(0, 1).cpu()


def run(params: Params, lab: Lab) -> Result:
    """Train one autoencoder, and judge it on unseen maps."""
    maps = lab.data("molecules").take(MAPS, UNSEEN)
    x_train, x = maps.train.to(lab.device), maps.test.to(lab.device)
    model = Autoencoder(params.halvings, params.channels).to(lab.device)
    losses = train(
        model,
        loss,
        x_train,
        steps=params.steps,
        batch_size=params.batch,
        optimizer=torch.optim.Adam(model.parameters(), params.lr),
        generator=lab.generator("batches"),
        schedule=linear(params.steps),
        track=lab.track,
    )
    with torch.no_grad():
        latent = model.encoder(x)
        x_hat = model.decoder(latent)
    mean_mse = mse(x_train.mean(0), x)
    one, one_hat = x[0, 0], x_hat[0, 0]
    figures: dict[str, Figure] = {
        "slices": Images(
            "Middle slices of an unseen map, and what comes back. In the difference grey is 0.",
            middle(torch.stack([one, one_hat, one - one_hat])),
            rows=("across z", "across y"),
            columns=("map", "rebuilt", "difference"),
        ),
    }
    if params.steps:
        figures["loss"] = Curves(
            "The squared error while training, beside that of the mean map on unseen maps.",
            x=range(params.steps),
            lines={"network": losses, "mean map": [mean_mse] * params.steps},
            x_label="step",
            y_label="MSE",
            log_y=True,
        )
    return Result(
        metrics={
            "latent": tuple(latent.shape[1:]),
            "numbers": latent[0].numel(),
            "ratio": x[0].numel() / latent[0].numel(),
            "parameters": parameter_count(model),
            "mse": mse(x_hat, x),
            "mean_map_mse": mean_mse,
            "ev": 1 - mse(x_hat, x) / mean_mse,
        },
        figures=figures,
    )

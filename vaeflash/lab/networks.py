"""Networks that several demos train, and where they start.

Pictures are `(N, D)` for the dense networks and `(N, 1, 28, 28)` for the convolutional one, with
values in [0, 1]. A decoder gives logits: the losses want them, and `forward` applies the sigmoid.
Logits, means and log-variances are float32 in every precision, since losses add up many of them.

Source: the notes on digits and faces (dense autoencoder), the lecture on convolutional
autoencoders; Kingma and Welling (2014), Auto-encoding variational Bayes, appendix C.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from vaeflash.errors import DemoError, Problem

SIDE = 28
MAPS = (64, 7, 7)
"""What the convolutional encoder has before its last layer: 3,136 numbers."""
LIMIT = 0.003
"""Nearest that a mean pixel comes to 0 and 1: some are always 0, whose logit has no end."""


def _check(*widths: int) -> None:
    if min(widths) < 1:
        raise DemoError(
            Problem(
                f"network {' -> '.join(map(str, widths))}",
                "every layer, and the code, needs at least one number.",
                "Choose a latent and widths of 1 or more.",
            )
        )


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers between these widths, and a ReLU between any two of them.

    Raises:
        DemoError: A width is below 1, e.g. that of a code of no numbers.
    """
    _check(*widths)
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(widths):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class DenseAutoencoder(nn.Module):
    """E.g. `DenseAutoencoder(784, 200, 20)`: 784 -> 200 -> 20 -> 200 -> 784.

    Args:
        widths: Of the pictures, the hidden layers and the code.
    """

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.encoder = mlp(*widths)
        self.decoder = mlp(*reversed(widths))

    def encode(self, x: Tensor) -> Tensor:
        """Pictures `(N, D)` to codes `(N, latent)`."""
        z: Tensor = self.encoder(x).float()
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Codes to logits `(N, D)`."""
        logits: Tensor = self.decoder(z).float()
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions, in [0, 1]."""
        return self.decode(self.encode(x)).sigmoid()


class GaussianVAE(nn.Module):
    """E.g. `GaussianVAE(784, 400, 20)`: 784 -> 400 -> mu and logvar of 20; 20 -> 400 -> 784.

    Args:
        widths: Of the pictures, the hidden layers and the code.
    """

    def __init__(self, *widths: int) -> None:
        super().__init__()
        *outer, latent = widths
        self.encoder = mlp(*outer, 2 * latent)
        self.decoder = mlp(*reversed(widths))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures `(N, D)` to the posterior's `mu` and `logvar`, `(N, latent)` each."""
        mu, logvar = self.encoder(x).float().chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(N, latent)` to logits `(N, D)`."""
        logits: Tensor = self.decoder(z).float()
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions from the posterior's mean, in [0, 1]."""
        return self.decode(self.encode(x)[0]).sigmoid()


def reparameterize(mu: Tensor, logvar: Tensor, noise: torch.Generator | None = None) -> Tensor:
    """One code of each posterior, `mu + exp(logvar / 2) * eps`; `(N, latent)`.

    Args:
        noise: A CPU generator; torch's global one if none.
    """
    eps = torch.randn_like(mu) if noise is None else torch.randn(mu.shape, generator=noise).to(mu)
    return mu + (0.5 * logvar).exp() * eps


class ConvAutoencoder(nn.Module):
    """The lecture's: strides 1, 2, 2, 1 down to 64 maps of 7 x 7, a linear code, and back.

    Transposed convolutions without `output_padding` go 7, 7, 13, 27, 29; the last row and column
    are trimmed.

    Args:
        latent: The code's length; at 2 there are 98,946 parameters on the way to it, 102,017 back.
    """

    def __init__(self, latent: int = 2) -> None:
        super().__init__()
        flat = MAPS[0] * MAPS[1] * MAPS[2]
        _check(flat, latent)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=1, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(64, 64, 3, stride=1, padding=1),
            nn.Flatten(),
            nn.Linear(flat, latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, flat),
            nn.Unflatten(1, MAPS),
            nn.ConvTranspose2d(64, 64, 3, stride=1, padding=1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(64, 64, 3, stride=2, padding=1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=0),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(32, 1, 3, stride=1, padding=0),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Pictures `(N, 1, 28, 28)` to codes `(N, latent)`."""
        z: Tensor = self.encoder(x).float()
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Codes to logits `(N, 1, 28, 28)`."""
        logits: Tensor = self.decoder(z).float()[..., :SIDE, :SIDE]
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions, in [0, 1]."""
        return self.decode(self.encode(x)).sigmoid()


@torch.no_grad()
def start_at_mean(encoder: nn.Sequential, decoder: nn.Sequential, x: Tensor) -> None:
    """Let dense layers start from the mean picture: the rest of training is about differences.

    The encoder's first bias takes the mean off its input, the decoder's last becomes the mean's
    logits. Both stay trainable, and no layer is added.

    Args:
        encoder: Its first layer is linear.
        decoder: Its last layer is linear.
        x: Pictures `(N, D)` in [0, 1].
    """
    mean = x.mean(0)
    first, last = _linears(encoder)[0], _linears(decoder)[-1]
    first.bias.sub_(first.weight @ mean)
    last.bias.copy_(logit(mean))


def _linears(layers: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


class Centred(nn.Module):
    """A network that sees how pictures differ from their mean, and answers with a difference.

    For convolutions, whose biases are the same at every pixel. What it adds is fixed: there are
    as many parameters as before.

    Args:
        network: Has `encode`, from pictures, and `decode`, to logits.
        mean: The mean picture, in [0, 1], without batch dimension.
    """

    mean: Tensor
    mean_logits: Tensor

    def __init__(self, network: nn.Module, mean: Tensor) -> None:
        super().__init__()
        self.network: Any = network
        self.register_buffer("mean", mean)
        self.register_buffer("mean_logits", logit(mean))

    def encode(self, x: Tensor) -> Any:
        """What the network makes of `x - mean`."""
        return self.network.encode(x - self.mean)

    def decode(self, z: Tensor) -> Tensor:
        """Codes to logits: the mean picture's, and what the network adds to them."""
        logits: Tensor = self.mean_logits + self.network.decode(z)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions, in [0, 1]; from the mean code of a posterior."""
        z = self.encode(x)
        return self.decode(z if isinstance(z, Tensor) else z[0]).sigmoid()


def logit(mean: Tensor) -> Tensor:
    """The logits of a mean picture, pixels nearer to 0 or 1 than 0.003 taken as that near."""
    return mean.clamp(LIMIT, 1 - LIMIT).logit()

"""Two VAEs of faces: the source's large one, and one that shows glasses after half a minute.

Both give the posterior as `mu` and `logvar`, `(N, latent)` each. Their error is the squared one,
summed over a picture's numbers. That sum grows with the number of pixels and the KL does not, so
the same loss at another side has another beta: `error_weight` makes up for it.

The small network sees a face as its coordinates on the eigenfaces, the principal axes of the
training pictures. The axes are orthonormal, so a squared error of coordinates is one of pixels,
but for what lies off the axes and no code can change: training needs the coordinates alone, 256
numbers a face in place of 12,288.

    net = EigenfaceVAE(images)
    train(net.core, loss, net.eigenfaces.project(images), ...)
    net.decode(net.encode(images)[0])

Sources: notes on digits and faces, the chapter's face VAE; Turk and Pentland (1991), Eigenfaces
for recognition.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FULL_SIDE = 256
FULL_LATENT = 100


def error_weight(side: int) -> float:
    """By what to multiply a picture's summed error so that it weighs as at 256 x 256.

    At 64 x 64 it is 16: without it, the KL would count 16 times as much.
    """
    return (FULL_SIDE / side) ** 2


class GaussianVAE(nn.Module):
    """An encoder with two heads, and a decoder.

    Args:
        encoder: Data to `(N, width)`.
        width: Numbers that the encoder gives.
        latent: Numbers in a code.
        decoder: Codes `(N, latent)` to data.
    """

    def __init__(self, encoder: nn.Module, width: int, latent: int, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.to_mu, self.to_log_std = nn.Linear(width, latent), nn.Linear(width, latent)
        self.decoder = decoder

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to the posterior's `mu` and `logvar`, `(N, latent)` each, in float32."""
        h = self.encoder(x)
        return self.to_mu(h).float(), 2 * self.to_log_std(h).float()

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(N, latent)` to data, in float32."""
        x_hat: Tensor = self.decoder(z)
        return x_hat.float()

    def forward(self, x: Tensor) -> Tensor:
        """Data to their reconstructions from the posterior's mean; no noise."""
        return self.decode(self.encode(x)[0])


def full_face_vae(latent: int = FULL_LATENT) -> GaussianVAE:
    """The source's network: `(N, 3, 256, 256)` in [0, 1], 63.3 million parameters.

    The sides are 256, 128, 64, 31 and back. All but 0.3 million parameters are in the two layers
    between 31 * 31 * 32 = 30,752 numbers and 1,024.
    """
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(31 * 31 * 32, 1024),
        nn.ReLU(),
    )
    decoder = nn.Sequential(
        nn.Linear(latent, 1024),
        nn.ReLU(),
        nn.Linear(1024, 31 * 31 * 32),
        nn.ReLU(),
        nn.Unflatten(1, (32, 31, 31)),
        nn.ConvTranspose2d(32, 16, 3, stride=2, output_padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1),
        nn.Sigmoid(),
    )
    return GaussianVAE(encoder, 1024, latent, decoder)


class Eigenfaces(nn.Module):
    """The principal axes of pictures, largest variance first; drawn with torch's generator.

    Args:
        images: `(N, C, H, W)`.
        count: How many axes; fewer where there are fewer pictures or pixels.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, images: Tensor, count: int = 256) -> None:
        super().__init__()
        pixels = images.flatten(1)
        mean = pixels.mean(0)
        count = min(count, *pixels.shape)
        self.shape = images.shape[1:]
        self.register_buffer("mean", mean)
        # One pass over the data suffices: variances fall quickly, and the axes need not be exact.
        self.register_buffer("axes", torch.svd_lowrank(pixels - mean, count, niter=1)[2])

    def __len__(self) -> int:
        return self.axes.shape[1]

    def project(self, images: Tensor) -> Tensor:
        """Pictures to coordinates `(N, count)`."""
        return (images.flatten(1) - self.mean) @ self.axes

    def restore(self, coordinates: Tensor) -> Tensor:
        """Coordinates to pictures, not clamped to [0, 1]."""
        images: Tensor = (coordinates @ self.axes.T + self.mean).unflatten(1, self.shape)
        return images


class EigenfaceVAE(nn.Module):
    """A VAE of eigenface coordinates: count -> width -> width -> latent, and back.

    Dense layers know each pixel's place, and faces that look ahead from the same place are what
    they can learn; convolutions of this cost blur glasses away.

    Attributes:
        eigenfaces: Between pictures and coordinates; found, not trained.
        core: Between coordinates and codes; what is trained.

    Args:
        images: `(N, C, H, W)`, the training pictures, of which eigenfaces are taken.
        latent: Numbers in a code.
        width: Of the hidden layers.
        count: How many eigenfaces.
    """

    def __init__(
        self, images: Tensor, latent: int = 64, width: int = 512, count: int = 256
    ) -> None:
        super().__init__()
        self.eigenfaces = Eigenfaces(images, count)
        count = len(self.eigenfaces)
        encoder = nn.Sequential(*_dense(count, width), *_dense(width, width))
        decoder = nn.Sequential(
            *_dense(latent, width), *_dense(width, width), nn.Linear(width, count)
        )
        self.core = GaussianVAE(encoder, width, latent, decoder)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures to the posterior's `mu` and `logvar`, `(N, latent)` each."""
        return self.core.encode(self.eigenfaces.project(x))

    def decode(self, z: Tensor) -> Tensor:
        """Codes `(N, latent)` to pictures `(N, C, H, W)` in [0, 1]."""
        x_hat: Tensor = self.eigenfaces.restore(self.core.decode(z))
        return x_hat.clamp(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions from the posterior's mean; no noise."""
        return self.decode(self.encode(x)[0])


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Linear(inputs, outputs), nn.SiLU()

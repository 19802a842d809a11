"""What demos measure, and what they measure it against. Reductions are named in each docstring."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHUNK = 2_000
"""Pictures that go through a network at once, so that memory does not grow with the data."""


def parameter_count(model: nn.Module) -> int:
    """How many numbers training may change: weights and biases."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@torch.no_grad()
def reconstruct(model: nn.Module, x: Tensor) -> Tensor:
    """`model(x)`, evaluated in chunks and in eval mode; `(N, ...)` to `(N, ...)`."""
    training = model.training
    model.eval()
    x_hat = torch.cat([model(part) for part in x.split(CHUNK)])
    model.train(training)
    return x_hat


def mse(x_hat: Tensor, x: Tensor) -> float:
    """Squared error, mean over pictures and pixels."""
    return (x_hat - x).square().mean().item()


def mean_image_mse(train: Tensor, test: Tensor) -> float:
    """MSE of answering every test picture with the mean of the training pictures.

    The best that a network can do which ignores its input; mean over pictures and pixels.
    """
    return mse(train.mean(0), test)


def pca_mse(train: Tensor, test: Tensor, dimensions: int) -> float:
    """MSE of principal component analysis with as many components; mean over pictures and pixels.

    No linear autoencoder with a code of this size has a smaller error on `train`
    (Bourlard and Kamp, 1988).

    Args:
        train: `(N, D)`; gives the mean and the components.
        test: `(M, D)`.
        dimensions: How many components are kept, at most D.
    """
    mean = train.double().mean(0)
    # eigh of the covariance, since the SVD of the data takes long on 60,000 pictures. In float64,
    # since in float32 eigh fails now and then where most eigenvalues are 0, as with 100 digits.
    covariance = torch.cov(train.double().T, correction=0)
    components = torch.linalg.eigh(covariance).eigenvectors[:, -dimensions:]  # sorted upwards
    centred = test.double() - mean
    return mse(centred @ components @ components.T, centred)

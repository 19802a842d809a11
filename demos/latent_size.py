r"""More numbers in the code rebuild digits better and sharper, until the network is the limit.

**One network, four codes.** A dense autoencoder is trained with a code of 2, 8, 32 and 64 numbers,
alike otherwise,

    x (784) -> 128, ReLU -> z (2, 8, 32 or 64) -> 128, ReLU -> 784, sigmoid -> x_hat

on the mean squared error over N pictures of D = 784 pixels,

    MSE = 1 / (N D) * sum_n sum_d (x_hat_nd - x_nd)^2

**Between what the errors lie.** With no number at all, the best answer is the mean image, whose
MSE is the variance of the pixels. The best *linear* code of k numbers is principal component
analysis (Bourlard and Kamp, 1988): of the variances l_1 >= l_2 >= ... of the pictures along their
principal directions it leaves those from k + 1 on,

    MSE_PCA(k) = 1/D * sum_{i > k} l_i        on the pictures that it was fitted to

These fall off slowly: PCA needs many numbers, but uses every one. A curved code needs few, and is
then short of something else: of examples, of steps, of width in its hidden layers.

**Blur.** Where the code leaves several pictures open, the squared error is least for their mean, so
edges go first. `sharpness` is the squared difference of neighbouring pixels, as a mean.

Source: lecture on convolutional autoencoders, the results with two numbers; notes on digits and
faces, the card on the latent space; Bourlard and Kamp (1988), Auto-association by multilayer
perceptrons and singular value decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- its usual name

from vaeflash.demo import Curves, Figure, Images, Lab, Result
from vaeflash.lab import metrics
from vaeflash.lab.linear import fit_pca
from vaeflash.lab.networks import DenseAutoencoder, start_at_mean
from vaeflash.lab.samples import sharpness
from vaeflash.lab.schedules import linear
from vaeflash.lab.training import train

NEEDS = ("digits",)
SIZES = (2, 8, 32, 64)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    same: int = 0  # give all four codes this many numbers: they are then one network
    hidden: int = 128  # width of the hidden layers; 0 leaves them out, linear but for the sigmoid
    steps: int = 500


def loss(model: DenseAutoencoder, x: Tensor) -> Tensor:
    """Squared error, mean over pictures and pixels."""
    return F.mse_loss(model(x), x)


def fit(latent: int, x: Tensor, params: Params, lab: Lab) -> DenseAutoencoder:
    """An autoencoder with `latent` numbers, trained on pictures `(N, 784)`."""
    widths = (784, params.hidden, latent) if params.hidden else (784, latent)
    model = DenseAutoencoder(*widths).to(lab.device)
    start_at_mean(model.encoder, model.decoder, x)
    train(
        model,
        loss,
        x,
        steps=params.steps,
        batch_size=64,
        optimizer=torch.optim.Adam(model.parameters(), 8e-3, (0.9, 0.99), fused=True),
        generator=lab.generator("batches"),
        schedule=linear(params.steps),
        track=lab.track,
    )
    return model


def sharpness_of(x: Tensor) -> float:
    """Squared difference of neighbouring pixels, mean over pictures `(N, 784)` and pixels."""
    return sharpness(x.view(-1, 1, 28, 28)).mean().item()


def run(params: Params, lab: Lab) -> Result:
    """Train with each size of the code, measure on unseen digits, beside PCA and the mean image."""
    digits = lab.data("digits")
    x_train, x = (part.flatten(1).to(lab.device) for part in (digits.train, digits.test[:1_000]))
    if params.same:
        models = dict.fromkeys(SIZES, fit(params.same, x_train, params, lab))
    else:
        models = {size: fit(size, x_train, params, lab) for size in SIZES}
    rebuilt = {size: metrics.reconstruct(model, x) for size, model in models.items()}
    errors = {size: metrics.mse(x_hat, x) for size, x_hat in rebuilt.items()}
    sharp = {size: sharpness_of(x_hat) / sharpness_of(x) for size, x_hat in rebuilt.items()}

    pca = fit_pca(x_train, max(SIZES))
    scores = pca.encode(x)
    pca_errors = {
        size: metrics.mse(scores[:, :size] @ pca.components[:, :size].T + pca.mean, x)
        for size in SIZES
    }
    mean_image_mse = metrics.mean_image_mse(x_train, x)

    with torch.no_grad():
        numbers = models[64].encode(x[:1]).shape[1]
    rows = {"original": x} | {f"{size} numbers": x_hat for size, x_hat in rebuilt.items()}
    ten = torch.stack([(digits.test_labels == digit).nonzero()[0, 0] for digit in range(10)])
    figures: dict[str, Figure] = {
        "digits": Images(
            "Unseen digits and what is left of them. Two numbers give a blurred digit, sometimes "
            "another one; between 32 and 64 one has to look for the difference.",
            torch.stack([row[ten] for row in rows.values()]).unflatten(-1, (28, 28)).cpu(),
            rows=list(rows),
        ),
        "errors": Curves(
            "Squared error over the size of the code. PCA falls steadily; the autoencoder is far "
            "below it in the middle, and flattens where its hidden layers and training limit it.",
            x=SIZES,
            lines={
                "autoencoder": list(errors.values()),
                "PCA": list(pca_errors.values()),
                "mean image": [mean_image_mse] * len(SIZES),
            },
            x_label="numbers in the code",
            y_label="MSE",
            log_y=True,
        ),
    }
    return Result(
        metrics={
            "mse_2": errors[2],
            "mse_8": errors[8],
            "mse_32": errors[32],
            "mse_64": errors[64],
            "pca_mse_2": pca_errors[2],
            "pca_mse_8": pca_errors[8],
            "pca_mse_64": pca_errors[64],
            "mean_image_mse": mean_image_mse,
            "sharpness_2": sharp[2],
            "sharpness_32": sharp[32],
            "numbers": numbers,
            "pixels": x.shape[1],
        },
        figures=figures,
    )

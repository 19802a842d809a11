r"""A latent survives if its direction's variance exceeds beta times the noise, and dies otherwise.

**A linear VAE.** Encoder and decoder are one matrix each, q has one width for all pictures:

    q(z|x) = N(A^T (x - m), diag(std^2))        p(x|z) = N(W z + m, s^2 I)        A, W: (P, D)

Of its loss nothing need be sampled. With C the covariance of the data and S = diag(std^2),

    error = tr C - 2 tr(W^T C A) + tr(W^T W (A^T C A + S))      E |x - x_hat|^2, summed over P
    KL    = 1/2 (tr(A^T C A) + tr S - D - log det S)            nats, summed over D
    loss  = error / (2 s^2) + beta KL

**Where it ends.** The optimum is probabilistic PCA: one latent for each principal direction, the
largest variance l first, and a latent has

    KL = 1/2 log( l / (beta s^2) )       if l > beta s^2,     else 0: it has collapsed.

So collapse is no accident of training, it has a threshold, and the threshold has a unit: that of
the variance of the data. A weight on the KL and a variance of the decoder are one thing.

**A circle** of radius r has the variance r^2 / 2 along each axis. With r = 3 and s = 1 both latents
fade out at beta = 4.5. Digits have 784 directions, from 5.2 downwards.

**A loss b * (summed squared error) + a * KL** is this one with s^2 = a / (2 b) at beta = 1. Hence

    sum over pixels, b = 1        threshold 1/2      some twenty directions of digits
    mean over pixels, b = 1/784   threshold 392      none: all directions together have 53

Source: Lucas, Tucker, Grosse and Norouzi (2019), Don't blame the ELBO! A linear VAE perspective on
posterior collapse, section 4; Tipping and Bishop (1999), Probabilistic principal component
analysis, eq. 7; notes on density maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vaeflash.demo import Bars, Curves, Figure, Lab, Result, Scatter
from vaeflash.lab.linear import fit_pca, linear_vae_kl, surviving_directions

NEEDS = ("digits",)
PIXELS = 784


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; the defaults are what the claims are about."""

    radius: float = 3.0  # of the circle
    beta: float = 1.0  # of the VAE on the circle
    variance: float = 1.0  # of its decoder, s^2
    reduction: Literal["sum", "mean"] = "sum"  # of the error on digits, over pixels
    digits_beta: float = 4.0  # of the VAE on digits
    latent: int = 16  # on digits; on the circle 2
    digits_steps: int = 400
    steps: int = 400  # on the circle
    rate: float = 0.1  # of learning, on the circle; it falls to 0 along half a cosine


@dataclass(frozen=True, slots=True, eq=False)
class LinearVAE:
    """B linear VAEs side by side, which differ in beta alone.

    Attributes:
        a: Encoders, `(B, P, D)`.
        w: Decoders, `(B, P, D)`.
        log_std: `(B, D)`.
    """

    a: Tensor
    w: Tensor
    log_std: Tensor

    def error(self, c: Tensor) -> Tensor:
        """E |x - x_hat|^2 for data of covariance `c`, `(P, P)`: sum over P; `(B,)`."""
        both = self.w.mT @ self.w
        codes = self.a.mT @ (c @ self.a)
        cross = (self.w * (c @ self.a)).sum((1, 2))
        return c.trace() - 2 * cross + (both * (codes + self.variances())).sum((1, 2))

    def kl(self, c: Tensor) -> Tensor:
        """KL of each latent to the prior, averaged over the data: nats; `(B, D)`."""
        mu2 = (self.a * (c @ self.a)).sum(1)
        return 0.5 * (mu2 + (2 * self.log_std).exp() - 1 - 2 * self.log_std)

    def variances(self) -> Tensor:
        """`(B, D, D)`, diagonal."""
        return torch.diag_embed((2 * self.log_std).exp())


def fit(
    c: Tensor, latent: int, betas: Tensor, s2: float, steps: int, rate: float, lab: Lab
) -> LinearVAE:
    """Minimise error / (2 s2) + beta KL from small random matrices, for each beta."""
    g = lab.generator(f"initial/{len(c)}")
    shape = (len(betas), len(c), latent)
    a, w = (torch.randn(shape, generator=g).to(c) / math.sqrt(len(c)) for _ in range(2))
    vae = LinearVAE(a.requires_grad_(), w.requires_grad_(), a.new_zeros(a[:, 0].shape))
    vae.log_std.requires_grad_()
    optimizer = torch.optim.Adam([vae.a, vae.w, vae.log_std], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in lab.track(range(steps), "training"):
        optimizer.zero_grad()
        loss = vae.error(c) / (2 * s2) + betas * vae.kl(c).sum(1)
        loss.sum().backward()
        optimizer.step()
        schedule.step()
    return vae


def circle(n: int, radius: float, g: torch.Generator) -> Tensor:
    """Points drawn from a circle, `(n, 2)`."""
    angle = 2 * math.pi * torch.rand(n, generator=g)
    return radius * torch.stack([angle.cos(), angle.sin()], 1)


@torch.no_grad()
def rebuilt(vae: LinearVAE, x: Tensor, which: list[int], names: list[float]) -> Scatter:
    """The circle, and what some of the VAEs make of it from the posteriors' means."""
    mean = x.mean(0)
    rounds = [x, *(mean + (x - mean) @ vae.a[i] @ vae.w[i].T for i in which)]
    shown = ", ".join(f"{n + 1}: beta {name:g}" for n, name in enumerate(names))
    return Scatter(
        f"The circle (0) and its reconstructions from mean codes ({shown}). They shrink towards "
        "the mean, and reach it where the last latent dies.",
        torch.cat([part[:150] for part in rounds]).cpu(),
        torch.arange(len(rounds)).repeat_interleave(min(150, len(x))),
    )


def run(params: Params, lab: Lab) -> Result:
    """Fit linear VAEs to a circle at many betas, and to digits at one; compare with theory."""
    x = circle(2_000, params.radius, lab.generator("circle")).to(lab.device)
    c = torch.cov(x.T, correction=0)
    grid = torch.cat([torch.tensor([params.beta]), torch.arange(0.25, 7.1, 0.25)]).to(c)
    vae = fit(c, 2, grid, params.variance, params.steps, params.rate, lab)
    kl = vae.kl(c).detach()
    variances = fit_pca(x).eigenvalues
    theory = torch.stack([linear_vae_kl(variances, params.variance, b) for b in grid.tolist()])
    measured = kl.sort(1, descending=True).values
    faded = grid[1:][kl[1:].sum(1) < 0.01]

    pixels = lab.data("digits").train.flatten(1).to(lab.device)
    directions = fit_pca(pixels)
    scale = 0.5 if params.reduction == "sum" else PIXELS / 2
    covariance = torch.cov(pixels.T, correction=0)
    weight = torch.tensor([params.digits_beta]).to(c)
    on_digits = fit(covariance, params.latent, weight, scale, params.digits_steps, 0.02, lab)
    digits_kl = on_digits.kl(covariance)[0].detach().sort(descending=True).values
    kept = directions.eigenvalues[: params.latent]
    digits_theory = linear_vae_kl(kept, scale, params.digits_beta)
    threshold = params.digits_beta * scale

    shown = [i for i in (2, 10, 17) if i < len(grid)]
    figures: dict[str, Figure] = {
        "fading": Curves(
            "KL of both latents of a linear VAE on a circle. The formula says where it fades out: "
            "at beta = the variance along an axis, over the decoder's.",
            x=grid[1:].cpu(),
            lines={
                "trained": measured[1:].sum(1).cpu(),
                "1/2 log(l / (beta s^2)), summed": theory[1:].sum(1).cpu(),
            },
            x_label="beta",
            y_label="KL, nats",
        ),
        "circle": rebuilt(vae, x, shown, [grid[i].item() for i in shown]),
        "spectrum": Curves(
            "The directions of the digits by their variance. What is under the line of the summed "
            "error dies; the averaged error's line, at 392, lies far above the picture.",
            x=range(1, 61),
            lines={
                "variance": directions.eigenvalues[:60].cpu(),
                "summed error: 1/2": [0.5] * 60,
                f"this run: {threshold:g}": [threshold] * 60,
            },
            x_label="principal direction",
            y_label="variance",
            log_y=True,
        ),
        "digits": Bars(
            "KL of each latent of a linear VAE on digits, trained (t) and by the formula (f).",
            {
                f"{letter} {i + 1}": values[i].item()
                for i in range(min(8, params.latent))
                for letter, values in (("t", digits_kl), ("f", digits_theory))
            },
            y_label="nats",
        ),
    }
    return Result(
        metrics={
            "kl_nats": kl[0].sum().item(),
            "predicted_kl_nats": theory[0].sum().item(),
            "max_kl_error_nats": (measured - theory).abs().max().item(),
            "fades_at_beta": faded.min().item() if len(faded) else math.inf,
            "axis_variance": variances.mean().item(),
            "digits_active": int((digits_kl > 0.01).sum()),
            "digits_predicted": min(
                params.latent,
                surviving_directions(directions.eigenvalues, scale, params.digits_beta),
            ),
            "digits_kl_nats": digits_kl.sum().item(),
            "digits_max_kl_error_nats": (digits_kl - digits_theory).abs().max().item(),
            "largest_variance": directions.eigenvalues[0].item(),
            "all_variance": directions.eigenvalues.sum().item(),
            "above_one_half": surviving_directions(directions.eigenvalues, 0.5),
        },
        figures=figures,
    )

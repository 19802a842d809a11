r"""At full size, cubes of 32^3 to 512 numbers, the sources' own network rebuilds an unseen scroll.

`scroll-vae` shows it with cubes of 16^3 on a CPU. This is the same training with the network of the
notes, 4,655,905 parameters from random weights, and asks for a GPU: 5 million cubes are some
1.3e16 operations. On paper that is a minute or two for a GPU, and days for a CPU's thread.

The line to beat is again that of as many principal components, here 512.

    torchrun --nproc-per-node 8 -m vaeflash demo scroll-vae-full

Source: notes on the scroll.
"""

from __future__ import annotations

from dataclasses import dataclass

from vaeflash.demo import Lab, Result

from . import scroll_vae

NEEDS = ("cuda", "scroll")


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader may turn; -1: as the size has it."""

    scroll: str = "phantom"
    steps: int = -1
    batch: int = -1  # cubes in a step, of all processes together
    checkpoint: str = ""


def run(params: Params, lab: Lab) -> Result:
    """Train the sources' network on one scroll and measure it on another."""
    full = scroll_vae.Params(
        scroll=params.scroll,
        size="full",
        steps=params.steps,
        batch=params.batch,
        checkpoint=params.checkpoint,
    )
    found = scroll_vae.run(full, lab)
    metrics = found.metrics
    return Result(
        metrics={
            "ev": metrics["ev"],
            "ev_sampled": metrics["ev_sampled"],
            "ev_seen": metrics["ev_seen"],
            "pca_ev": metrics["pca_ev"],
            "kl_nats": metrics["kl_nats"],
            "active_units": metrics["active_units"],
            "parameters": metrics["parameters"],
        },
        figures=found.figures,
    )

"""What processes do that train together; `test_distributed` starts two of them.

    python joined_training.py FOLDER

The processes find each other through a file in the folder, and each writes there what it found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vaeflash.errors import DataError
from vaeflash.lab.checkpoints import Checkpoint
from vaeflash.lab.elbo import kl_to_prior
from vaeflash.lab.volumes.cubes import Cubes
from vaeflash.lab.volumes.distributed import Team, joined
from vaeflash.lab.volumes.fitting import fit, one_cycle
from vaeflash.lab.volumes.networks import Size, VolumeVAE, strided_vae
from vaeflash.lab.volumes.places import Uniform
from vaeflash.lab.volumes.volume import whole

SHAPE = (12, 13, 14)
BATCH = 8
STEPS = 10
SOME = 5
"""After which a run is broken off."""


def train(team: Team, folder: Path, steps: int = STEPS, norm: Any = "group") -> dict[str, Any]:
    """Some steps of a VAE, noise included, from seed 0; going on where a checkpoint is."""
    torch.manual_seed(team.rank)  # other weights in every process: rank 0's are what counts
    model = strided_vae(Size(8, 4, 2, 3), norm=norm)
    voxels = torch.randint(256, SHAPE, generator=torch.Generator().manual_seed(0)).byte()
    places = Uniform(whole(SHAPE), (8, 8, 8))
    seed = torch.Generator().manual_seed(0)
    cubes = Cubes(voxels, places, BATCH, seed, shard=team.shard)
    torch.manual_seed(7)
    shown: list[int] = []

    def loss(model: VolumeVAE, x: Tensor) -> Tensor:
        mu, logvar = model.encode(x)
        z = mu + (0.5 * logvar).exp() * team.noise(mu)
        error = (model.decode(z) - x).square().flatten(1).sum(1)
        return (error + kl_to_prior(mu, logvar)).mean()

    def track(items: Iterable[int], _: str) -> Iterator[int]:
        for item in items:
            shown.append(item)
            yield item

    folder.mkdir(exist_ok=True)
    losses = fit(
        model,
        loss,
        cubes,
        steps=steps,
        optimizer=torch.optim.Adam(model.parameters(), lr=0.01),
        schedule=one_cycle(STEPS),
        track=track,
        checkpoint=Checkpoint(folder / "run.pt", every=3),
        team=team,
    )
    weights = nn.utils.parameters_to_vector(model.parameters()).detach()
    return {"losses": losses, "weights": weights, "shown": shown}


def disagreement(team: Team) -> str:
    """What is said where each process found another number."""
    try:
        team.require_agreement("a checkpoint", 3 + team.rank)
    except DataError as error:
        return str(error)
    return ""


def main() -> None:
    """Join, do everything, write what came out."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    with joined(torch.device("cpu"), f"file://{folder}/rendezvous") as team:
        found = {
            "whole": train(team, folder / "whole"),
            "begun": train(team, folder / "begun", SOME),
            "ended": train(team, folder / "to-end"),
            "batch norm": train(team, folder / "batch-norm", 1, "batch"),
            "disagreement": disagreement(team),
        }
    torch.save(found, folder / f"found-{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main()

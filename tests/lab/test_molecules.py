"""Density maps: standardised, all different, of chains that keep their distances."""

from __future__ import annotations

import pytest
import torch
from sklearn.decomposition import PCA

from vaeflash.lab import datasets
from vaeflash.lab.folding import APART, BOND, fold
from vaeflash.lab.molecules import SIDE, Molecules, _turned, blurred, draw


def molecules(seed: int = 0) -> Molecules:
    loaded = datasets.load("molecules", torch.Generator().manual_seed(seed))
    assert isinstance(loaded, Molecules)
    return loaded


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


TAKEN = molecules().take(train=100, test=40)
CHAINS = fold(60, generator())


def test_maps_come_in_the_numbers_asked_for():
    assert TAKEN.train.shape == (100, 1, 35, 35, 35)
    assert (TAKEN.test.shape, TAKEN.train.dtype) == ((40, 1, 35, 35, 35), torch.float32)


def test_each_map_has_mean_0_and_variance_1():
    flat = torch.cat([TAKEN.train, TAKEN.test]).flatten(1).double()

    torch.testing.assert_close(flat.mean(1), torch.zeros(140).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        flat.var(1, correction=0), torch.ones(140).double(), atol=1e-5, rtol=0
    )


@pytest.mark.slow
def test_taking_twice_takes_the_same_maps():
    source = molecules()

    assert torch.equal(source.take(40, 8).train, source.take(40, 8).train)


def test_another_seed_draws_other_molecules():
    assert not torch.equal(molecules(1).take(1, 8).test, molecules(2).take(1, 8).test)


def test_more_to_train_on_changes_no_map_that_is_unseen():
    source = molecules()

    assert torch.equal(source.take(1, 8).test, source.take(50, 8).test)


def test_ten_components_do_not_explain_the_maps():
    """Of the same number of Gaussian blobs at fixed places they would."""
    flat = TAKEN.train.flatten(1).numpy()

    assert PCA(10).fit(flat).explained_variance_ratio_.sum() < 0.9


def test_molecules_are_no_two_alike():
    flat = TAKEN.train.flatten(1)

    likeness = flat @ flat.T / SIDE**3
    assert (likeness - likeness.diag().diag()).max() < 0.8


def test_density_lies_in_the_middle_of_its_box():
    """The border is the map's darkest part: no molecule is cut off."""
    maps = TAKEN.train[:, 0]

    faces = [maps[:, i] for i in (0, -1)] + [maps[:, :, i] for i in (0, -1)]
    assert maps[:, 12:23, 12:23, 12:23].mean() > 0.3
    assert torch.stack(faces).mean() < -0.2


def test_a_blur_is_the_sum_of_its_gaussians():
    """Against the formula, voxel by voxel."""
    places, weights = (
        torch.tensor([[[1.5, -2.0, 0.0], [-4.0, 0.25, 6.0]]]),
        torch.tensor([[2, 0.5]]),
    )
    grid = torch.arange(35) - 17.0
    z, y, x = torch.meshgrid(grid, grid, grid, indexing="ij")

    density = blurred(places, weights, 1.7)[0]

    expected = sum(
        w * torch.exp(-((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) / (2 * 1.7**2))
        for (a, b, c), w in zip(places[0].tolist(), weights[0].tolist(), strict=True)
    )
    torch.testing.assert_close(density, expected)


def test_a_coarser_resolution_is_smoother():
    def roughness(resolution: float) -> float:
        maps = draw(4, generator(), resolution)[:, 0]
        return float(maps.diff(dim=1).square().mean())

    assert roughness(4) > 2 * roughness(8)


def test_neighbours_along_a_chain_keep_their_distance():
    bonds = CHAINS.diff(dim=1).norm(dim=2)

    assert bonds.mean() == pytest.approx(BOND, abs=0.1)
    assert (bonds - BOND).abs().mean() < 0.4


def test_other_residues_stay_apart():
    """A random walk of the same bonds is the control: it runs through itself."""
    along = torch.arange(64)
    distant = (along[:, None] - along).abs() > 3
    walk = torch.randn(60, 64, 3, generator=generator()).mul(BOND / 3**0.5).cumsum(1)

    near, near_walk = (
        (torch.cdist(c, c)[:, distant] < 0.75 * APART).float().mean().item() for c in (CHAINS, walk)
    )

    assert near < near_walk / 5


def test_chains_are_as_compact_as_proteins():
    """R = 2.2 N^0.38 angstrom, the radius of gyration of N residues (Skolnick et al., 1997)."""
    radius = CHAINS.square().sum(2).mean(1).sqrt()

    assert radius.mean() == pytest.approx(2.2 * 64**0.38, rel=0.1)


def test_turning_keeps_distances_and_handedness():
    turned = _turned(CHAINS, generator())

    torch.testing.assert_close(
        torch.cdist(turned, turned), torch.cdist(CHAINS, CHAINS), atol=0.02, rtol=0
    )
    volumes = [torch.linalg.det(c[:, 10:13]) for c in (CHAINS, turned)]
    torch.testing.assert_close(*volumes, atol=0.05, rtol=1e-3)


def test_every_direction_is_as_likely():
    """One chain turned many times: its first residue goes everywhere."""
    many = CHAINS[:1].expand(4000, -1, -1)

    first = torch.nn.functional.normalize(_turned(many, generator())[:, 0], dim=1)

    assert first.mean(0).abs().max() < 0.05
    torch.testing.assert_close(first.T @ first / 4000, torch.eye(3) / 3, atol=0.03, rtol=0)

"""`vaeflash doctor --loss`: from a training script to a sentence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vaeflash.cli import app

SCRIPT = """
import torch
from torch.nn import functional as F

def published(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 784), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

def averaged(recon_x, x, mu, logvar):
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1)
    return F.mse_loss(recon_x, x) + kl.mean()

def mixed(recon_x, x, mu, std):
    return F.mse_loss(recon_x, x, reduction="sum") - 0.5 * (1 + std**2 - mu**2 - std.exp()).sum()

def uneven(recon_x, x, mu, logvar):
    return F.mse_loss(recon_x, x) - 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()

def backwards(recon_x, x, mu, logvar):
    return F.mse_loss(recon_x, x) + 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()

number = 3
"""


def cli(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "my_vae.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("published", "beta = 1.", 0),
        ("averaged", "Linear theory sees it collapse", 1),
        ("mixed", "The KL term is not the closed form", 1),
        ("uneven", "twice the batch is 2 times beta", 1),
        ("backwards", "wrong sign", 1),
    ],
)
def test_a_loss_is_told_what_it_amounts_to(script: Path, name: str, said: str, code: int):
    result = cli("doctor", "--loss", f"{script}:{name}")

    assert (said in " ".join(result.stdout.split()), result.exit_code) == (True, code)


@pytest.mark.slow
def test_the_json_says_the_same(script: Path) -> None:
    document = json.loads(cli("doctor", "--loss", f"{script}:averaged", "--json").stdout)

    assert (document["beta"], document["collapses"]) == (pytest.approx(784, rel=1e-4), True)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{}:nothing", "it has no function 'nothing'"),
        ("{}:number", "it has no function 'number'"),
        ("{}", "this is not FILE:FUNCTION"),
        ("{}.txt:f", "there is no such file"),
    ],
)
def test_a_target_that_is_none_is_bad_usage(script: Path, target: str, said: str) -> None:
    result = cli("doctor", "--loss", target.format(script))

    assert (said in " ".join(result.stderr.split()), result.exit_code) == (True, 2)


def test_a_script_that_cannot_be_imported_is_named(script: Path) -> None:
    script.write_text("1 / 0")

    result = cli("doctor", "--loss", f"{script}:f")

    assert ("ZeroDivisionError" in result.stderr, result.exit_code) == (True, 2)


@pytest.mark.parametrize("shape", ["3,x", "0,4", "1.5", ","])
def test_a_shape_that_is_none_is_bad_usage(script: Path, shape: str) -> None:
    result = cli("doctor", "--loss", f"{script}:averaged", "--shape", shape)

    assert ("this is not a shape" in result.stderr, result.exit_code) == (True, 2)

"""`doctor --loss`: what beta a user's VAE loss amounts to, and whether it will collapse."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from vaeflash.cli.screen import Screen
from vaeflash.errors import DemoError, Problem

if TYPE_CHECKING:
    from vaeflash.lab.loss_scale import Scale, Term


def weigh(
    target: str, screen: Screen, *, latents: int, shape: tuple[int, ...] = (), as_json: bool
) -> bool:
    """Measure the loss FILE:FUNCTION and print what it amounts to.

    The file is imported, so its code runs: the user named it.

    Args:
        target: FILE:FUNCTION.
        screen: Where to print.
        latents: Numbers in a code.
        shape: Of one picture as the function wants it; pictures come flat, `(N, 784)`, if empty.
        as_json: Print one JSON document instead.

    Returns:
        Whether nothing that was measured speaks against training with it.

    Raises:
        DemoError: There is no such function, or it cannot be called as a loss.
    """
    # Late, since it brings torch.
    lab = importlib.import_module("vaeflash.lab.loss_scale")
    loss = lab.as_loss(load(target), target, shape)
    scale: Scale = lab.weigh(loss, latents, shape)
    if as_json:
        screen.json("doctor", {"loss": target} | scale_json(scale))
    else:
        _print(target, scale, screen)
    return scale.sound


def read_shape(text: str) -> tuple[int, ...]:
    """The sides of a picture, written `3,64,64`; nothing for no text.

    Raises:
        DemoError: They are not positive whole numbers.
    """
    sides = [side.strip() for side in text.split(",")] if text else []
    if not all(side.isdecimal() and int(side) for side in sides):
        raise _error(f"--shape {text}", "this is not a shape.", "For example: --shape 3,64,64")
    return tuple(map(int, sides))


def load(target: str) -> Callable[..., Any]:
    """The function that FILE:FUNCTION names.

    Raises:
        DemoError: The text is no such pair, or the file or the function is not there or fails.
    """
    file, colon, name = target.rpartition(":")
    path = Path(file).expanduser()
    if not (file and colon and name):
        raise _error(target, "this is not FILE:FUNCTION.", "For example: my_vae.py:loss_function")
    if not path.is_file():
        raise _error(file, "there is no such file.", "Name the Python file that holds the loss.")
    spec = importlib.util.spec_from_file_location(f"vaeflash_loss_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _error(file, "this is not a Python file.", "Name the .py file that holds the loss.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    sys.path.insert(0, str(path.parent.absolute()))  # as if the file had been run
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        what = f"importing it raised {type(error).__name__}: {error}"
        advice = "Importing it must not train: put that under `if __name__ == '__main__':`."
        raise _error(file, what, advice) from error
    finally:
        sys.path.pop(0)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        advice = f"Functions there: {', '.join(known) or 'none'}."
        raise _error(file, f"it has no function '{name}'.", advice)
    called: Callable[..., Any] = function
    return called


def scale_json(scale: Scale) -> dict[str, Any]:
    """The measurement as `--json` prints it; docs/json.md describes it."""
    return asdict(scale) | {
        "beta": scale.beta if scale.known else None,
        "known": scale.known,
        "sound": scale.sound,
        "collapses": scale.collapses if scale.surviving is not None else None,
    }


def _error(where: str, what: str, advice: str) -> DemoError:
    return DemoError(Problem(where, what, advice))


def _print(target: str, scale: Scale, screen: Screen) -> None:
    screen.print(Text(target, style="bold"), soft_wrap=True)
    for name, term, size in (
        ("reconstruction", scale.reconstruction, scale.pixels),
        ("KL", scale.kl, scale.latents),
    ):
        line = Text.assemble((f"  {name:15s}", "dim"), term_text(term, size, scale.batch_size))
        screen.print(line, soft_wrap=True)
    for sign, colour, text in findings(scale):
        screen.print(Padding(Text.assemble((f"{sign} ", colour), text), (0, 0, 0, 2)))


def term_text(term: Term, size: int, batch_size: int) -> str:
    """A term in words: what it is, and how it is reduced."""
    if not term.kind:
        return f"not recognised: the nearest fit leaves {term.misfit:.1%} of it unexplained"
    if term.weight == 0:
        return "absent: the loss does not depend on it"
    weight = term.weight
    over_batch = "averaged over the batch"
    if abs(term.batch - 2) < 0.01:
        weight, over_batch = weight / batch_size, "summed over the batch"
    elif abs(term.batch - 1) > 0.01:
        over_batch = f"growing {term.batch:.3g} times when the batch doubles"
    inner = f"summed, times {weight:.3g}"
    if abs(weight - 1) < 1e-3:
        inner = "summed"
    elif abs(weight * size - 1) < 1e-3:
        inner = f"averaged over {size} numbers"
    return f"{term.kind}, {inner} within a picture; {over_batch}"


def findings(scale: Scale) -> list[tuple[str, str, str]]:
    """What follows, most important first: sign, colour, sentence."""
    if not scale.kl.kind:
        yours = "The KL term is not the closed form to N(0, I), 1/2 sum(mu^2 + s^2 - 1 - log s^2)"
        return [("✘", "red", f"{yours}, times any weight. Check signs, squares and exponents.")]
    if not scale.reconstruction.kind:
        kinds = "squared error, cross-entropy or absolute error"
        return [("–", "yellow", f"The reconstruction is none of {kinds}: no beta can be named.")]
    if not scale.reconstruction.weight:
        return [("✘", "red", "Without a reconstruction nothing is left to encode.")]
    found = [("•", "cyan", f"{_beta(scale)}.")]
    if scale.kl.weight < 0:
        return [*found, ("✘", "red", "The KL has the wrong sign: the loss rewards divergence.")]
    if not scale.even:
        change = scale.kl.batch / scale.reconstruction.batch
        found.append(
            (
                "✘",
                "red",
                f"The balance depends on the batch: twice the batch is {change:.3g} times beta. "
                "Reduce both terms over the batch in the same way.",
            )
        )
    if scale.threshold is not None:
        found.append(_survival(scale, f"{scale.threshold:.3g}"))
    if abs(scale.beta - 1) > 1e-3 and scale.kl.weight:
        factor = 1 / scale.beta
        found.append(("•", "cyan", f"For beta = 1 multiply the KL by {factor:.4g}."))
    return found


def _beta(scale: Scale) -> str:
    said = f"Per picture it is the summed {scale.reconstruction.kind} + {scale.beta:.4g} x KL"
    if scale.reconstruction.kind == "squared error":
        variance = scale.beta / 2
        return f"{said}: Gaussian pixels of variance {variance:.3g} (deviation {variance**0.5:.3g})"
    return f"{said}: beta = {scale.beta:.4g}"


def _survival(scale: Scale, limit: str) -> tuple[str, str, str]:
    rule = f"a latent needs a direction of variance above {limit}"
    seen = "no pictures with values in 0..1 have one"
    if scale.largest is not None:
        seen = f"the largest in the pictures is {scale.largest:.3g}"
    if scale.collapses:
        return ("✘", "red", f"Linear theory sees it collapse: {rule}, {seen}.")
    if scale.surviving is None:
        return ("•", "cyan", f"To survive by linear theory {rule}.")
    kept = f"{scale.surviving} of {scale.latents} latents survive"
    return ("✔", "green", f"By linear theory {kept}: {rule}, {seen}.")

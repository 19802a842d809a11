"""A demo's code as sixteen hex digits that change when, and only when, its code does.

The fingerprint covers the demo and every module of its course and of the lab that it imports. It
is taken over syntax trees, so comments, layout and docstrings do not count; docs/decisions has the
reasons. Walking trees takes most of the time of `vaeflash list`, so what a module comes to is
remembered beside the run cache, under a hash of its text.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vaeflash.errors import DemoError, Problem, VaeflashError
from vaeflash.files import cache_folder, read_text, write_atomically

FORMAT = 1
LAB = Path(__file__).with_name("lab")


def fingerprint(path: Path) -> str:
    """The fingerprint of the demo in a file.

    The lab's bench counts for every demo, since every run goes through it.

    Raises:
        CourseError: A module cannot be read.
        DemoError: A module is not Python.
    """
    seen: dict[Path, str] = {}
    waiting = [path.resolve(), LAB / "bench.py"]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            code = _code_of(module)
            seen[module] = code.digest
            waiting += [path for path in map(module.with_name, code.siblings) if path.is_file()]
            waiting += [path for path in map(LAB.joinpath, code.lab) if path.is_file()]
    # Where the course and the package lie must not show, not even in the order.
    parts = sorted(f"{m.parent.name}/{m.name} {digest}\n" for m, digest in seen.items())
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Code:
    """What a module comes to.

    Attributes:
        digest: Of its syntax tree.
        siblings: Files that it may import from its own folder.
        lab: Files that it may import from the lab.
    """

    digest: str
    siblings: tuple[str, ...]
    lab: tuple[str, ...]


@cache
def _code_of(module: Path) -> Code:
    text = read_text(module)
    key = hashlib.sha256(f"{FORMAT}\n{text}".encode()).hexdigest()
    remembered = cache_folder() / "code" / key[:2] / key[2:]
    code = _recall(remembered)
    if code is None:
        tree = parse_module(module, module.name)
        digest = hashlib.sha256(canonical(tree).encode()).hexdigest()
        code = Code(digest, *map(tuple, map(sorted, _imports(tree))))
        lines = "\n".join([digest, " ".join(code.siblings), " ".join(code.lab)])
        # Only time is lost where nothing can be remembered.
        with contextlib.suppress(VaeflashError):
            write_atomically(remembered, lines)
    return code


def _recall(path: Path) -> Code | None:
    """What was remembered, unless the file is not there or not whole."""
    with contextlib.suppress(OSError, ValueError):
        digest, siblings, lab = path.read_text(encoding="utf-8").split("\n")
        if re.fullmatch("[0-9a-f]{64}", digest):
            return Code(digest, tuple(siblings.split()), tuple(lab.split()))
    return None


def _imports(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Files beside a module, and files of the lab, that it may import."""
    siblings, lab = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            lab |= {file for name in node.names for file in _lab_files(name.name)}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            base = node.module or ""
            lab |= {f for n in node.names for f in _lab_files(f"{base}.{n.name}")}
            lab |= set(_lab_files(base))
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [name.name for name in node.names]
            siblings |= {name.replace(".", "/") + ".py" for name in names}
    return siblings, lab


def _lab_files(dotted: str) -> Iterator[str]:
    """The file of a module of the lab, from the lab's folder; nothing for any other module."""
    if dotted == "vaeflash.lab":
        yield "__init__.py"
    elif dotted.startswith("vaeflash.lab."):
        yield dotted.removeprefix("vaeflash.lab.").replace(".", "/") + ".py"


def parse_module(path: Path, shown: str) -> ast.Module:
    """The syntax tree of a Python file.

    Raises:
        CourseError: The file cannot be read.
        DemoError: It is not Python; the message names the line.
    """
    try:
        return ast.parse(read_text(path, shown))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise DemoError(
            Problem(f"{shown}:{line}", f"this is not Python: {error.args[0]}.", "Mend the demo.")
        ) from error


def canonical(node: ast.AST) -> str:
    """A syntax tree as text: without positions or docstrings, the same on every Python version.

    `ast.dump` is not: newer versions add fields and leave out empty ones.
    """
    parts = []
    for name, value in ast.iter_fields(node):
        if value is None or value == [] or name in ("kind", "type_comment", "ctx"):
            continue
        if isinstance(value, list):
            documented = isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            items = value[1:] if documented and name == "body" and _is_text(value[0]) else value
            inner = ",".join(
                canonical(item) if isinstance(item, ast.AST) else repr(item) for item in items
            )
            parts.append(f"{name}=[{inner}]")
        else:
            text = canonical(value) if isinstance(value, ast.AST) else repr(value)
            parts.append(f"{name}={text}")
    return f"{type(node).__name__}({','.join(parts)})"


def _is_text(statement: Any) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

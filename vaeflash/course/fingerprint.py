"""A demo's code as sixteen hex digits that change when, and only when, its code does.

The fingerprint covers the demo and every module of its course and of the lab that it imports; a
data set in NEEDS counts as an import of the module that loads it. It is taken over syntax trees, so
comments, layout and docstrings do not count; docs/decisions has the reasons, and what an import is
that nobody can follow. Walking trees takes most of the time of `vaeflash list`, so what a module
comes to is remembered beside the run cache, under a hash of its text.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vaeflash.errors import DemoError, Problem, VaeflashError
from vaeflash.files import cache_folder, read_sealed, read_text, write_sealed

FORMAT = 3
LAB = Path(__file__).parents[1] / "lab"
DATA = "vaeflash.lab"
"""Where the module is that loads a data set."""
_WITHOUT_EFFECT = ("kind", "type_comment", "ctx")
"""Fields of syntax trees that layout or position decide."""


def fingerprint(path: Path) -> str:
    """The fingerprint of the demo in a file.

    Raises:
        CourseError: A module cannot be read.
        DemoError: A module is not Python.
    """
    lines = sorted(f"{place} {digest}\n" for place, digest in covered(path).items())
    return _sha256("".join(lines))[:16]


def covered(path: Path) -> Mapping[str, str]:
    """Each module that the fingerprint of a demo covers -> digest of its syntax tree.

    Modules go by their place in the course or the lab (`demos/pca.py`, `lab/metrics.py`), never
    by where those lie. The lab's bench counts for every demo, since every run goes through it.

    Raises:
        CourseError: A module cannot be read.
        DemoError: A module is not Python.
    """
    # Not resolved: a demo that is a link imports what lies beside the link.
    demo = path.absolute()
    digests: dict[str, str] = {}
    bench = _counting(_files("vaeflash.lab.bench", demo, demo.parent), demo.parent)
    waiting = [demo, *map(Path, bench)]
    while waiting:
        module = waiting.pop()
        place = _place(str(module), demo.parent)
        if place not in digests:
            digests[place] = _code_of(module).digest
            waiting += _imported(module, demo.parent)
    return digests


def code_digest(module: Path) -> str:
    """The digest of a module's syntax tree, 64 hex digits; what it imports does not count.

    Raises:
        CourseError: It cannot be read.
        DemoError: It is not Python.
    """
    return _code_of(module).digest


def text_of(module: Path) -> str:
    """A module's text, to be run: it is the one that its fingerprint is of.

    Raises:
        CourseError: It cannot be read.
        DemoError: It is not Python, or was edited since this process has read it.
    """
    text = read_text(module)
    if _code_of(module).key != _key(text):
        raise DemoError(
            Problem(str(module), "this was edited since the command began.", "Run it again.")
        )
    return text


def forget() -> None:
    """Read modules anew: one was edited since this process has read it."""
    _code_of.cache_clear()
    _imported.cache_clear()


@cache
def _imported(module: Path, demos: Path) -> tuple[Path, ...]:
    """The modules of the course and the lab that a module imports."""
    files = (file for name in _code_of(module).imports for file in _files(name, module, demos))
    return tuple(map(Path, dict.fromkeys(_counting(files, demos))))


def _counting(files: Iterable[str], demos: Path) -> Iterator[str]:
    """Those of the files that exist and belong to the course's demos or to the lab."""
    return (file for file in files if _place(file, demos) and os.path.isfile(file))  # noqa: PTH113


def _place(module: str, demos: Path) -> str:
    """A module's path in the course or the lab; empty for any other, which does not count."""
    for name, root in (("demos", f"{demos}{os.sep}"), ("lab", f"{LAB}{os.sep}")):
        if module.startswith(root):
            return f"{name}/{module.removeprefix(root).replace(os.sep, '/')}"
    return ""


def _files(name: str, module: Path, demos: Path) -> Iterator[str]:
    """The files that may run when `module` imports a dotted name: it, and packages on the way."""
    # As text: pathlib would take most of the time of `vaeflash list`.
    bare = name.lstrip(".")
    parts = bare.split(".")
    folders: Sequence[Path]
    if level := len(name) - len(bare):
        folders = module.parents[level - 1 : level]
    elif parts[0] == "vaeflash":
        folders, parts = [LAB.parent], parts[1:]
    else:
        # No run finds its course this way, unless Python's search path happens to name it.
        folders = [demos, demos.parent]
    for folder in map(str, folders):
        for part in parts:
            if part == "*":  # what `__all__` may name
                yield from map(str, Path(folder).rglob("*.py"))
            yield f"{folder}{os.sep}{part}.py"
            folder = f"{folder}{os.sep}{part}"
            yield f"{folder}{os.sep}__init__.py"


@dataclass(frozen=True, slots=True)
class Code:
    """What a fingerprint needs to know of a module.

    Attributes:
        key: Hash of its text.
        digest: Of its syntax tree.
        imports: Dotted names that it may import, as it writes them: `math`, `.helper`, `..a.b`.
    """

    key: str
    digest: str
    imports: tuple[str, ...]


@cache
def _code_of(module: Path) -> Code:
    text = read_text(module)
    key = _key(text)
    remembered = cache_folder() / "code" / key[:2] / key[2:]
    code = _recall(remembered, key)
    if code is None:
        tree = parse_module(module, module.name)
        code = Code(key, _sha256(canonical(tree)), tuple(sorted(_imports(tree))))
        # Only time is lost where nothing can be remembered.
        with contextlib.suppress(VaeflashError):
            write_sealed(remembered, "\n".join([code.digest, *code.imports]))
    return code


def _key(text: str) -> str:
    """The key of a module's text in the cache on disk."""
    return _sha256(f"{FORMAT}\n{text}")


def _recall(path: Path, key: str) -> Code | None:
    """What the cache holds of a text; none if the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        digest, *imports = read_sealed(path).split("\n")
        return Code(key, digest, tuple(imports))
    return None


def _imports(tree: ast.Module) -> set[str]:
    """Dotted names that a module may import, at its top or late."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # What stands behind `import` may be a module or something inside of one.
            base = "." * node.level + (f"{node.module}." if node.module else "")
            names |= {base + alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {f"{DATA}.{name}" for name in _needs(node)}
    return names


def _needs(node: ast.Assign | ast.AnnAssign) -> set[str]:
    """What an assignment to NEEDS names; the bench imports `DATA.NAME` for a data set NAME."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if not any(isinstance(target, ast.Name) and target.id == "NEEDS" for target in targets):
        return set()
    constants = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and value.isidentifier()}


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
    except (RecursionError, MemoryError) as error:
        raise DemoError(
            Problem(shown, "an expression is nested too deeply for Python.", "Split it up.")
        ) from error


def canonical(tree: ast.AST) -> str:
    """A syntax tree as text: without positions or docstrings, the same on every Python version.

    `ast.dump` is not: newer versions add fields and leave out empty ones. A text that stands alone
    does nothing wherever it stands, so it is left out below a constant as well as below a `def`.
    """
    written: list[str] = []
    # Not recursive: a sum of some hundred terms is as deep as Python's stack.
    waiting: list[ast.AST | str] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            written.append(item)
            continue
        pieces: list[ast.AST | str] = [f"{type(item).__name__}("]
        for name, value in ast.iter_fields(item):
            values = [v for v in value if not _is_text(v)] if isinstance(value, list) else [value]
            if name not in _WITHOUT_EFFECT and values not in ([], [None]):
                pieces.append(f"{name}=[")
                for one in values:
                    pieces += [one if isinstance(one, ast.AST) else _literal(one), ","]
                pieces.append("]")
        waiting += reversed([*pieces, ")"])
    return "".join(written)


def _is_text(statement: Any) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _literal(value: Any) -> str:
    # `repr` of a text depends on the Unicode that Python knows, and refuses very long ints.
    return hex(value) if type(value) is int else ascii(value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

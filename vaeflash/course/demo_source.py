"""What a demo's source says of itself, read from its syntax tree; nothing is imported or run.

So `lint` can check the names in a claim, and `check` can tell whether evidence is current,
without torch.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vaeflash.card import Value
from vaeflash.course.fingerprint import fingerprint, parse_module
from vaeflash.course.importer import require_one_source
from vaeflash.errors import DemoError, Problem
from vaeflash.plain import parsed


@dataclass(frozen=True)
class Parameter:
    """A field of a demo's Params.

    Attributes:
        type: The annotation as written, e.g. `int` or `Literal['mean', 'sum']`; empty where it is
            nested more deeply than Python writes.
        default: Its value where it is a literal, else `None`.
        choices: What a `Literal` allows; empty for any other type.
    """

    name: str
    type: str
    default: Value | None
    choices: tuple[Value, ...] = ()

    def accept(self, value: Value) -> Value:
        """The value in this parameter's type.

        Raises:
            ValueError: It does not fit; the text says what would.
        """
        if self.choices:
            if value not in self.choices:
                raise ValueError("one of " + ", ".join(map(str, self.choices)))
            return value
        kind = self.type.partition("[")[0]
        if kind == "bool":
            if value in (0, 1):
                return bool(value)
            raise ValueError("true or false")
        if kind == "int":
            if isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0:
                return int(value)
            raise ValueError("a whole number")
        if kind == "float":
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
            raise ValueError("a number")
        if kind == "str":
            return value if isinstance(value, str) else str(value)
        if kind == "tuple" and not isinstance(value, tuple):
            raise ValueError("a shape such as (1, 2)")
        return value


@dataclass(frozen=True)
class DemoSource:
    """A demo, as far as its source tells.

    Attributes:
        name: As cards write it, e.g. `kl-divergence`.
        shown: Its file as messages show it, e.g. `demos/kl_divergence.py`.
        lesson: The module's docstring.
        deterministic: Whether the seed changes nothing, by its own word.
        multithreaded: Whether a run is faster on several threads; small networks are slower.
    """

    name: str
    path: Path
    shown: str
    lesson: str
    parameters: Mapping[str, Parameter]
    needs: tuple[str, ...]
    deterministic: bool
    multithreaded: bool

    @property
    def headline(self) -> str:
        """The first line of the lesson: the claim in words."""
        return self.lesson.partition("\n")[0]

    @cached_property
    def metrics(self) -> frozenset[str] | None:
        """What its runs measure, where the source writes that out, else `None`."""
        # Looked for when asked: it means a walk through the whole tree, which `list` can spare.
        return _metrics(parse_module(self.path, self.shown))

    @cached_property
    def fingerprint(self) -> str:
        """Changes when code changes that a run depends on: this demo, and what it imports."""
        return fingerprint(self.path)

    def accept(self, params: Mapping[str, Value], where: str) -> dict[str, Value]:
        """The parameters in their types, without those that only repeat the default.

        Raises:
            DemoError: A name is unknown or a value does not fit; every one is reported.
        """
        problems, accepted = [], {}
        for name, value in sorted(params.items()):
            parameter = self.parameters.get(name)
            if parameter is None:
                known = ", ".join(self.parameters) or "none"
                problems.append(
                    Problem(
                        where, f"{self.name} has no parameter '{name}'.", f"Parameters: {known}."
                    )
                )
                continue
            try:
                accepted[name] = parameter.accept(value)
            except ValueError as expected:
                problems.append(
                    Problem(
                        where,
                        f"parameter '{name}' of {self.name} cannot be {value}.",
                        f"Expected {expected}.",
                    )
                )
                continue
            same_type = type(accepted[name]) is type(parameter.default)
            if same_type and accepted[name] == parameter.default:
                del accepted[name]
        if problems:
            raise DemoError(*problems)
        return accepted


def read_demo(name: str, path: Path, shown: str) -> DemoSource:
    """What the source of a demo says.

    Raises:
        CourseError: The file cannot be read.
        DemoError: It is not Python, or another file could be taken for it.
    """
    tree = parse_module(path, shown)
    require_one_source(path.parent, path.stem, shown)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return DemoSource(
        name=name,
        path=path,
        shown=shown,
        lesson=ast.get_docstring(tree) or "",
        parameters={parameter.name: parameter for parameter in _parameters(tree)},
        needs=_needs(_literal(constants.get("NEEDS")), shown),
        deterministic=_literal(constants.get("DETERMINISTIC")) is True,
        multithreaded=_literal(constants.get("MULTITHREADED")) is True,
    )


def _needs(given: object, shown: str) -> tuple[str, ...]:
    """What NEEDS says, where the source writes that out.

    Raises:
        DemoError: It is no tuple of texts, and would be a need that nobody looks for.
    """
    if given is None:
        return ()
    if not isinstance(given, tuple | list) or not all(isinstance(need, str) for need in given):
        what = "NEEDS is not a tuple of texts."
        raise DemoError(Problem(shown, what, 'Write e.g. NEEDS = ("digits",), with the comma.'))
    return tuple(given)


def _parameters(tree: ast.Module) -> Iterator[Parameter]:
    """The annotated fields of the class `Params`."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Params":
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield Parameter(
                        field.target.id,
                        _written(field.annotation),
                        _literal(field.value),
                        _choices(field.annotation),
                    )


def _written(annotation: ast.expr) -> str:
    try:
        return parsed(ast.unparse, annotation)
    except ValueError:
        return ""


def _choices(annotation: ast.expr) -> tuple[Value, ...]:
    if not (isinstance(annotation, ast.Subscript) and _last_name(annotation.value) == "Literal"):
        return ()
    given = _literal(annotation.slice)
    choices = given if isinstance(given, tuple) else (given,)
    return choices if all(isinstance(choice, int | str) for choice in choices) else ()


def _metrics(tree: ast.Module) -> frozenset[str] | None:
    """The keys of `Result(metrics={...})`, if every such call writes them out."""
    names: set[str] = set()
    plain = False
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and _last_name(node.func) == "Result"):
            continue
        given = [word.value for word in node.keywords if word.arg == "metrics"] or node.args[:1]
        if not given or not isinstance(given[0], ast.Dict):
            return None
        for key in given[0].keys:
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                return None
            names.add(key.value)
        plain = True
    return frozenset(names) if plain else None


def _last_name(expression: ast.expr) -> str:
    """`Result` for `Result` and `demo.Result`; empty for what has no name."""
    return getattr(expression, "attr", getattr(expression, "id", ""))


def _literal(node: ast.expr | None) -> Any:
    """What an expression says where it is written out, else `None`."""
    try:
        return parsed(ast.literal_eval, node) if node is not None else None
    except ValueError:
        return None

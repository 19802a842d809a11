"""Imports point down, and only the lab knows torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vaeflash"
ORDER = [
    *["errors", "card", "plain", "printable", "files", "interrupts", "machine", "demo", "text"],
    *["parse", "claims", "widget", "course", "data", "figures", "gallery"],
    *["runs", "judging", "study", "export", "lint", "pytest_plugin", "cli"],
]
"""Modules and packages of `vaeflash/`; each imports only what stands before it."""
RANK = {name: rank for rank, name in enumerate(ORDER)}
OUTSIDE = {"lab", "__init__", "__main__"}


def modules() -> list[Path]:
    """Templates are not ours to import: they are what an author's course begins with."""
    found = sorted(PACKAGE.rglob("*.py"))
    return [path for path in found if "templates" not in path.parts]


def unit(path: Path) -> str:
    """The top-level module or package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, at its top or late; type-checking ones excepted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_module_has_a_layer() -> None:
    assert {unit(path) for path in modules()} - OUTSIDE - {"_course"} == set(RANK)


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if unit(path) in RANK],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_imports_point_down(path: Path) -> None:
    rank = RANK[unit(path)]
    inner = {name.split(".")[1] for name in imports(path) if name.startswith("vaeflash.")}

    assert {name for name in inner if RANK.get(name, 99) > rank} == set()


@pytest.mark.slow
def test_only_the_lab_imports_torch() -> None:
    users = {unit(p) for p in modules() if {n.split(".")[0] for n in imports(p)} & {"torch"}}

    assert users == {"lab"}


@pytest.mark.slow
def test_the_engine_names_no_demo() -> None:
    demos = [p.stem for p in (PACKAGE.parent / "demos").glob("[a-z]*.py")]
    engine = [p for p in modules() if unit(p) not in {"lab", "cli"}]
    code = {p.name: "".join(ast.dump(n) for n in ast.parse(p.read_text()).body) for p in engine}

    assert {(d, f) for d in demos for f, text in code.items() if f"'{d}'" in text} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["list"],
        ["lint"],
        ["show", "kl-closed-form"],
        ["why", "kl-closed-form"],
        ["check", "--locked"],
        ["due"],
        ["stats"],
        ["orphans"],
        ["export-reviews"],
        ["export-html"],
    ],
)
def test_commands_that_only_read_cards_start_without_torch(
    command: list[str], tmp_path: Path
) -> None:
    script = (
        "import sys\n"
        "from vaeflash.cli import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], cwd=tmp_path, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()

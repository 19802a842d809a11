"""What makes a demo's evidence stale, and what does not: over generated and over real modules.

Programs are drawn from templates, changed at one place of their syntax tree, or laid out anew.
Which modules count is held against Python itself: those that an import of the demo really loads.
"""

import ast
import contextlib
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaeflash.course.course import bundled_root, open_course
from vaeflash.course.demo_source import read_demo
from vaeflash.course.fingerprint import LAB, canonical, covered, fingerprint, forget
from vaeflash.errors import DemoError
from vaeflash.files import cache_folder
from vaeflash.runs.in_process import import_demo

COURSE = open_course(bundled_root())
REAL = {f"demos/{path.name}": path for path in sorted((COURSE.root / "demos").glob("*.py"))}
REAL |= {f"lab/{path.name}": path for path in sorted(LAB.glob("*.py"))}


def print_of(files: Mapping[str, str], place: str = "course") -> str:
    """The fingerprint of `demos/demo.py` among files of a course (`demos/`) and of a lab (`lab/`).

    Files of a lab are laid over a copy of the real one.
    """
    with laid_out(files, place) as demo:
        return fingerprint(demo)


@contextlib.contextmanager
def laid_out(files: Mapping[str, str], place: str = "course") -> Iterator[Path]:
    """The path of `demos/demo.py` as long as such files are there, as a new process sees them."""
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        folder = Path(root).resolve() / place
        if any(name.startswith("lab/") for name in files):
            shutil.copytree(LAB, folder / "lab", ignore=shutil.ignore_patterns("__pycache__"))
            patch.setattr("vaeflash.course.fingerprint.LAB", folder / "lab")
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        forget()
        yield folder / "demos" / "demo.py"


# Programs

NAMES = st.sampled_from(["a", "b", "mu", "kl", "μ"])
NUMBERS = (
    st.integers(0, 2**70) | st.floats(0, allow_nan=False) | st.complex_numbers(max_magnitude=9)
)
# A complex constant is written as a sum; a text must not hold what would end its line.
CONSTANTS = (
    NUMBERS.map(repr)
    | st.sampled_from(
        ["True", "None", "...", "0.0", "-0.0", "1e400", "b'x'", "f'{a:.3f} of {b!r}'"]
    )
    | st.text(st.characters(codec="utf-8"), max_size=5).map(repr)
)
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "@", "and", "or", "<", "<=", "==", "is", "in"]


def larger(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, smaller, st.sampled_from(OPERATORS), smaller),
        st.builds("({}{})".format, st.sampled_from(["-", "+", "~", "not "]), smaller),
        st.builds("{}({}, mean={})".format, NAMES, smaller, smaller),
        st.builds("{}.item({})".format, NAMES, smaller),
        st.builds("({} if {} else {})".format, smaller, smaller, smaller),
        st.builds("[{} for {} in {}]".format, smaller, NAMES, smaller),
        st.builds("(lambda {}: {})".format, NAMES, smaller),
        st.builds("{{{}: {}, **{}}}".format, smaller, smaller, NAMES),
        st.builds("{}[{}:{}]".format, NAMES, smaller, smaller),
    )


EXPRESSIONS = st.recursive(NAMES | CONSTANTS, larger, max_leaves=6)
SIMPLE = st.one_of(
    st.builds("{} = {}".format, NAMES, EXPRESSIONS),
    st.builds("{} {}= {}".format, NAMES, st.sampled_from("+-*/"), EXPRESSIONS),
    st.builds("{}: float = {}".format, NAMES, EXPRESSIONS),
    st.builds("assert {}".format, EXPRESSIONS),
    st.builds("import math as {}".format, NAMES),
    st.builds("from torch.nn import {}".format, NAMES),
    st.just("pass"),
)


def block(head: str, body: str) -> str:
    return f"{head}:\n{indent(body, '    ')}"


def compound(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(smaller, min_size=1, max_size=3).map("\n".join)
    head = st.one_of(
        st.builds("def {}({}, *, {}={})".format, NAMES, st.just("x"), st.just("y"), EXPRESSIONS),
        st.builds("class {}({})".format, NAMES, NAMES),
        st.builds("for {} in {}".format, NAMES, EXPRESSIONS),
        st.builds("while {}".format, EXPRESSIONS),
        st.builds("with {} as {}".format, EXPRESSIONS, NAMES),
    )
    either = st.builds(
        lambda test, yes, no: f"{block(f'if {test}', yes)}\n{block('else', no)}",
        EXPRESSIONS,
        body,
        body,
    )
    return st.builds(block, head, body) | either


STATEMENTS = st.recursive(SIMPLE, compound, max_leaves=5)
PROGRAMS = st.lists(STATEMENTS, min_size=1, max_size=4).map(lambda lines: "\n".join(lines) + "\n")


# Changes that mean nothing


def with_texts(source: str, data: st.DataObject) -> str:
    """The same program with texts that stand alone: docstrings, and notes below constants."""
    tree = ast.parse(source)
    for body in list(bodies(tree)):
        at = data.draw(st.integers(1 if body is tree.body else 0, len(body)), label="place")
        body.insert(at, ast.Expr(ast.Constant(data.draw(st.sampled_from(["A note.", "µ\n\n ''"])))))
    return ast.unparse(ast.fix_missing_locations(tree))


def with_layout(source: str, data: st.DataObject) -> str:
    """The same program written by somebody else: comments, blank lines, tabs, line ends."""
    lines: list[str] = []
    for line in ast.unparse(ast.parse(source)).split("\n"):
        lines += data.draw(
            st.lists(st.sampled_from(["", "# note", "        # deep", "\f"]), max_size=2)
        )
        inner = line.lstrip(" ")
        depth = (len(line) - len(inner)) // 4
        lines.append("\t" * depth + inner + data.draw(st.sampled_from(["", "  ", "  # π = 3"])))
    return data.draw(st.sampled_from(["", "\ufeff"])) + data.draw(
        st.sampled_from(["\n", "\r\n"])
    ).join([*lines, ""])


def bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in a tree, in its order."""
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


# Changes that mean something


@dataclass(frozen=True)
class Change:
    """One place of a syntax tree, and how to make it say something else."""

    what: str
    make: Callable[[], None]


def changes(tree: ast.Module) -> list[Change]:
    """Every constant, name, operator and statement of a tree, each with a change of it."""
    texts = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and is_text(node)
    }
    found: list[Change] = []
    for node in ast.walk(tree):
        if id(node) in texts:
            continue
        for name, value in ast.iter_fields(node):
            if name in ("ctx", "kind", "level", "simple", "conversion", "is_async"):
                continue
            other = another(value)
            if other is not value:
                found.append(
                    Change(f"{name} of {node}", lambda n=node, f=name, o=other: setattr(n, f, o))
                )
    for body in bodies(tree):
        for at, node in enumerate(body):
            if not is_text(node) and not isinstance(node, ast.Pass):
                found.append(Change("removed", lambda b=body, i=at: b.__setitem__(i, ast.Pass())))
            found.append(
                Change(
                    "added", lambda b=body, i=at: b.insert(i + 1, ast.parse("added = 1").body[0])
                )
            )
    return found


SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
    ast.USub: ast.UAdd,
    ast.Not: ast.Invert,
}


def another(value: object) -> object:
    """Something else of the same kind; the value itself where there is nothing to change."""
    match value:
        case bool():
            return not value
        case int():
            return float(value) if 0 < value < 2**53 else value + 1  # equal numbers, other types
        case float():
            return value / 2 if 0 < value < math.inf else 1.0
        case str():
            return value if value == "*" else value + "_"
        case bytes():
            return value + b"_"
        case [ast.cmpop() as first, *rest] if type(first) in SWAPPED:
            return [SWAPPED[type(first)](), *rest]
        case ast.AST() if type(value) in SWAPPED:
            return SWAPPED[type(value)]()
    return value


def mutant(source: str, data: st.DataObject) -> str:
    """The program with one change that a reader would call one."""
    tree = ast.parse(source)
    found = changes(tree)
    data.draw(st.sampled_from(found), label="change").make()
    return ast.unparse(ast.fix_missing_locations(tree))


# What a program says


@pytest.mark.slow
@settings(max_examples=50)
@given(PROGRAMS, st.data())
def test_comments_and_layout_mean_nothing(source: str, data: st.DataObject) -> None:
    rewritten = with_layout(source, data)

    assert print_of({"demos/demo.py": rewritten}) == print_of({"demos/demo.py": source})


@pytest.mark.slow
@settings(max_examples=50)
@given(PROGRAMS, st.data())
def test_texts_that_stand_alone_mean_nothing(source: str, data: st.DataObject) -> None:
    rewritten = with_texts(source, data)

    assert print_of({"demos/demo.py": rewritten}) == print_of({"demos/demo.py": source})


@pytest.mark.slow
@settings(max_examples=50)
@given(PROGRAMS, st.data())
def test_every_change_means_something(source: str, data: st.DataObject) -> None:
    changed = mutant(source, data)

    assert print_of({"demos/demo.py": changed}) != print_of({"demos/demo.py": source})


@pytest.mark.slow
@settings(max_examples=50)
@given(PROGRAMS, PROGRAMS)
def test_two_programs_are_one_exactly_if_python_reads_them_so(one: str, other: str) -> None:
    trees = ast.parse(one), ast.parse(other)

    same = canonical(trees[0]) == canonical(trees[1])

    assert same == (ast.dump(trees[0]) == ast.dump(trees[1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
@settings(max_examples=5)
@given(data=st.data())
def test_a_real_module_written_otherwise_is_the_same(name: str, data: st.DataObject) -> None:
    source = REAL[name].read_text(encoding="utf-8")
    rewritten = with_texts(source, data)

    assert canonical(ast.parse(rewritten)) == canonical(ast.parse(source))


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
@settings(max_examples=20)
@given(data=st.data())
def test_every_change_of_a_real_module_means_something(name: str, data: st.DataObject) -> None:
    source = REAL[name].read_text(encoding="utf-8")
    changed = mutant(source, data)

    assert canonical(ast.parse(changed)) != canonical(ast.parse(source))


def test_constants_that_look_alike_differ() -> None:
    alike = ["1", "1.0", "True", "'1'", "b'1'", "'True'", "1j", "-1", "0", "0.0", "-0.0", "False"]
    alike += ["None", "'None'", "...", "'...'", "a", "'a'", "f'a'", "f'{a}'", "(a,)", "[a]", "{a}"]

    assert len({canonical(ast.parse(f"x = {constant}")) for constant in alike}) == len(alike)


def test_a_sum_of_many_terms_is_no_burden() -> None:
    tree = ast.parse("x = " + " + ".join(["1"] * 900))

    assert canonical(tree).count("BinOp") == 899


def test_a_number_too_long_for_decimals_is_read() -> None:
    assert print_of({"demos/demo.py": f"x = {16**5000:#x}"}) != print_of({"demos/demo.py": "x = 1"})


@pytest.mark.parametrize("source", ["x = " + "-" * 10**6 + "1", "x = a" + ".b" * 10**4])
def test_what_is_too_deep_for_python_is_an_error_with_advice(source: str) -> None:
    with pytest.raises(DemoError, match=r"demo\.py.*nested too deeply"):
        print_of({"demos/demo.py": source})


# What a program imports

HELPERS = {
    "demos/helper.py": "x = 1\n",
    "demos/unused.py": "x = 1\n",
    "demos/sub/__init__.py": "__all__ = ['part']\n",
    "demos/sub/part.py": "from . import other\nx = 1\n",
    "demos/sub/other.py": "x = 1\n",
    "demos/sub/up.py": "from .. import helper\n",
    "demos/sub/down/__init__.py": "x = 1\n",
    "demos/sub/down/leaf.py": "from ...helper import x\n",
    "demos/space/part.py": "x = 1\n",
    "lab/sets/__init__.py": "x = 1\n",
    "lab/sets/glyphs.py": "from ..metrics import psnr\n",
    "lab/loose.py": "from . import metrics\n",
    "lab/glyphs.py": "from vaeflash.lab import metrics\n",
    "lab/unused.py": "x = 1\n",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "imported"),
    [
        ("from . import helper as h", "demos/helper.py"),
        ("from .helper import x", "demos/helper.py"),
        ("from .helper import *", "demos/helper.py"),
        ("def late():\n    from . import helper", "demos/helper.py"),
        ("try:\n    from . import helper\nexcept ImportError:\n    pass", "demos/helper.py"),
        ("from . import sub", "demos/sub/__init__.py"),
        ("from .sub import part", "demos/sub/__init__.py"),
        ("from .sub import part", "demos/sub/part.py"),
        ("from .sub import part", "demos/sub/other.py"),
        ("from .sub import *", "demos/sub/part.py"),
        ("from .sub.part import x", "demos/sub/__init__.py"),
        ("from .sub import up", "demos/helper.py"),
        ("from .sub.down import leaf", "demos/sub/down/__init__.py"),
        ("from .sub.down import leaf", "demos/helper.py"),
        ("from .space import part", "demos/space/part.py"),
        ("from demos import helper", "demos/helper.py"),
        ("import demos.sub.part as p", "demos/sub/other.py"),
        ("import helper", "demos/helper.py"),
        ("", "lab/__init__.py"),
        ("", "lab/bench.py"),
        ("", "lab/datasets.py"),
        ("NEEDS = ('glyphs',)", "lab/glyphs.py"),
        ("NEEDS: tuple[str, ...] = ('cuda', 'glyphs')", "lab/metrics.py"),
        ("import vaeflash.lab.metrics as m", "lab/metrics.py"),
        ("from vaeflash.lab import metrics", "lab/metrics.py"),
        ("from vaeflash.lab.metrics import *", "lab/metrics.py"),
        ("from vaeflash.lab import *", "lab/metrics.py"),
        ("from vaeflash.lab.loose import mse", "lab/metrics.py"),
        ("import vaeflash.lab.sets.glyphs", "lab/sets/__init__.py"),
        ("from vaeflash.lab.sets import glyphs", "lab/metrics.py"),
    ],
)
def test_a_change_in_what_is_imported_means_something(statement: str, imported: str) -> None:
    files = HELPERS | {"demos/demo.py": statement}
    before = print_of(files | {"lab/metrics.py": ""})
    changed = files | {imported: files.get(imported, "") + "\nadded = 1\n"}

    assert print_of({"lab/metrics.py": ""} | changed) != before


@pytest.mark.parametrize(
    "unrelated",
    [
        "demos/unused.py",
        "demos/sub/up.py",
        "demos/demo.json",
        "demos/__init__.py",
        "demos/torch.pyi",
        "lab/unused.py",
        "lab/sets/glyphs.py",
        "errors.py",
        "setup.py",
    ],
)
def test_what_is_not_imported_means_nothing(unrelated: str) -> None:
    demo = "import torch\nfrom vaeflash.errors import VaeflashError\nfrom .sub.part import x\n"
    files = HELPERS | {"demos/demo.py": demo}

    assert print_of(files | {unrelated: "added = 1\n"}) == print_of(files)


def test_an_import_by_a_name_worked_out_at_run_time_is_not_followed() -> None:
    """A known limit: nobody can, without running the demo. docs/decisions says so."""
    demo = {
        "demos/demo.py": "import importlib\nh = importlib.import_module('.helper', __package__)"
    }

    assert print_of(demo | {"demos/helper.py": "x = 1"}) == print_of(demo)


def test_a_new_import_of_what_was_there_means_something() -> None:
    assert print_of(HELPERS | {"demos/demo.py": "from . import helper"}) != print_of(
        HELPERS | {"demos/demo.py": ""}
    )


@pytest.mark.parametrize("other", ["from .sub import x", "from .sub import *"])
def test_what_an_import_may_find_first_means_something_once_it_is_there(other: str) -> None:
    files = {"demos/demo.py": other, "demos/sub.py": "x = 1"}

    assert print_of(files | {"demos/sub/__init__.py": "x = 2"}) != print_of(files)


def test_two_modules_that_change_places_mean_something() -> None:
    demo = {"demos/demo.py": "from .a.c import d\nfrom .b.c import d"}
    one = demo | {"demos/a/c/d.py": "x = 1", "demos/b/c/d.py": "x = 2"}
    other = demo | {"demos/a/c/d.py": "x = 2", "demos/b/c/d.py": "x = 1"}

    assert print_of(one) != print_of(other)


@pytest.mark.slow
@given(
    st.permutations(sorted(HELPERS)), st.sampled_from(["a", "zz/zz", "demos", "lab", "with space"])
)
@settings(max_examples=20)
def test_neither_the_place_nor_the_order_on_disk_shows(order: list[str], place: str) -> None:
    demo = {"demos/demo.py": "from .sub import *\nfrom vaeflash.lab.sets import glyphs"}

    assert print_of({n: HELPERS[n] for n in order} | demo, place) == print_of(HELPERS | demo)


def test_a_demo_that_is_a_link_imports_what_lies_beside_the_link() -> None:
    files = {"elsewhere/demo.py": "from . import helper", "demos/helper.py": "x = 1"}
    with laid_out(files) as demo:
        demo.symlink_to("../elsewhere/demo.py")

        assert set(covered(demo)) >= {"demos/demo.py", "demos/helper.py"}


MODULES = ["demo", "a", "b", "sub.__init__", "sub.c", "sub.in_.__init__", "sub.in_.d", "space.e"]


def statements(module: str) -> list[str]:
    """Every relative import that `module` could make of another, or of something inside it."""
    package = module.split(".")[:-1]
    found = ["__all__ = ['c', 'in_', 'd']"]
    for target in MODULES:
        path = target.removesuffix(".__init__").split(".")
        for level in range(len(package) + 1):
            kept = package[: len(package) - level]
            if path[: len(kept)] == kept and path != kept:
                dots, rest = "." * (level + 1), path[len(kept) :]
                found.append(f"from {dots}{'.'.join(rest[:-1])} import {rest[-1]}")
                found += [f"from {dots}{'.'.join(rest)} import {name}" for name in ("x", "*")]
    return found


def some_imports(module: str) -> st.SearchStrategy[str]:
    """The text of a module; imports in a circle may fail, and then do."""
    allowed = "try:\n    {}\nexcept (ImportError, AttributeError):\n    pass".format
    imports = st.sampled_from(statements(module)).map(allowed)
    return st.lists(imports, max_size=3).map(lambda lines: "\n".join(["x = 1", *lines]))


@pytest.mark.slow
@given(st.fixed_dictionaries({f"demos/{m.replace('.', '/')}.py": some_imports(m) for m in MODULES}))
def test_whatever_python_loads_from_the_course_counts(files: dict[str, str]) -> None:
    with laid_out(files) as path:
        counted = set(covered(path))

        assert loaded(path) <= counted


def loaded(path: Path) -> set[str]:
    """The files of a course that Python runs when it imports a demo, e.g. `demos/pca.py`."""
    package = str(import_demo(read_demo("demo", path, "demos/demo.py")).__package__)
    ours = [name for name in sys.modules if name.startswith(package)]
    files = [getattr(sys.modules.pop(name), "__file__", None) for name in ours]
    return {Path(file).relative_to(path.parents[1]).as_posix() for file in files if file}


@pytest.mark.slow
def test_whatever_the_demos_load_from_the_lab_counts() -> None:
    script = """
import json, sys
from pathlib import Path
from vaeflash.course.course import bundled_root, open_course
from vaeflash.course.fingerprint import LAB
from vaeflash.runs.in_process import import_demo, open_lab
course = open_course(bundled_root())
loaded = {}
for name in course.demo_paths:
    for module in [m for m in sys.modules if m.startswith("vaeflash.lab")]:
        del sys.modules[module]
    import_demo(course.demo(name))
    import vaeflash.lab.bench
    lab = [m.__file__ for n, m in sys.modules.items() if n.startswith("vaeflash.lab")]
    loaded[name] = [f"lab/{Path(file).relative_to(LAB).as_posix()}" for file in lab]
print(json.dumps(loaded))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    missed = {
        name: set(files) - set(covered(COURSE.demo_paths[name]))
        for name, files in json.loads(done.stdout).items()
    }

    assert not any(missed.values()), missed


def calls_by_name(path: Path) -> list[str]:
    """What a module imports by a name that is only known when it runs."""
    return [
        ast.unparse(node.args[0])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__")
    ]


@pytest.mark.parametrize("name", REAL)
def test_no_module_hides_an_import_of_ours_behind_a_name(name: str) -> None:
    # A data set's name in NEEDS counts as an import of the module that is called so.
    told = ["f'vaeflash.lab.{name}'"] if name == "lab/datasets.py" else []
    hidden = [
        call
        for call in calls_by_name(REAL[name])
        if not re.match(r"f?'(?!\.|vaeflash)", call) and call not in told
    ]

    assert hidden == []


# What is remembered


@pytest.mark.slow
@given(st.data())
def test_a_memory_damaged_anywhere_changes_nothing(data: st.DataObject) -> None:
    files = {"demos/demo.py": "from . import helper\nimport math", "demos/helper.py": "x = 1"}
    before = print_of(files)
    for path in sorted((cache_folder() / "code").rglob("*")):
        if path.is_file():
            path.write_bytes(damaged(path.read_bytes(), data))

    assert print_of(files) == before


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """The content cut off, or with one bit turned."""
    at = data.draw(st.integers(0, len(content) - 1), label="place")
    if data.draw(st.booleans(), label="cut off"):
        return content[:at]
    turned = content[at] ^ 1 << data.draw(st.integers(0, 7), label="bit")
    return content[:at] + bytes([turned]) + content[at + 1 :]

"""Modules of a course are imported from their source text, and from nothing else.

Python itself would take a package or compiled code before the source file of the same name, and
what `__pycache__` holds without a look at the source. Then what runs is not what can be read before
one agrees to it, nor what the fingerprint of a demo covers.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from vaeflash.course.fingerprint import text_of
from vaeflash.errors import DemoError, Problem
from vaeflash.files import unusable

COMPILED = (".pyc", ".so", ".pyd")
"""How the names of modules end that are no text, whichever machine and Python they are for."""
_folders: set[str] = set()


def from_source_alone(folder: Path) -> None:
    """From now on import whatever lies below a folder from its source text."""
    if _finder_for not in sys.path_hooks:
        sys.path_hooks.insert(0, _finder_for)
    _folders.add(str(folder))
    sys.path_importer_cache.clear()  # it may know another finder for this folder


def require_one_source(folder: Path, module: str, where: str) -> None:
    """Refuse a module that could be something else than one source file.

    Raises:
        CourseError: The folder cannot be read.
        DemoError: There are several files for it, or compiled code; the message names them.
    """
    try:
        found = _candidates(folder, module)
    except OSError as error:
        raise unusable(str(folder), "read", error) from error
    if len(found) > 1 or any(name.endswith(COMPILED) for name in found):
        raise DemoError(
            Problem(
                where,
                f"module '{module}' is not one source file but {' and '.join(found)}.",
                "Keep one file of Python source for it, and rename or remove the rest; "
                "compiled code is not loaded from a course.",
            )
        )


def _candidates(folder: Path, module: str) -> list[str]:
    """Every file that could be taken for a module, or for the demo that cards call by its name."""
    package = folder / module
    inside = _files_for("__init__", package) if package.is_dir() else []
    return [*_files_for(module, folder), *(f"{module}/{name}" for name in inside)]


def _files_for(module: str, folder: Path) -> list[str]:
    # In a card's words a_b and a-b are one demo.
    wanted = module.replace("-", "_")
    names = {name: name.replace("-", "_") for name in os.listdir(folder)}  # noqa: PTH208 -- faster
    return sorted(
        name
        for name, plain in names.items()
        if plain == f"{wanted}.py" or (name.endswith(COMPILED) and plain.startswith(f"{wanted}."))
    )


class _SourceLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """The module, compiled now: Python's own loader would look for a `.pyc` first."""
        path = self.get_filename(fullname)
        return compile(text_of(Path(path)), path, "exec", dont_inherit=True)


class _Finder(FileFinder):
    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """What to import, with packages on the way; compiled code is not looked for."""
        require_one_source(Path(self.path), fullname.rpartition(".")[2], self.path)
        return super().find_spec(fullname, target)


def _finder_for(path: str) -> _Finder:
    """Python asks this once for each folder of its search path or of a package.

    Raises:
        ImportError: The folder is not ours to search.
    """
    ours = any(path == folder or path.startswith(folder + os.sep) for folder in _folders)
    if not ours or not Path(path).is_dir():
        raise ImportError("only folders of a course", path=path)
    return _Finder(path, (_SourceLoader, [".py"]))

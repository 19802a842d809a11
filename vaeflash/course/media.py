"""Pictures of the cards: found, checked, and named by their content; and the scripts of ours.

Anki keeps a changed picture under its old name twice, so the name is a hash of the bytes. It does
not see that a card loads a script, and copies only what it sees and what begins with `_`.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from vaeflash.errors import CardError, CourseError, Problem
from vaeflash.files import read_bytes

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif"})


class MediaFiles:
    """Collects the pictures that a package carries.

    Args:
        root: No picture may lie outside this folder, wherever symlinks lead.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._contents: dict[str, bytes] = {}

    @property
    def contents(self) -> Mapping[str, bytes]:
        """Name in Anki -> the picture or script, in the order they were first shown."""
        return self._contents

    def add(self, source: str, deck: str, where: str) -> str:
        """Take a picture along.

        Args:
            source: As the card has it: a path from the deck's folder, or from the root.
            deck: The deck's file, from the root.
            where: Which card shows it, for messages.

        Returns:
            Its name in Anki.

        Raises:
            CardError: It is not a picture, not there, or not inside the root.
        """
        found = self._find(source, Path(deck).parent, where)
        try:
            content = read_bytes(found)
        except CourseError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NOT_THERE:
                raise _unusable(
                    where, source, "is not there", "Mend the path or add it."
                ) from error
            reason = f"cannot be read: {error.problems[0].what.rstrip('.')}"
            raise _unusable(where, source, reason, error.problems[0].advice) from error
        digest = hashlib.sha256(content).hexdigest()[:20]
        name = f"vaeflash-{digest}{Path(source).suffix.lower()}"
        self._contents[name] = content
        return name

    def add_script(self, program: str) -> str:
        """Take a program along that this package wrote, never one from a course; its name."""
        content = program.encode()
        name = f"_vaeflash-{hashlib.sha256(content).hexdigest()[:20]}.js"
        self._contents[name] = content
        return name

    def _find(self, source: str, folder: Path, where: str) -> Path:
        """The file: beside the deck if it is there, else from the root."""
        if "://" in source:
            raise _unusable(where, source, "is not in the course", "Save it there as a file.")
        if Path(source).suffix.lower() not in PICTURES or "\0" in source:
            known = ", ".join(sorted(PICTURES))
            raise _unusable(where, source, "is not a picture", f"Use one of {known}.")
        outside = _unusable(where, source, "lies outside the course", "Move it into the course.")
        try:
            candidates = [(self._root / base / source).resolve() for base in (folder, "")]
        except (OSError, RuntimeError) as error:  # links in a circle; no file has such a name
            raise outside from error
        found = next(filter(_is_file, candidates), candidates[0])
        if os.path.islink(found):  # noqa: PTH114 -- a circle, where newer Pythons say nothing
            raise outside
        if not found.is_relative_to(self._root):
            raise outside
        return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _unusable(where: str, source: str, reason: str, advice: str) -> CardError:
    return CardError(Problem(where, f"the image '{source}' {reason}.", advice))

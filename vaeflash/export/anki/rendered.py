"""Texts that were rendered before, so that an export renders only what was edited since.

Kept in the cache folder, one file a course: the HTML of each text, by a hash of the text and of the
renderer. In SQLite rather than in memory, for a large course renders to tens of megabytes. Deleting
it costs time, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final, TypeAlias

from vaeflash.files import cache_folder
from vaeflash.text import cloze, html, markdown
from vaeflash.text.html import Media
from vaeflash.text.tex import bounds, symbols, tokens

Writer: TypeAlias = "Callable[[str, Media], str]"
"""`vaeflash.text.html.to_html` or one of its siblings."""

_RENDERERS = ("markdown-it-py", "mdit-py-plugins", "pygments")


class Rendered:
    """Rendered texts of one course.

    Whatever is wrong with the file, or with the disk, texts are rendered as if there were none.

    Args:
        path: Where they are kept; without one nothing is remembered.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._kept = _opened(path) if path else None
        self._used: set[bytes] = set()

    @classmethod
    def of(cls, course_id: str) -> Rendered:
        """Those of a course, in the cache folder."""
        name = hashlib.sha256(course_id.encode()).hexdigest()[:16]
        return cls(cache_folder() / "anki" / f"{name}.sqlite3")

    def html(self, write: Writer, text: str, media: Media) -> str:
        """A text as HTML: remembered, or written now.

        Args:
            write: Renders it.
            text: Markdown.
            media: Names its images; such a text is always rendered, for an image may change.
        """
        if not text:
            return ""
        if self._kept is None or "![" in text:
            return write(text, media)
        key = hashlib.sha256(f"{_renderer()}\n{write.__name__}\n{text}".encode()).digest()[:16]
        try:
            row = self._kept.execute("select html from rendered where key = ?", [key]).fetchone()
            rendered = _unsealed(key, row[0]) if row else None
            if rendered is None:
                rendered = write(text, media)
                entry = [key, _sealed(key, rendered)]
                self._kept.execute("insert or replace into rendered values (?, ?)", entry)
        except sqlite3.Error:
            self._forget()
            return write(text, media)
        self._used.add(key)
        return rendered

    def save(self, *, whole: bool = True) -> None:
        """Keep them for the next export, and let the file go.

        Args:
            whole: Whether the whole course was rendered, so that what was not used can go.
        """
        if self._kept is None:
            return
        with contextlib.suppress(sqlite3.Error):
            if whole:
                known = self._kept.execute("select key from rendered")
                old = [(key,) for (key,) in known if key not in self._used]
                self._kept.executemany("delete from rendered where key = ?", old)
            self._kept.commit()
        self._forget()

    def _forget(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._kept = None


def _opened(path: Path) -> sqlite3.Connection | None:
    """The file, made if it is not there and made anew if it is damaged; none if it is in use."""
    for _ in range(2):
        kept = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = sqlite3.connect(path, timeout=0)
            kept.execute(
                "create table if not exists rendered (key blob primary key, html text not null)"
            )
            kept.execute("begin immediate")
        except (OSError, sqlite3.OperationalError):
            break
        except sqlite3.DatabaseError:
            kept.close() if kept else None
            path.unlink(missing_ok=True)
        else:
            return kept
    if kept:
        kept.close()
    return None


def _sealed(key: bytes, rendered: str) -> str:
    """The HTML behind a hash of it and of its key, so that what was altered is seen."""
    return hashlib.sha256(key + rendered.encode()).hexdigest() + rendered


_SEAL: Final = len(_sealed(b"", ""))


def _unsealed(key: bytes, entry: object) -> str | None:
    """The HTML of an entry; none if it is not what was written."""
    if not isinstance(entry, str):
        return None
    rendered = entry[_SEAL:]
    return rendered if entry == _sealed(key, rendered) else None


@cache
def _renderer() -> str:
    """What a text's HTML depends on besides the text."""
    modules = (html, markdown, cloze, bounds, symbols, tokens)
    code = [Path(str(module.__file__)).read_bytes() for module in modules]
    versions = [metadata.version(name).encode() for name in _RENDERERS]
    return hashlib.sha256(b"\0".join(code + versions)).hexdigest()[:16]

"""The pictures that a course ships: its demos' figures, drawn once, in `figures/DEMO/NAME.png`.

What can be touched has its data beside its picture, in `NAME.widget.json` (`vaeflash.widget`).
Drawing them takes the demo, and so torch; showing them takes only these files. Beside the pictures
lies `index.json`: the captions, in the demo's order, and the fingerprint of the code that drew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vaeflash.card import NO_FIGURE, Card
from vaeflash.errors import CardError, CourseError, DemoError, Problem, as_utf8
from vaeflash.files import changing, read_text, write_atomically
from vaeflash.plain import each_in, parse_json, record, text
from vaeflash.printable import command

if TYPE_CHECKING:
    from vaeflash.demo import Figure, Plane

FOLDER = "figures"
INDEX = "index.json"
_WIDGET = ".widget.json"
_LONGEST = 200
"""Bytes of a figure's name: with what is put around it, any file system takes that."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure.

    Attributes:
        path: From the course's root.
        widget: Where its data are, likewise, if it can be touched.
    """

    demo: str
    name: str
    path: str
    caption: str
    widget: str = ""

    @property
    def called(self) -> str:
        """Its name in the course, e.g. `latent-plane/plane`."""
        return f"{self.demo}/{self.name}"


@dataclass(frozen=True)
class Gallery:
    """The pictures of a course.

    Attributes:
        pictures: Demo -> its pictures, in the order in which it measures them.
        codes: Demo -> fingerprint of the code that drew them.
    """

    pictures: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)

    def of(self, card: Card) -> Picture | None:
        """The picture that a card shows: the one it names, else the first of its demos' pictures.

        None where there is no such picture, or where the card wants none.
        """
        if card.figure == NO_FIGURE:
            return None
        shown = [picture for demo in card.all_demos for picture in self.pictures.get(demo, ())]
        return next((p for p in shown if card.figure in ("", p.name)), None)

    def missing(self, card: Card, where: str) -> Iterator[Problem]:
        """A problem for the author if the card names a picture that was not drawn."""
        if card.figure in ("", NO_FIGURE) or self.of(card) is not None:
            return
        drawn = [picture.name for demo in card.all_demos for picture in self.pictures.get(demo, ())]
        yield Problem(
            where,
            f"no figure '{card.figure}' of its demos was drawn.",
            f"Drawn: {', '.join(drawn) or 'none'}. "
            f"`{command('figures', *card.all_demos)}` draws them.",
        )


def read_gallery(root: Path) -> Gallery:
    """The pictures in a course's folder; an empty gallery if none were drawn.

    Raises:
        CourseError: An index is damaged; every one is reported.
    """
    pictures, codes = {}, {}
    problems: list[Problem] = []
    for index in sorted((root / FOLDER).glob(f"*/{INDEX}")):
        demo = index.parent.name
        try:
            codes[demo], captions = _read_index(index, root)
        except CourseError as error:
            problems += error.problems
            continue
        pictures[demo] = [
            Picture(demo, name, f"{FOLDER}/{demo}/{name}.png", caption, _widget(index, name))
            for name, caption in captions.items()
        ]
    if problems:
        raise CourseError(*problems)
    return Gallery(pictures, codes)


def script_of(root: Path, picture: Picture) -> str:
    """The program of a picture that can be touched; for a page that holds its `plane_html`.

    Raises:
        CardError: Its data are gone or damaged.
    """
    from vaeflash.widget.page import to_script

    try:
        return to_script(read_text(root / picture.widget, inside=root.resolve()), picture.called)
    except (ValueError, CourseError) as error:
        raise CardError(
            Problem(
                picture.widget,
                "what this figure shows when it is touched cannot be read.",
                f"`{command('figures', picture.demo)}` writes it again.",
            )
        ) from error


def draw(root: Path, demo: str, code: str, figures: Mapping[str, Figure]) -> dict[str, int]:
    """Draw the figures of a demo into the course, in place of those drawn before.

    Args:
        root: The course's folder.
        demo: Its name, as cards write it.
        code: Fingerprint of the demo's code.
        figures: What a run of it returned.

    Returns:
        Name of each figure -> the bytes of its picture and, if it can be touched, of its data.

    Raises:
        DemoError: A figure's data do not fit its kind; nothing is written then.
        CourseError: A file cannot be written, or the old index is damaged.
    """
    from vaeflash.demo import Plane
    from vaeflash.figures import to_small_png

    folder = root / FOLDER / demo
    index = folder / INDEX
    drawn = {name: to_small_png(figure, name) for name, figure in figures.items()}
    widgets = {name: _packed(f, name) for name, f in figures.items() if isinstance(f, Plane)}
    captions = {name: as_utf8(figure.caption) for name, figure in figures.items()}
    text = json.dumps({"code": code, "captions": captions}, ensure_ascii=False, indent=1)
    with changing(index):
        before = _read_index(index, root)[1] if index.exists() else {}
        for name, content in drawn.items():
            write_atomically(folder / f"{name}.png", content, within=root)
        for name, data in widgets.items():
            write_atomically(folder / f"{name}{_WIDGET}", data, within=root)
        write_atomically(index, text + "\n", within=root)
        for name in before.keys() - drawn.keys():
            (folder / f"{name}.png").unlink(missing_ok=True)
        for name in before.keys() - widgets.keys():
            (folder / f"{name}{_WIDGET}").unlink(missing_ok=True)
    return {name: len(picture) + len(widgets.get(name, b"")) for name, picture in drawn.items()}


def _packed(figure: Plane, name: str) -> bytes:
    from vaeflash.widget.packing import to_json

    try:
        return to_json(figure).encode()
    except ValueError as error:
        raise DemoError(
            Problem(
                f"figure '{name}'",
                f"its data do not fit each other: {error}.",
                "vaeflash.demo says which shapes each kind of figure takes.",
            )
        ) from error


def _widget(index: Path, name: str) -> str:
    """Where a figure's data are, from the course's root; empty if it has none."""
    path = index.with_name(f"{name}{_WIDGET}")
    return f"{FOLDER}/{index.parent.name}/{path.name}" if path.is_file() else ""


def _read_index(path: Path, root: Path) -> tuple[str, dict[str, str]]:
    """The code's fingerprint and the captions.

    Raises:
        CourseError: The file cannot be read, or is not what `draw` writes.
    """
    content = read_text(path, inside=root.resolve())
    try:
        index = _INDEX_CONTENT(parse_json(content))
    except ValueError as error:
        raise CourseError(
            Problem(
                str(path),
                f"this index of figures cannot be read: {error}.",
                f"Delete it and run `{command('figures', path.parent.name)}`.",
            )
        ) from error
    return index["code"], index["captions"]


def _file_stem(name: str) -> str:
    # Part of a path: it must not lead elsewhere, and a file must be able to have it.
    if "/" in name or not name.isprintable() or len(name.encode()) > _LONGEST:
        raise ValueError(f"{name!r} is no name of a figure")
    return name


_INDEX_CONTENT = record({"code": text, "captions": each_in(text, _file_stem)})

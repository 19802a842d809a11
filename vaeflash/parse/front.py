"""Front matter: the optional YAML block at the top of a deck.

Values are text as written (`title: 2024` is the title "2024"), so the reader is YAML's base
loader, which builds only strings, lists and mappings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vaeflash.parse.lines import LineKind, classify
from vaeflash.parse.notes import Notes
from vaeflash.parse.repair import clean_noted
from vaeflash.parse.sections import trimmed_text
from vaeflash.parse.words import split_commas
from vaeflash.plain import parsed

KEYS = ("title", "tags", "description")
_KEY = re.compile(r"""["']?([\w-]+)["']?[ \t]*:(?:[ \t].*)?""")
_FENCE = re.compile(r"(?:---|\.\.\.)[ \t]*")
_BLANKS = re.compile(r"[ \t\r\n]+")
_PLAIN = re.compile(r"[A-Za-z](?:[\w ./()'-]*[\w.)])?")
_ADVICE = "Expected lines such as `tags: [vae, loss]` and `description: What the cards teach`."


@dataclass(slots=True)
class FrontMatter:
    """What the front matter says, and how many lines it takes."""

    title: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    lines: int = 0


def read_front_matter(lines: Sequence[str], notes: Notes) -> FrontMatter:
    """Read the front matter of a deck.

    The source format may start with a `---` too, so a front matter is recognised by a key in
    its second line.

    Args:
        lines: All lines of the deck, before repair.
        notes: Takes an error for whatever is malformed.
    """
    key = _KEY.fullmatch(lines[1]) if len(lines) > 1 and lines[0].rstrip(" \t") == "---" else None
    if key is None or classify(2, lines[1]).kind is not LineKind.TEXT:
        return FrontMatter()
    end = _end(lines)
    if end is None:
        if key[1] not in KEYS:
            return FrontMatter()
        notes.error(1, "this front matter is not closed.", "Put `---` on a line below it.")
        blank = (i for i, line in enumerate(lines) if not line.strip(" \t"))
        return FrontMatter(lines=next(blank, len(lines)))
    front = FrontMatter(lines=end + 1)
    seen: set[str] = set()
    for name, value, line in _load(lines[1:end], notes):
        if name in seen:
            notes.error(line, f"the front matter says '{name}' twice.", "Keep one of the two.")
        seen.add(name)
        _store(front, name, value, line, notes)
    return front


def write_front_matter(tags: Sequence[str], description: str) -> str:
    """The front matter in its canonical form; empty if there is nothing to say."""
    rows = []
    if tags:
        rows.append(f"tags: [{', '.join(_scalar(tag) for tag in tags)}]\n")
    if description:
        rows.append(f"description: {_scalar(description)}\n")
    return "".join(["---\n", *rows, "---\n\n"]) if rows else ""


def _end(lines: Sequence[str]) -> int | None:
    """Index of the line that closes the front matter, if it comes before any card or title."""
    for index in range(1, len(lines)):
        if _FENCE.fullmatch(lines[index]):
            return index
        kind = classify(index, lines[index]).kind
        # A `#` starts a comment in YAML, but below a blank line it is rather the deck's title.
        below_blank = not lines[index - 1].strip(" \t")
        if kind is LineKind.CARD or (kind is LineKind.TITLE and below_blank):
            return None
    return None


def _load(lines: Sequence[str], notes: Notes) -> list[tuple[str, object, int]]:
    """Each key with its value and the number of its line, in the order written."""
    # Late, since most decks have no front matter and yaml takes longer than all of this package.
    import yaml

    def pairs(text: str) -> list[tuple[str, object, int]] | None:
        loader = yaml.BaseLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            return None
        return [
            (
                key.value if isinstance(key, yaml.ScalarNode) else "",
                loader.construct_object(value, deep=True),
                key.start_mark.line + 2,
            )
            for key, value in root.value
        ]

    try:
        found = parsed(pairs, "\n".join(lines))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        reason = str(error.problem or error.context).rstrip(".")
        notes.error(line, f"this front matter is not YAML: {reason}.", _ADVICE)
    except (yaml.YAMLError, ValueError):
        notes.error(1, "this front matter is not YAML.", _ADVICE)
    else:
        if found is not None:
            return found
        notes.error(1, "this front matter is not a list of keys and values.", _ADVICE)
    return []


def _store(front: FrontMatter, name: str, value: object, line: int, notes: Notes) -> None:
    match name, value:
        case "title", str():
            front.title = _one_line(value, line, notes)
        case "description", str():
            text = re.sub(r"\r\n?", "\n", clean_noted(value, line, notes))
            front.description = trimmed_text(text)
        case "tags", str():
            front.tags = _tags(split_commas(value), line, notes)
        case "tags", list() if all(isinstance(tag, str) for tag in value):
            front.tags = _tags(value, line, notes)
        case (("title" | "description" | "tags"), _):
            expected = "a list such as [vae, loss]" if name == "tags" else "a text"
            notes.error(line, f"'{name}' has to be {expected}.", _ADVICE)
        case _:
            notes.error(
                line,
                f"the front matter has no key {name!r}.",
                f"Known: {', '.join(KEYS)}.",
            )


def _tags(values: Sequence[str], line: int, notes: Notes) -> tuple[str, ...]:
    tags = (_one_line(value, line, notes) for value in values)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _one_line(value: str, line: int, notes: Notes) -> str:
    return _BLANKS.sub(" ", clean_noted(value, line, notes)).strip(" ")


def _scalar(text: str) -> str:
    """A YAML scalar, plain where that is safe, otherwise in double quotes on one line."""
    if text.isprintable() and _PLAIN.fullmatch(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    if quoted.isprintable():
        return f'"{quoted}"'
    # Escaped as a whole: a mixture would split a run of characters and change its repair.
    return '"' + "".join(c if " " <= c <= "~" else _escape(c) for c in quoted) + '"'


def _escape(character: str) -> str:
    return f"\\U{ord(character):08x}"

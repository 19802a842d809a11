"""The two note types: their fields, templates and CSS.

Anki treats every note as conflicting once a field or a template is added, so all of them are here
from the first release, spare ones too, and neither names, order nor ids ever change. CSS and the
text of templates may: newer ones replace older ones on import.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

import genanki

from vaeflash.widget.page import styles

FIELDS: Final = (
    "Id",
    "Title",
    "Context",
    "Question",
    "Answer",
    "Claims",
    "Demo",
    "Sources",
    "Figure",
    "Reversed",
    "Prediction",
    "Widget",
    "Extra1",
    "Extra2",
    "Extra3",
    "Extra4",
)
"""`Reversed` and `Prediction` make a card of their own when filled; the extras are empty in this
release."""

CARD_NAME: Final = "vaeflash card"
CLOZE_NAME: Final = "vaeflash cloze"
_CARD_ID: Final = 1763700000101
_CLOZE_ID: Final = 1763700000102
_TITLE: Final = FIELDS.index("Title")


@cache
def card_type() -> genanki.Model:
    """Question and answer, optionally asked both ways or as a prediction."""
    return _note_type(
        _CARD_ID, CARD_NAME, ("Forward", "Reverse", "Prediction"), genanki.Model.FRONT_BACK
    )


@cache
def cloze_type() -> genanki.Model:
    """A text with holes."""
    return _note_type(_CLOZE_ID, CLOZE_NAME, ("Cloze",), genanki.Model.CLOZE)


def _note_type(number: int, name: str, templates: tuple[str, ...], kind: int) -> genanki.Model:
    return genanki.Model(
        number,
        name,
        fields=[{"name": field} for field in FIELDS],
        templates=[
            {
                "name": template,
                "qfmt": _read(f"{template.lower()}_front.html"),
                "afmt": _read(f"{template.lower()}_back.html") + _read("below.html"),
            }
            for template in templates
        ],
        css=_read("card.css"),
        model_type=kind,
        sort_field_index=_TITLE,
    )


def _read(name: str) -> str:
    """A template; or the styles, those of what can be touched among them."""
    text = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return text + styles() if name == "card.css" else text

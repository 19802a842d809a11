"""Markdown -> Deck and back, line numbers kept; nothing here runs or imports a demo.

The native form and the source form (ratings, `---` between cards, no ids) are one tolerant
grammar. What it reads in spite of an irregularity is a repair; what makes no card is an error.
Both carry `path:line`.

Normalised without a note: line ends (LF, CRLF, CR) to LF; a byte order mark and rating lines
go; a `---` between cards goes; blank lines around a text and blanks at its end go. Every other
character of a text is kept: indents, tabs, trailing blanks within it, code fences. Control
characters and lone surrogates become U+FFFD, and text damage is undone; both are noted.

A line is structure only outside a code fence and with an indent of at most three spaces. A `---`
ends a question or an answer only if its mark is missing; between the marks it is a thematic
break of the text. A heading `#### ` starts a card wherever it stands; headings of other levels
are text within a text.
"""

from vaeflash.parse.deck import Reading, parse_deck, read_deck
from vaeflash.parse.ids import NAME_LENGTH, is_id, is_name, short_slug, slug, with_ids
from vaeflash.parse.write import stamp_ids, write_deck

__all__ = [
    "NAME_LENGTH",
    "Reading",
    "is_id",
    "is_name",
    "parse_deck",
    "read_deck",
    "short_slug",
    "slug",
    "stamp_ids",
    "with_ids",
    "write_deck",
]

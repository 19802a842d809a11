"""Whatever stands in a file: it is read, refused in words, or ignored where it only saves time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import READERS, apart

from vaeflash.errors import VaeflashError

EXAMPLES = {"reviews": 60, "volumes": 100, "checkpoints": 40, "code cache": 100}
"""Of readers that are costly; of all others 250."""


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_document_makes_no_reader_fall(name: str, tmp_path: Path) -> None:
    (tmp_path / "reader").mkdir()
    with apart(tmp_path):
        reader = READERS[name](tmp_path / "reader")

        @settings(max_examples=EXAMPLES.get(name, 250))
        @given(st.integers(0, 2**32 - 1))
        def nothing_but_ours_escapes(seed: int) -> None:
            with suppress(VaeflashError):
                reader.read(reader.make(Random(seed)))

        nothing_but_ours_escapes()

"""CPU time of reading and exporting decks, against markdown-it parsing their text alone."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from markdown_it import MarkdownIt

from vaeflash.anki import build_package
from vaeflash.card import Deck
from vaeflash.ledger import Ledger
from vaeflash.parse import read_deck, with_ids

SOURCE = Path(__file__).parent.parent / "tests" / "decks" / "source-37.md"
ROUNDS = 9
COPIES = 27  # about a thousand cards


def median_cpu(act: Callable[[], object]) -> float:
    """Median CPU seconds of an act, after one warm-up."""
    act()
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return statistics.median(times)


def main() -> None:
    """Print one line a job."""
    text = SOURCE.read_text(encoding="utf-8")
    deck = with_ids(read_deck(text).deck)
    copies = [
        replace(card, id=f"{card.id}-{number}") for number in range(COPIES) for card in deck.cards
    ]
    many = Deck("Many", cards=tuple(copies))
    base = median_cpu(lambda: MarkdownIt().parse(text))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "many.apkg"
        jobs = {
            f"parse {len(deck.cards)} cards of the source form": lambda: read_deck(text),
            f"export {len(many.cards)} cards to Anki": lambda: build_package(
                "bench", "Bench", [many], Ledger(), Path(folder), out
            ),
        }
        for name, job in jobs.items():
            seconds = median_cpu(job)
            print(f"{name:40s} {seconds:.3f} s CPU, {seconds / base:.1f} x markdown-it on 37 cards")


if __name__ == "__main__":
    main()

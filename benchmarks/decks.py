"""CPU time of reading and exporting decks, against markdown-it parsing their text alone.

The thousand cards have about 800 characters each, with formulas and a piece of code of their own.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from markdown_it import MarkdownIt

from vaeflash.export.anki import Rendered, build_package
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import Ledger
from vaeflash.parse import read_deck
from vaeflash.text.html import highlight

SOURCE = Path(__file__).parent.parent / "tests" / "decks" / "source-37.md"
ROUNDS = 5
CARDS = 1000
CARD = r"""#### Card {n}: the KL from posterior to prior {{#card-{n}}}

A diagonal Gaussian posterior with mean \( \mu_{{{n}}} \) and deviation \( \sigma_{{{n}}} \) is
pulled towards \( N(0, I) \) with `beta = {n}`.

:p What is the closed form of the **KL** of \( q_{{{n}}}(z|x) \) to the prior, in nats?{edit}
??x
In *nats*, summed over the latent dimensions:
\[ \tfrac12 \sum_{{d={n}}} \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right) \]

- it is **zero** exactly where \( q = p \), and never negative, by Jensen's inequality

```{language}
def kl_{n}(mu: Tensor, logvar: Tensor) -> Tensor:
    '''Sum over D, mean over N; in nats.'''
    terms = mu.pow(2) + logvar.exp() - 1 - logvar
    return 0.5 * terms.sum(dim=1).mean() + {n}  # comment
```
x??

"""


def median_cpu(act: Callable[[], object]) -> float:
    """Median CPU seconds of an act, after one warm-up."""
    act()
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return statistics.median(times)


def thousand(language: str, edited: int = -1) -> str:
    """A deck of cards, one of them edited."""
    cards = [
        CARD.format(n=n, language=language, edit=" Edited." if n == edited else "")
        for n in range(CARDS)
    ]
    return "# Many\n\n" + "".join(cards)


def export(text: str, folder: Path, *, remembered: bool) -> None:
    """From a deck's text to the package, with or without what an export before remembered."""
    highlight.cache_clear()  # each export is a process of its own
    build_package(
        Edition("bench", "Bench", [read_deck(text).deck], Ledger(), folder),
        folder / "many.apkg",
        texts=Rendered(folder / "rendered.sqlite3") if remembered else None,
    )


def main() -> None:
    """Print one line a job."""
    source = SOURCE.read_text(encoding="utf-8")
    edits = itertools.count()
    code, plain = thousand("python"), thousand("")
    base = median_cpu(lambda: MarkdownIt().parse(code))
    print(f"{'markdown-it alone, 1,000 cards':45s} {base:.3f} s CPU")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = {
            "parse 37 cards of the source form": lambda: read_deck(source),
            "parse 1,000 cards": lambda: read_deck(code),
            "export 1,000 cards, code highlighted": lambda: export(code, folder, remembered=False),
            "export 1,000 cards, code plain": lambda: export(plain, folder, remembered=False),
            "export again after one edit": lambda: export(
                thousand("python", next(edits)), folder, remembered=True
            ),
        }
        for name, job in jobs.items():
            seconds = median_cpu(job)
            print(f"{name:45s} {seconds:.3f} s CPU, {seconds / base:.2f} x markdown-it alone")
        size = (folder / "many.apkg").stat().st_size
        print(f"{'the package':45s} {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

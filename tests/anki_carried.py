"""Gives the same answers in the real Anki and in the terminal, and carries the latter over.

A program of its own, as `anki_histories`, whose clock it uses. It reads the same steps, plays them
in Anki, writes the same answers at the same moments into a store, exports that with its progress,
imports the package into a new collection, and prints what both collections hold.

Where Anki spreads intervals of days at random the terminal is given Anki's: what is compared is how
they are written down, not how they were chosen. Some cards are marked at the end.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from anki.collection import Collection
from anki_histories import DAY, answer, new_collection, play
from real_anki import load

from vaeflash.card import Card, Deck
from vaeflash.export.anki import Progress, build_package
from vaeflash.export.edition import Edition
from vaeflash.judging.ledger import Ledger
from vaeflash.study.memory import Memory, Phase, Rating, day_of, from_milliseconds
from vaeflash.study.reviews import CardKey, Store
from vaeflash.study.schedule import Scheduler

COLUMNS = ("type", "queue", "due", "ivl", "factor", "reps", "lapses", "left", "flags", "data")
LOG = ("id", "ease", "ivl", "lastIvl", "factor", "time", "type")
MARKS = ("suspend", "flag", "bury")
"""Given to the cards 0, 1, 2, 3, ... in turn, each fourth having none."""


def key(number: int) -> CardKey:
    """A card of the course, by its number."""
    return CardKey("course", f"card-{number}")


def answer_alike(store: Store, rows: list[dict], logs: dict[int, list[list]]) -> None:
    """Answer in the terminal what was answered in Anki, at the moment that Anki was moved to."""
    scheduler, given = Scheduler(store.zone), defaultdict(int)
    for row in rows:
        card, rating = row["card"], Rating(row["rating"])
        log = dict(zip(LOG, logs[card][given[card]], strict=True))
        given[card] += 1
        before, at = store.state(key(card)).memory, from_milliseconds(log["id"])
        after = scheduler.next(before, rating, at)
        if after.phase is Phase.REVIEW:
            due = day_of(at, store.zone) + timedelta(days=log["ivl"])
            after = replace(after, due_day=due, interval=log["ivl"])
        store.answer(key(card), before, rating, after, log["time"])


def mark_alike(store: Store, anki: Collection, ids: list[int], now: datetime) -> None:
    """Suspend, flag and bury the same cards."""
    for number, card in enumerate(ids):
        match (*MARKS, "")[number % 4]:
            case "suspend":
                store.suspend(key(number), now)
                anki.sched.suspend_cards([card])
            case "flag":
                store.flag(key(number), 3, now)
                anki.set_user_flag_for_cards(3, [card])
            case "bury":
                store.bury(key(number), now)
                anki.sched.bury_cards([card])


def held(collection: Collection, ids: list[int]) -> Iterator[dict]:
    """What a collection has of each card: its row, with days counted from today, and its log."""
    today = collection._backend.sched_timing_today().days_elapsed
    for card in ids:
        row = collection.db.first(f"select {', '.join(COLUMNS)} from cards where id = ?", card)
        found = dict(zip(COLUMNS, row, strict=True))
        if found["type"] and found["due"] < 1_000_000_000:
            found["due"] -= today
        found["data"] = json.loads(found["data"] or "{}")
        yield found | {"log": log_of(collection, card)}


def log_of(collection: Collection, card: int) -> list[list]:
    """The answers to a card, in order."""
    query = f"select {', '.join(LOG)} from revlog where cid = ? order by id"
    return collection.db.all(query, card)


def carry(store: Store, folder: Path, cards: int, now: datetime) -> Collection:
    """A new collection into which the store's answers were imported."""
    package = folder / "x.apkg"
    decks = [Deck("Deck", tuple(Card(f"{n}", "?", "!", id=key(n).card) for n in range(cards)))]
    progress = Progress.of(store, "course", now)
    build_package(Edition("course", "Course", decks, Ledger(), folder), package, progress=progress)
    collection = Collection(str(folder / "carried.anki2"))
    collection.set_config("fsrs", True)
    load(collection, package, with_scheduling=True)
    return collection


def next_alike(store: Store, collection: Collection, ids: list[int]) -> Iterator[dict]:
    """What the next answer leads to: in the terminal, and in Anki with what was carried."""
    scheduler = Scheduler(store.zone)
    for number, card in enumerate(ids):
        at, words, _ = answer(collection, card, number % 4 + 1)
        memory = store.state(key(number)).memory
        plan = scheduler.preview(memory, from_milliseconds(at))
        after = plan[Rating(number % 4 + 1)]
        plain = [word.replace("\u2068", "").replace("\u2069", "").strip("<") for word in words]
        yield {
            "words": [[scheduler.words(each) for each in plan.values()], plain],
            "memory": [told(after), told_by(collection, card)],
        }


def told(memory: Memory) -> list:
    """Stability, difficulty, interval, answers and lapses, as the terminal has them."""
    return [memory.stability, memory.difficulty, memory.interval, memory.reps, memory.lapses]


def told_by(collection: Collection, card: int) -> list:
    """The same, as Anki has them."""
    row = collection.db.first("select data, ivl, reps, lapses from cards where id = ?", card)
    data = json.loads(row[0])
    return [data["s"], data["d"], *row[1:]]


def compare(folder: Path, ids: list[int], rows: list[dict], minutes_west: int) -> dict:
    """Both collections, in the moment that the last step left Anki in."""
    zone, now = timezone(timedelta(minutes=-minutes_west)), datetime.now(UTC)
    anki = Collection(str(folder / "anki.anki2"))
    with Store(folder / "reviews.sqlite3", zone) as store:
        logs = {number: log_of(anki, card) for number, card in enumerate(ids)}
        answer_alike(store, rows, logs)
        mark_alike(store, anki, ids, now)
        carried = carry(store, folder, len(ids), now)
        arrived = [carried.find_cards(f"Id:{key(n).card}")[0] for n in range(len(ids))]
        both = {"anki": [*held(anki, ids)], "carried": [*held(carried, arrived)]}
        worked_out = [carried._backend.compute_memory_state(card) for card in arrived]
        both["worked out"] = [[each.state.stability, each.state.difficulty] for each in worked_out]
        carried.sched.unsuspend_cards(arrived)
        both["next"] = [*next_alike(store, carried, arrived)]
    both["integrity"] = carried.fix_integrity()
    anki.close()
    carried.close()
    return both


def main() -> None:
    """Read what to play, play it, and tell."""
    wanted = json.load(sys.stdin)
    steps = wanted["steps"]
    created = steps[0]["at"] // DAY * DAY + 4 * 3600 - DAY
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "anki.anki2")
        ids = new_collection(path, wanted["cards"])
        past, rows = 0, []
        for step in steps:
            with ThreadPoolExecutor(1) as thread:
                past, found = thread.submit(play, path, ids, step, created, past).result()
            rows += found
        west = past // 60 % 1440
        west -= 1440 if west > 720 else 0
        with ThreadPoolExecutor(1) as thread:
            both = thread.submit(compare, Path(folder), ids, rows, west).result()
    json.dump(both, sys.stdout)


if __name__ == "__main__":
    main()

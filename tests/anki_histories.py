"""Plays histories through the real Anki, its clock moved, and tells what it planned.

A program of its own, since Anki decides once in a process whether it fuzzes intervals. It reads
from its input `{"cards": N, "steps": [{"at": ..., "answers": [[card, rating], ...]}, ...]}`, with
seconds since 1970 and ratings from 1 to 4, and prints one JSON list of what each answer led to.

Anki's clock is the machine's, so the past is moved instead: before each step every time stamp in
the collection, and the time zone, are shifted such that the collection cannot tell the machine's
present from the moment that the step asks for. Days are those of UTC.

With ANKI_TEST_MODE in the environment Anki does not fuzz; it also sets its clock back by two hours
from 02:00 to 04:00, so that no step may lie there.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from anki.collection import Collection

DAY = 86_400
COLUMNS = ("type", "queue", "due", "ivl", "reps", "lapses", "left", "data")


def new_collection(path: str, cards: int) -> list[int]:
    """A collection with so many new cards and FSRS on; their ids."""
    collection = Collection(path)
    collection.set_config("fsrs", True)
    options = collection.decks.get_config(1)
    options["lapse"]["leechFails"] = 0
    collection.decks.update_config(options)
    kind = collection.models.by_name("Basic")
    ids = []
    for number in range(cards):
        note = collection.new_note(kind)
        note["Front"] = str(number)
        collection.add_note(note, 1)
        ids.append(note.cards()[0].id)
    collection.close()
    return ids


def move(path: str, seconds: int, created: int, minutes_west: int) -> None:
    """Shift everything that ever happened, and say when and where the collection was created."""
    collection = Collection(path)
    collection.db.execute("pragma synchronous = off")
    collection.set_config("creationOffset", minutes_west)
    database = collection.db
    database.execute("update col set crt = ?", created)
    database.execute("update revlog set id = -(id + ?)", seconds * 1000)
    database.execute("update revlog set id = -id")
    database.execute("update cards set due = due + ? where queue = 1", seconds)
    database.execute(
        "update cards set data = json_set(data, '$.lrt', json_extract(data, '$.lrt') + ?)"
        " where json_extract(data, '$.lrt') is not null",
        seconds,
    )
    collection.close()


def answer(collection: Collection, card_id: int, rating: int) -> tuple[int, list[str], list[int]]:
    """Answer a card; when that was, what stood above the four buttons, and the days it meant."""
    card = collection.get_card(card_id)
    card.start_timer()
    states = collection._backend.get_scheduling_states(card_id)
    words = list(collection._backend.describe_next_states(states))
    given = collection.sched.build_answer(card=card, states=states, rating=rating - 1)
    collection.sched.answer_card(given)
    choices = [getattr(states, name).normal for name in ("again", "hard", "good", "easy")]
    return given.answered_at_millis, words, [each.review.scheduled_days for each in choices]


def play(path: str, ids: list[int], step: dict, created: int, past: int) -> tuple:
    """One step; how far its moment is in the machine's past, and what each answer led to."""
    ahead = int((time.time() - step["at"]) // 60 * 60)
    west = ahead // 60 % 1440
    west -= 1440 if west > 720 else 0
    os.environ["TZ"] = f"XXX{'-' if west < 0 else '+'}{abs(west) // 60:02}:{abs(west) % 60:02}"
    time.tzset()
    move(path, ahead - past, created + ahead, west)
    collection = Collection(path)
    collection.db.execute("pragma synchronous = off")
    found = []
    for number, rating in step["answers"]:
        at, words, days = answer(collection, ids[number], rating)
        row = collection.db.first(
            f"select {', '.join(COLUMNS)} from cards where id = ?",
            ids[number],
        )
        told = dict(zip(COLUMNS, row, strict=True))
        memory = json.loads(told.pop("data"))
        due_at = told["due"] - ahead if told["queue"] == 1 else None
        due_day = None if told["queue"] == 1 else created // DAY + told["due"]
        found.append(
            {
                "card": number,
                "rating": rating,
                "at": at - ahead * 1000,
                "words": words,
                "days": days,
            }
            | told
            | {"s": memory["s"], "d": memory["d"], "due_at": due_at, "due_day": due_day}
        )
    timing = collection._backend.sched_timing_today()
    assert (timing.next_day_at - ahead) % DAY == 4 * 3600, "the day does not begin at 04:00"
    collection.close()
    return ahead, found


def main() -> None:
    """Read what to play, and play it."""
    wanted = json.load(sys.stdin)
    steps = wanted["steps"]
    created = steps[0]["at"] // DAY * DAY + 4 * 3600 - DAY
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "collection.anki2")
        ids = new_collection(path, wanted["cards"])
        past, answers = 0, []
        for step in steps:
            # A thread of its own: Anki's threads look for the time zone when they begin.
            with ThreadPoolExecutor(1) as thread:
                past, found = thread.submit(play, path, ids, step, created, past).result()
            answers += found
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()

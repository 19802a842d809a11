"""The user's reviews, in SQLite: the log of what was answered is the truth.

    with open_store() as store:
        plan = scheduler.preview(state.memory, now, seed=str(state.key))
        store.answer(state.key, state.memory, Rating.GOOD, plan[Rating.GOOD])

Nothing is ever deleted. What a card's state is follows from the log, and can be built again.
"""

from vaeflash.study.reviews.database import StoreError, reviews_exist, reviews_path
from vaeflash.study.reviews.records import (
    Act,
    CardKey,
    CardState,
    DayCount,
    Queues,
    Review,
    Today,
    Undone,
)
from vaeflash.study.reviews.reviews import ConflictError, Store, open_store

__all__ = [
    "Act",
    "CardKey",
    "CardState",
    "ConflictError",
    "DayCount",
    "Queues",
    "Review",
    "Store",
    "StoreError",
    "Today",
    "Undone",
    "open_store",
    "reviews_exist",
    "reviews_path",
]

-- The review log and what follows from it. Version 1.
-- A change of this schema is a new numbered script; this one stays as it is.

PRAGMA application_id = 1986094438;  -- "vaef"

CREATE TABLE card (
    id       INTEGER PRIMARY KEY,
    course   TEXT NOT NULL,
    card     TEXT NOT NULL,
    template TEXT NOT NULL,           -- forward, reverse, prediction, cloze1, ...
    UNIQUE (course, card, template)
);

-- What happened, in the order in which it happened; the clock may have gone back.
CREATE TABLE log (
    id         INTEGER PRIMARY KEY,
    card       INTEGER NOT NULL REFERENCES card (id),
    at         INTEGER NOT NULL,      -- milliseconds since 1970 UTC
    day        TEXT NOT NULL,         -- whose day it was there and then; days begin at 04:00
    -- One of these says what it was.
    rating     INTEGER CHECK (rating BETWEEN 1 AND 4),
    undoes     INTEGER REFERENCES log (id),
    suspended  INTEGER CHECK (suspended IN (0, 1)),
    buried     TEXT,                  -- the day on which it is back
    flag       INTEGER CHECK (flag BETWEEN 0 AND 7),
    -- Of an answer: the answer that it builds on, how long it took, and the memory it led to.
    previous   INTEGER REFERENCES log (id),
    duration   INTEGER,               -- milliseconds
    phase      TEXT CHECK (phase IN ('learning', 'review', 'relearning')),
    step       INTEGER,
    stability  REAL,                  -- days
    difficulty REAL,
    interval   INTEGER,               -- days
    due_day    TEXT,
    due_at     INTEGER,               -- milliseconds since 1970 UTC, if due within the day
    reps       INTEGER,
    lapses     INTEGER,
    CHECK ((rating IS NOT NULL) + (undoes IS NOT NULL) + (suspended IS NOT NULL)
           + (buried IS NOT NULL) + (flag IS NOT NULL) = 1),
    CHECK ((rating IS NOT NULL) = (phase IS NOT NULL AND step IS NOT NULL
           AND stability IS NOT NULL AND difficulty IS NOT NULL AND interval IS NOT NULL
           AND due_day IS NOT NULL AND reps IS NOT NULL AND lapses IS NOT NULL
           AND duration IS NOT NULL))
);

CREATE INDEX log_by_card ON log (card);
CREATE INDEX log_by_day ON log (day);
CREATE UNIQUE INDEX log_undone_once ON log (undoes) WHERE undoes IS NOT NULL;

CREATE TRIGGER log_is_never_changed BEFORE UPDATE ON log
BEGIN SELECT RAISE (ABORT, 'the review log is never changed'); END;

CREATE TRIGGER log_is_never_shortened BEFORE DELETE ON log
BEGIN SELECT RAISE (ABORT, 'the review log is never shortened'); END;

-- Where each card stands: the answer in force, if any, and its marks. All of it follows from the log.
CREATE TABLE state (
    card      INTEGER PRIMARY KEY REFERENCES card (id),
    answer    INTEGER REFERENCES log (id),
    suspended INTEGER NOT NULL DEFAULT 0,
    buried    TEXT,
    flag      INTEGER NOT NULL DEFAULT 0
);

-- The answers that were not taken back.
CREATE VIEW answer AS
SELECT * FROM log
WHERE rating IS NOT NULL AND NOT EXISTS (SELECT 1 FROM log AS later WHERE later.undoes = log.id);

-- What the table of states must hold.
CREATE VIEW state_by_log AS
SELECT
    card.id AS card,
    (SELECT max(id) FROM answer WHERE answer.card = card.id) AS answer,
    coalesce((SELECT suspended FROM log WHERE log.card = card.id AND suspended IS NOT NULL
              ORDER BY id DESC LIMIT 1), 0) AS suspended,
    (SELECT buried FROM log WHERE log.card = card.id AND buried IS NOT NULL
     ORDER BY id DESC LIMIT 1) AS buried,
    coalesce((SELECT flag FROM log WHERE log.card = card.id AND flag IS NOT NULL
              ORDER BY id DESC LIMIT 1), 0) AS flag
FROM card;

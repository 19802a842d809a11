-- Version 2: not only answers, but marks too can be taken back.

DROP VIEW state_by_log;
DROP VIEW answer;

-- What happened and was not taken back.
CREATE VIEW deed AS
SELECT * FROM log
WHERE undoes IS NULL AND NOT EXISTS (SELECT 1 FROM log AS later WHERE later.undoes = log.id);

CREATE VIEW answer AS SELECT * FROM deed WHERE rating IS NOT NULL;

-- What the table of states must hold.
CREATE VIEW state_by_log AS
SELECT
    card.id AS card,
    (SELECT max(id) FROM answer WHERE answer.card = card.id) AS answer,
    coalesce((SELECT suspended FROM deed WHERE deed.card = card.id AND suspended IS NOT NULL
              ORDER BY id DESC LIMIT 1), 0) AS suspended,
    (SELECT buried FROM deed WHERE deed.card = card.id AND buried IS NOT NULL
     ORDER BY id DESC LIMIT 1) AS buried,
    coalesce((SELECT flag FROM deed WHERE deed.card = card.id AND flag IS NOT NULL
              ORDER BY id DESC LIMIT 1), 0) AS flag
FROM card;

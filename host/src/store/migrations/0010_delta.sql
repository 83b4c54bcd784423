-- Deltas: what changed at the source after a run, and what became of it.

-- The pass of the reading in which a staged row came to be as it is: 0 and 1 are those of the run, each delta has one of its own.
ALTER TABLE staged ADD COLUMN pass BIGINT NOT NULL DEFAULT 0;
CREATE INDEX staged_by_pass ON staged (extraction, pass, kind);

-- Rows as they were before a delta read a newer version: what a person is told that changed.
CREATE TABLE staged_before (
    extraction  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    pass        BIGINT NOT NULL,        -- of the delta that replaced it
    payload     TEXT NOT NULL,
    PRIMARY KEY (extraction, kind, id, pass)
);

CREATE TABLE deltas (
    run         TEXT NOT NULL,
    number_n    BIGINT NOT NULL,        -- from 1
    pass        BIGINT NOT NULL,        -- of the reading
    since_ms    BIGINT NOT NULL,        -- the watermark it began at, without the overlap
    until_ms    BIGINT NOT NULL,        -- the watermark it leaves
    state       TEXT NOT NULL,          -- open | done | rolling-back | rolled-back
    closing     BIGINT NOT NULL,        -- 1 for the last one
    swept       BIGINT NOT NULL,        -- 1 once the ids were compared
    first_id    BIGINT NOT NULL,        -- effects from this number on are the delta's
    policies    TEXT NOT NULL,          -- JSON: what was decided beforehand
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    PRIMARY KEY (run, number_n)
);

-- What a delta found, and what it did about it. What waits for a person is looked at again by every later delta.
CREATE TABLE delta_records (
    run         TEXT NOT NULL,
    number_n    BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    change      TEXT NOT NULL,          -- new | updated | deleted | merged
    did         TEXT NOT NULL,          -- what became of it
    waits       BIGINT NOT NULL,        -- 1: a person has to do something
    facts       TEXT NOT NULL,          -- JSON: why, which fields, which object
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (run, number_n, kind, source_id)
);
CREATE INDEX delta_records_waiting ON delta_records (run, waits, kind);

-- Outcomes as they were before a delta gave a record another; `status` is NULL where there was none.
CREATE TABLE delta_outcomes (
    run         TEXT NOT NULL,
    number_n    BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    of_kind     TEXT NOT NULL,          -- the record it travels in; itself, mostly
    of_id       TEXT NOT NULL,
    status      TEXT,
    cause       TEXT,
    remedy      TEXT,
    hash        TEXT,
    unit        BIGINT,
    losses      TEXT NOT NULL,          -- JSON: [[field, how, note], …]
    PRIMARY KEY (run, number_n, kind, source_id)
);

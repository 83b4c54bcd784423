-- What a report shows beside the ledger.

-- The plan that a run was approved with, as JSON: held against what happened.
CREATE TABLE run_plans (
    run         TEXT PRIMARY KEY,
    body        TEXT NOT NULL
);

-- Requests over time: a row each time that a connection was looked at and had sent something since.
CREATE TABLE request_times (
    run         TEXT NOT NULL,          -- or the extraction, as in request_counts
    connection  TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    count_n     BIGINT NOT NULL,
    throttled   BIGINT NOT NULL,
    rule        TEXT,                   -- the limit that was fullest then; how much of it was used, and may be
    used        BIGINT NOT NULL,
    allowed     BIGINT NOT NULL,
    PRIMARY KEY (run, connection, at_ms)
);

-- Pages that were given out, by their bytes, with the chain's head as it was: `report --check` knows them again.
CREATE TABLE pages (
    sha256      TEXT PRIMARY KEY,
    run         TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    chain_seq   BIGINT NOT NULL,
    chain_hash  TEXT NOT NULL
);

-- What a dry run would have sent, and what was answered in the platform's place. Filled in the copy of the store that a dry run
-- works on, and nowhere else.
CREATE TABLE rehearsed (
    number      BIGINT PRIMARY KEY,     -- the first of those of which the ids in the answer are formed
    run         TEXT NOT NULL,
    unit        BIGINT NOT NULL,
    ident       TEXT NOT NULL,          -- as in the journal
    item        TEXT NOT NULL,          -- of its key; '*' for several
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,          -- granted pattern
    request     TEXT NOT NULL,          -- as JSON; without a credential, which the gateway adds
    answer      TEXT                    -- NULL where nobody could say
);
CREATE INDEX rehearsed_by_unit ON rehearsed (unit, ident);
CREATE INDEX rehearsed_by_item ON rehearsed (item);

-- Results of dry runs, newest last.
CREATE TABLE dry_runs (
    id          BIGINT PRIMARY KEY,
    extraction  TEXT NOT NULL,
    destination TEXT NOT NULL,          -- connection's name
    account     TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    body        TEXT NOT NULL           -- as JSON
);

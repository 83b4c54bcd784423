-- One schema for SQLite and PostgreSQL: portable types, ids assigned by us, times in ms since 1970 (UTC).
-- Nothing about a vendor; kinds and statuses are the contract's words.

-- One reading of a source account up to a moment. Several runs and destinations can share it.
CREATE TABLE extractions (
    id          TEXT PRIMARY KEY,
    connection  TEXT NOT NULL,
    account     TEXT NOT NULL,
    platform    TEXT NOT NULL,
    digest      TEXT NOT NULL,          -- of the plugin that reads
    until_ms    BIGINT NOT NULL,        -- first pass: [.., until_ms)
    caught_up   BIGINT NOT NULL,        -- later passes reached this far
    discovery   TEXT NOT NULL,
    state       TEXT NOT NULL,          -- reading | complete
    started_at  BIGINT NOT NULL
);

CREATE TABLE partitions (
    extraction  TEXT NOT NULL,
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,
    pass        BIGINT NOT NULL,
    spec        TEXT NOT NULL,          -- the contract's partition as JSON
    cursor_text TEXT,
    state       TEXT NOT NULL,          -- open | done | split | short
    distinct_ids BIGINT NOT NULL,
    total_first BIGINT,
    total_last  BIGINT,
    walks       BIGINT NOT NULL,
    PRIMARY KEY (extraction, id)
);

CREATE TABLE kinds_read (
    extraction  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    pass        BIGINT NOT NULL,
    PRIMARY KEY (extraction, kind)
);

CREATE TABLE staged (
    extraction  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    parent      TEXT,                   -- conversation of a message, message of an attachment
    updated_at  BIGINT NOT NULL,
    sort_at     BIGINT NOT NULL,        -- order within the parent, and order of loading
    closed      BIGINT NOT NULL,        -- 1 for a closed conversation, which may be loaded after the others
    name        TEXT,                   -- what a person calls it, for those that refer to it
    part        TEXT NOT NULL,          -- partition that gave it first
    walk        BIGINT NOT NULL,
    payload     TEXT NOT NULL,
    hash        TEXT NOT NULL,
    blob        TEXT,                   -- an attachment's bytes, once fetched
    PRIMARY KEY (extraction, kind, id)
);
CREATE INDEX staged_by_parent ON staged (extraction, kind, parent);
CREATE INDEX staged_by_time ON staged (extraction, kind, sort_at, id);
CREATE INDEX staged_by_part ON staged (extraction, part, walk);

-- Ids that live on in another record: merged people (rule M-7).
CREATE TABLE aliases (
    extraction  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    survivor    TEXT NOT NULL,
    PRIMARY KEY (extraction, kind, id)
);

CREATE TABLE explained (
    extraction  TEXT NOT NULL,
    part        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    rows_n      BIGINT NOT NULL,
    PRIMARY KEY (extraction, part, reason)
);

CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    extraction  TEXT NOT NULL,
    source      TEXT NOT NULL,          -- connection's name
    destination TEXT NOT NULL,
    account     TEXT NOT NULL,          -- of the destination (rule D-12)
    platform    TEXT NOT NULL,
    organisation TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT,
    config_digest TEXT NOT NULL,
    plan_digest TEXT,
    prepared    TEXT,
    survey      TEXT,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT
);

CREATE TABLE run_plugins (
    run         TEXT NOT NULL,
    role        TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    PRIMARY KEY (run, role)
);

-- Who owns the store (rule D-15). One row, id 1.
CREATE TABLE lease (
    id          BIGINT PRIMARY KEY,
    token       BIGINT NOT NULL,
    owner       TEXT NOT NULL,
    until_ms    BIGINT NOT NULL
);

CREATE TABLE units (
    id          BIGINT PRIMARY KEY,
    run         TEXT NOT NULL,
    operation   TEXT NOT NULL,          -- prepare | write | undo
    kind        TEXT NOT NULL,
    status      TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    digest      TEXT NOT NULL,          -- of the plugin
    now_ms      BIGINT NOT NULL,
    input       TEXT NOT NULL,          -- frozen (rule D-6)
    input_hash  TEXT NOT NULL,
    error       TEXT
);
CREATE INDEX units_by_run ON units (run, status);

CREATE TABLE unit_items (
    unit        BIGINT NOT NULL,
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    PRIMARY KEY (unit, kind, source_id)
);
CREATE INDEX unit_items_by_record ON unit_items (run, kind, source_id);

CREATE TABLE journal (
    unit        BIGINT NOT NULL,
    ident       TEXT NOT NULL,          -- what was called, and which time
    digest      TEXT NOT NULL,
    request     TEXT NOT NULL,          -- method and granted pattern, for the audit
    mutating    BIGINT NOT NULL,
    passing     BIGINT NOT NULL,
    state       TEXT NOT NULL,          -- intended | refused | answered
    attempts    BIGINT NOT NULL,
    first_sent  BIGINT,
    last_sent   BIGINT,
    delivery    BIGINT,                 -- order in which answers reached the guest
    answer      TEXT,
    answer_blob TEXT,                   -- large answers live in the blob folder until the outcome
    expires_at  BIGINT,
    PRIMARY KEY (unit, ident)
);

-- Records of which an earlier attempt may have been applied, until an outcome settles it (rules D-3, D-8).
CREATE TABLE doubts (
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    since       BIGINT NOT NULL,
    PRIMARY KEY (run, kind, source_id)
);

CREATE TABLE outcomes (
    account     TEXT NOT NULL,
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    status      TEXT NOT NULL,
    cause       TEXT,                   -- for rejects, skips, exports and unsettled
    remedy      TEXT,
    hash        TEXT NOT NULL,          -- of the staged record it stands for
    unit        BIGINT,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (run, kind, source_id)
);
CREATE INDEX outcomes_by_status ON outcomes (run, status, kind);

CREATE TABLE losses (
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    field       TEXT NOT NULL,
    how         TEXT NOT NULL,
    note        TEXT NOT NULL
);
CREATE INDEX losses_by_record ON losses (run, kind, source_id);

CREATE TABLE effects (
    id          BIGINT PRIMARY KEY,
    account     TEXT NOT NULL,
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    part        TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    action      TEXT NOT NULL,
    marker      TEXT NOT NULL,
    effect      TEXT NOT NULL,          -- the contract's effect as JSON
    unit        BIGINT NOT NULL,
    digest      TEXT NOT NULL,          -- of the plugin that wrote (rule I-10)
    at_ms       BIGINT NOT NULL,
    undo_status TEXT,
    undo_reason TEXT
);
CREATE INDEX effects_by_record ON effects (account, kind, source_id, part);
CREATE INDEX effects_by_target ON effects (account, target_id, target_kind);
CREATE INDEX effects_by_run ON effects (run, id);

-- One link per commit group of the ledger; it hashes digests, so erasing content never breaks it (rules D-17, M-12).
CREATE TABLE chain (
    seq         BIGINT PRIMARY KEY,
    rows_hash   TEXT NOT NULL,
    rows_ref    TEXT NOT NULL,          -- [run, record, digest] of what it covers
    hash        TEXT NOT NULL
);

CREATE TABLE audit (
    run         TEXT NOT NULL,
    unit        BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    ident       TEXT NOT NULL,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    status      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL
);

CREATE TABLE request_counts (
    run         TEXT NOT NULL,
    connection  TEXT NOT NULL,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    count_n     BIGINT NOT NULL,
    throttled   BIGINT NOT NULL,
    PRIMARY KEY (run, connection, method, path)
);

CREATE TABLE notices (
    run         TEXT NOT NULL,
    code        TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (run, code, body)
);

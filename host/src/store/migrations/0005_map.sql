-- What each plan that was shown is decided by, so that a run on other facts can say what changed (rule M-14).
CREATE TABLE plans (
    digest      TEXT PRIMARY KEY,
    at_ms       BIGINT NOT NULL,
    facts       TEXT NOT NULL           -- JSON: what is decided, to how
);

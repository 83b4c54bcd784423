-- What verifications of a run found, as JSON: the newest is part of its report.
CREATE TABLE verifications (
    run         TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (run, at_ms)
);

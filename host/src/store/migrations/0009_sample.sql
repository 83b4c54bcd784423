-- The records of a run's sample, those that came along with the chosen ones included: what is loaded before anything else is.
CREATE TABLE sampled (
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source_id   TEXT NOT NULL,
    chosen      BIGINT NOT NULL,        -- 0: came along
    PRIMARY KEY (run, kind, source_id)
);
-- What stands in place of people's addresses in a run that is only a trial: an address, or 'invalid'. NULL: their own.
ALTER TABLE runs ADD COLUMN addresses TEXT;

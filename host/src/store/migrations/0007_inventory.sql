-- Texts that look damaged, as they were when they were staged: `hash` is that of the staged row they were found in, so that what was
-- found in a row that a newer one has taken the place of counts no more. No text is here: where it is, and what it looks like.
CREATE TABLE damage (
    extraction  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    hash        TEXT NOT NULL,
    field       TEXT NOT NULL,
    what        TEXT NOT NULL,          -- replacement-character | mojibake | cut | masked
    pattern     TEXT NOT NULL,          -- what it looks like, in words
    at_char     BIGINT NOT NULL,        -- the first, counted in characters from 0
    count_n     BIGINT NOT NULL,
    PRIMARY KEY (extraction, kind, id, hash, field, what, pattern)
);

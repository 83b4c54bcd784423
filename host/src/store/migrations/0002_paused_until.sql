-- Until when a paused run waits, ms since 1970; NULL where nobody knows.
ALTER TABLE runs ADD COLUMN until_ms BIGINT;

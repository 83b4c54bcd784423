-- Steps of a cutover that only a person can do, and when they said that they did.
CREATE TABLE cutover_steps (
    run         TEXT NOT NULL,
    step        TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (run, step)
);

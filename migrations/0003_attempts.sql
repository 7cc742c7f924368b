-- Attempts of runs that have several; the figures of a run with one are the run's own. A `step` is empty where the run has
-- none.
CREATE TABLE attempts (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    step TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL,
    outcome INTEGER NOT NULL REFERENCES outcomes,
    reason INTEGER REFERENCES reasons,
    detail TEXT,
    started INTEGER,
    ended INTEGER NOT NULL,
    duration INTEGER,
    exit_code INTEGER,
    signal INTEGER,
    cpu INTEGER,
    max_rss INTEGER,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, step, attempt)
) STRICT, WITHOUT ROWID;

-- When a run that waits for its next attempt begins it.
ALTER TABLE runs ADD COLUMN retry_at INTEGER;

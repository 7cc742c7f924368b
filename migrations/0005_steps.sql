-- Attempts of runs that have several, and of their steps. `step` is the step's number in the order of the file, from 1, and
-- 0 stands for the attempt as a whole; a step that has no outcome is under way, or was when the run was lost.
CREATE TABLE attempts_with_steps (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    -- Of the run.
    attempt INTEGER NOT NULL,
    step INTEGER NOT NULL DEFAULT 0,
    -- Of the step; 0 for the attempt as a whole.
    step_attempt INTEGER NOT NULL DEFAULT 0,
    name TEXT,
    outcome INTEGER REFERENCES outcomes,
    reason INTEGER REFERENCES reasons,
    detail TEXT,
    started INTEGER,
    ended INTEGER,
    duration INTEGER,
    exit_code INTEGER,
    signal INTEGER,
    cpu INTEGER,
    max_rss INTEGER,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, attempt, step, step_attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO attempts_with_steps (
    run, attempt, outcome, reason, detail, started, ended, duration, exit_code, signal, cpu, max_rss, output_bytes)
SELECT run, attempt, outcome, reason, detail, started, ended, duration, exit_code, signal, cpu, max_rss, output_bytes
FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_with_steps RENAME TO attempts;

-- What was kept of an attempt's output, each step's for itself.
CREATE TABLE output_of_steps (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    step INTEGER NOT NULL DEFAULT 0,
    step_attempt INTEGER NOT NULL DEFAULT 0,
    "offset" INTEGER NOT NULL,
    stream INTEGER NOT NULL REFERENCES streams,
    at INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, attempt, step, step_attempt, "offset")
) STRICT;
INSERT INTO output_of_steps (run, attempt, "offset", stream, at, data)
SELECT run, attempt, "offset", stream, at, data FROM output;
DROP TABLE output;
ALTER TABLE output_of_steps RENAME TO output;

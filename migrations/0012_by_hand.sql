-- What people wish of the daemon.
INSERT INTO event_kinds VALUES (12, 'by-hand'), (13, 'pause-ended');

-- Which jobs are paused now. No job: all of them, also those that come into the file while it holds.
CREATE TABLE pauses (
    number INTEGER PRIMARY KEY,
    job INTEGER REFERENCES jobs,
    since INTEGER NOT NULL,
    -- The first moment at which it holds no more.
    until INTEGER,
    reason TEXT,
    who TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX pause_of ON pauses (coalesce(job, 0));

-- Jobs that were resumed while all are paused.
CREATE TABLE pause_exceptions (job INTEGER PRIMARY KEY REFERENCES jobs) STRICT;

-- Instants to come that are to be left out, and on whose word.
CREATE TABLE skips (
    job INTEGER NOT NULL REFERENCES jobs,
    due INTEGER NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (job, due)
) STRICT, WITHOUT ROWID;

-- What was said by whoever asked for a run.
CREATE TABLE asked (
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    who TEXT NOT NULL,
    -- The past instant that it repeats.
    repeats INTEGER,
    -- Variables for all its attempts, as JSON.
    env TEXT NOT NULL
) STRICT;

-- Runs that somebody wants to end.
CREATE TABLE stops (
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    at INTEGER NOT NULL,
    who TEXT NOT NULL
) STRICT;

CREATE VIEW pauses_shown AS
SELECT
    jobs.name AS job,
    strftime('%Y-%m-%dT%H:%M:%S', pauses.since / 1000000, 'unixepoch') || printf('.%06dZ', pauses.since % 1000000) AS since,
    strftime('%Y-%m-%dT%H:%M:%S', pauses.until / 1000000, 'unixepoch') || printf('.%06dZ', pauses.until % 1000000) AS until,
    pauses.reason,
    pauses.who,
    (SELECT group_concat(name, ', ') FROM (
        SELECT excepted.name FROM pause_exceptions JOIN jobs AS excepted ON excepted.number = pause_exceptions.job
        WHERE pauses.job IS NULL ORDER BY excepted.name)) AS except_for
FROM pauses
LEFT JOIN jobs ON jobs.number = pauses.job;

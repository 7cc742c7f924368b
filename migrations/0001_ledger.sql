-- The ledger. Times and durations are whole microseconds, times since the Unix epoch in UTC. Words are kept as numbers
-- and spelt out in the tables of words; the view `history` shows rows as people read them.

CREATE TABLE causes (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE states (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE outcomes (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE reasons (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE streams (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE event_kinds (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;

INSERT INTO causes VALUES
    (1, 'schedule'), (2, 'catch-up'), (3, 'boot'), (4, 'start'), (5, 'manual'), (6, 'dependency');
INSERT INTO states VALUES (1, 'waiting'), (2, 'running'), (3, 'ended');
INSERT INTO outcomes VALUES
    (1, 'succeeded'), (2, 'failed'), (3, 'timed-out'), (4, 'stopped'), (5, 'not-started'), (6, 'lost'),
    (7, 'skipped'), (8, 'missed');
INSERT INTO reasons VALUES
    (1, 'exit-code'), (2, 'signal'), (3, 'output-matched'), (4, 'expectation'), (5, 'no-program'),
    (6, 'no-permission'), (7, 'no-user'), (8, 'limit'), (9, 'spawn'), (10, 'panic'), (11, 'timeout'),
    (12, 'by-hand'), (13, 'replaced'), (14, 'shutdown'), (15, 'overlap'), (16, 'paused'), (17, 'disabled'),
    (18, 'calendar'), (19, 'queue-full'), (20, 'needs'), (21, 'gone'), (22, 'changed'), (23, 'daemon-down'),
    (24, 'suspended'), (25, 'clock-set'), (26, 'unrecordable');
INSERT INTO streams VALUES (1, 'stdout'), (2, 'stderr');
INSERT INTO event_kinds VALUES (1, 'start'), (2, 'stop'), (3, 'reload'), (4, 'clock-step'), (5, 'refused');

CREATE TABLE jobs (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE hosts (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE boots (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;

-- Which instants a job had, from when to when: what an audit computes from.
CREATE TABLE definitions (
    number INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs,
    since INTEGER NOT NULL,
    until INTEGER,
    -- Schedules and zone as JSON.
    text TEXT NOT NULL,
    zone_data TEXT NOT NULL
) STRICT;
CREATE INDEX definitions_of_job ON definitions (job, since);
CREATE UNIQUE INDEX definition_in_force ON definitions (job) WHERE until IS NULL;

-- Every entry: runs, and stretches of instants that did not become runs.
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs,
    cause INTEGER NOT NULL REFERENCES causes,
    -- The instant named by the schedule; of a run that no schedule named, the moment of asking.
    due INTEGER NOT NULL,
    -- The last instant of a stretch of `count`.
    due_last INTEGER,
    count INTEGER NOT NULL DEFAULT 1,
    jitter INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL REFERENCES states,
    outcome INTEGER REFERENCES outcomes,
    reason INTEGER REFERENCES reasons,
    detail TEXT,
    started INTEGER,
    ended INTEGER,
    -- On the monotonic clock, so not always `ended - started`.
    duration INTEGER,
    waited INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER,
    signal INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    cpu INTEGER,
    max_rss INTEGER,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    host INTEGER REFERENCES hosts,
    -- The process while it runs: what identifies it after a crash of the daemon.
    pid INTEGER,
    start_ticks INTEGER,
    boot INTEGER REFERENCES boots
) STRICT;
-- An instant that a schedule names has one entry; what people ask for has as many as they ask for.
CREATE UNIQUE INDEX runs_instant ON runs (job, due, (CASE WHEN cause <= 3 THEN 0 ELSE run END));
CREATE INDEX runs_due ON runs (due);
CREATE INDEX runs_open ON runs (state) WHERE state < 3;

-- What was kept of an attempt's output. A step between one piece's end and the next one's offset was cut.
CREATE TABLE output (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    stream INTEGER NOT NULL REFERENCES streams,
    at INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, attempt, "offset")
) STRICT;

-- What happened to the daemon.
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL REFERENCES event_kinds,
    job INTEGER REFERENCES jobs,
    boot INTEGER REFERENCES boots,
    detail TEXT NOT NULL
) STRICT;

-- When the clock was last set back, and the highest number given until then: runs up to it that are due later than `at`
-- come from a time that is yet to come.
CREATE TABLE set_back (only INTEGER PRIMARY KEY CHECK (only = 1), at INTEGER NOT NULL, highest INTEGER NOT NULL) STRICT;

CREATE VIEW history AS
SELECT
    runs.run,
    jobs.name AS job,
    causes.word AS cause,
    strftime('%Y-%m-%dT%H:%M:%S', runs.due / 1000000, 'unixepoch') || printf('.%06dZ', runs.due % 1000000) AS due,
    strftime('%Y-%m-%dT%H:%M:%S', runs.due_last / 1000000, 'unixepoch')
        || printf('.%06dZ', runs.due_last % 1000000) AS due_last,
    runs.count,
    states.word AS state,
    outcomes.word AS outcome,
    reasons.word AS reason,
    runs.detail,
    strftime('%Y-%m-%dT%H:%M:%S', runs.started / 1000000, 'unixepoch')
        || printf('.%06dZ', runs.started % 1000000) AS started,
    strftime('%Y-%m-%dT%H:%M:%S', runs.ended / 1000000, 'unixepoch') || printf('.%06dZ', runs.ended % 1000000) AS ended,
    (runs.started - runs.due - runs.jitter - runs.waited) / 1e6 AS late,
    runs.waited / 1e6 AS waited,
    runs.duration / 1e6 AS duration,
    runs.exit_code,
    runs.signal,
    runs.attempts,
    runs.cpu / 1e6 AS cpu,
    runs.max_rss,
    runs.output_bytes,
    hosts.name AS host
FROM runs
JOIN jobs ON jobs.number = runs.job
JOIN causes ON causes.number = runs.cause
JOIN states ON states.number = runs.state
LEFT JOIN outcomes ON outcomes.number = runs.outcome
LEFT JOIN reasons ON reasons.number = runs.reason
LEFT JOIN hosts ON hosts.number = runs.host;

-- What people ask for and few entries are: found without looking at all the others. An entry that succeeded is in none of
-- these, so that they cost a healthy ledger next to nothing.
CREATE INDEX runs_unwell ON runs (due) WHERE outcome > 1;
CREATE INDEX runs_unwell_of_job ON runs (job, due) WHERE outcome > 1;
CREATE INDEX runs_exit_code ON runs (exit_code, due) WHERE exit_code <> 0;
-- Why it ran, where no schedule called for it at its time.
CREATE INDEX runs_called ON runs (cause, due) WHERE cause > 1;
-- A minute and more.
CREATE INDEX runs_long ON runs (due) WHERE duration >= 60000000;
-- Stretches that began before a time and reach beyond it.
CREATE INDEX runs_stretches ON runs (due_last) WHERE count > 1;

-- What was written, by its trigrams, case aside: where a text may stand, never where it does. It keeps no text; what it finds
-- is looked up in the output itself. A row of it is a text of some KiB, made of the output of one run or of several that
-- follow each other.
CREATE VIRTUAL TABLE search USING fts5(text, content = '', contentless_delete = 1, tokenize = 'trigram', detail = none);
-- Its parts are merged a few pages at a time, when the index is written, and never all at once in a commit.
INSERT INTO search (search, rank) VALUES ('automerge', 0);
INSERT INTO search (search, rank) VALUES ('crisismerge', 1000);
-- Whose output a text of the index is: of runs in this range, both ends included.
CREATE TABLE search_texts (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
-- Up to which run the output is in the index, but for those that had not ended when the index passed them.
CREATE TABLE search_reached (only INTEGER PRIMARY KEY CHECK (only = 1), run INTEGER NOT NULL) STRICT;
INSERT INTO search_reached VALUES (1, 0);
CREATE TABLE search_left_out (run INTEGER PRIMARY KEY) STRICT;

-- Attempts and steps, output and events as people read them.
CREATE VIEW attempts_shown AS
SELECT
    attempts.run,
    jobs.name AS job,
    attempts.attempt,
    nullif(attempts.step, 0) AS step,
    attempts.name AS step_name,
    nullif(attempts.step_attempt, 0) AS step_attempt,
    outcomes.word AS outcome,
    reasons.word AS reason,
    attempts.detail,
    strftime('%Y-%m-%dT%H:%M:%S', attempts.started / 1000000, 'unixepoch')
        || printf('.%06dZ', attempts.started % 1000000) AS started,
    strftime('%Y-%m-%dT%H:%M:%S', attempts.ended / 1000000, 'unixepoch')
        || printf('.%06dZ', attempts.ended % 1000000) AS ended,
    attempts.duration / 1e6 AS duration,
    attempts.exit_code,
    attempts.signal,
    attempts.cpu / 1e6 AS cpu,
    attempts.max_rss,
    attempts.output_bytes
FROM attempts
JOIN runs ON runs.run = attempts.run
JOIN jobs ON jobs.number = runs.job
LEFT JOIN outcomes ON outcomes.number = attempts.outcome
LEFT JOIN reasons ON reasons.number = attempts.reason;

CREATE VIEW outputs AS
SELECT
    output.run,
    jobs.name AS job,
    output.attempt,
    nullif(output.step, 0) AS step,
    nullif(output.step_attempt, 0) AS step_attempt,
    output."offset",
    streams.word AS stream,
    strftime('%Y-%m-%dT%H:%M:%S', output.at / 1000000, 'unixepoch') || printf('.%06dZ', output.at % 1000000) AS at,
    CAST(output.data AS TEXT) AS text
FROM output
JOIN runs ON runs.run = output.run
JOIN jobs ON jobs.number = runs.job
JOIN streams ON streams.number = output.stream;

CREATE VIEW events_shown AS
SELECT
    events.number,
    strftime('%Y-%m-%dT%H:%M:%S', events.at / 1000000, 'unixepoch') || printf('.%06dZ', events.at % 1000000) AS at,
    event_kinds.word AS kind,
    jobs.name AS job,
    events.detail
FROM events
JOIN event_kinds ON event_kinds.number = events.kind
LEFT JOIN jobs ON jobs.number = events.job;

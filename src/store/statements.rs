//! The statements that write: one for each table and kind of change, whatever the number of rows.
//!
//! A group comes as one JSON list of rows, so that it is one statement and two hops to the database's thread. `jsonb_each`
//! hands out its rows as they were read; `json_each` would write each as text again, to be read once more for every value.

pub const INSERT_JOBS: &str = "
INSERT INTO jobs (name) SELECT value FROM json_each($1) WHERE true ON CONFLICT DO NOTHING";

/// The same words again say nothing new of when they came into force.
pub const PUT_IN_FORCE: &str = "
INSERT INTO in_force (only, since, words) VALUES (1, $1, $2)
ON CONFLICT (only) DO UPDATE SET since = excluded.since, words = excluded.words WHERE words <> excluded.words";

pub const INSERT_DEFINITION: &str = "
INSERT INTO definitions (job, since, text, zone_data)
VALUES ((SELECT number FROM jobs WHERE name = $1), $2, $3, $4)";

pub const INSERT_CALENDAR: &str = "
INSERT INTO calendars (version, text) VALUES ($1, $2) ON CONFLICT DO NOTHING";

pub const INSERT_ZONE: &str = "
INSERT INTO zones (name, version, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

/// Of definitions in force that were written when zones were not kept.
pub const ZONES_TO_KEEP: &str = "
SELECT DISTINCT text ->> 'zone', zone_data FROM definitions WHERE until IS NULL
AND NOT EXISTS (SELECT 1 FROM zones WHERE name = text ->> 'zone' AND version = zone_data)";

pub const END_DEFINITION: &str = "
UPDATE definitions SET until = $2 WHERE job = (SELECT number FROM jobs WHERE name = $1) AND until IS NULL";

pub const SET_BACK: &str = "
INSERT INTO set_back (only, at, highest) VALUES (1, $1, $2)
ON CONFLICT (only) DO UPDATE SET at = excluded.at, highest = excluded.highest";

pub const NOTE_SET_BACK: &str = "
INSERT INTO set_backs (at, highest, reach) VALUES ($1, $2, coalesce((SELECT max(due) FROM runs), $1))";

pub const CUT_DEFINITIONS: &str = "
UPDATE definitions SET since = min(since, $1), until = min(until, $1) WHERE since > $1 OR until > $1";

pub const REMOVE_GAPS: &str = "
DELETE FROM runs WHERE run IN (SELECT value FROM json_each($1))";

/// What it does not return was there already.
pub const INSERT_RUNS: &str = "
INSERT INTO runs (run, job, cause, due, due_last, count, state, outcome, reason, detail, jitter,
                  host)
SELECT value ->> 0, (SELECT number FROM jobs WHERE name = value ->> 1), value ->> 2, value ->> 3, value ->> 4,
       value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, $2
FROM jsonb_each($1) WHERE true
ON CONFLICT DO NOTHING
RETURNING run";

pub const INSERT_CAUSES: &str = "
INSERT INTO dependencies (run, caused_by)
SELECT value ->> 0, value ->> 1 FROM jsonb_each($1) WHERE EXISTS (SELECT 1 FROM runs WHERE run = value ->> 0)
ON CONFLICT DO NOTHING";

pub const RESIZE_GAPS: &str = "
UPDATE runs SET due_last = new.due_last, count = new.count
FROM (SELECT value ->> 0 AS run, value ->> 1 AS due_last, value ->> 2 AS count FROM jsonb_each($1)) AS new
WHERE runs.run = new.run";

/// What it does not return was refused when it was opened.
pub const BEGIN_RUNS: &str = "
UPDATE runs SET state = 2, waited = coalesce(new.waited, runs.waited), detail = NULL, retry_at = NULL
FROM (SELECT value ->> 0 AS run, value ->> 1 AS waited FROM jsonb_each($1)) AS new
WHERE runs.run = new.run
RETURNING runs.run";

pub const START_RUNS: &str = "
UPDATE runs SET started = coalesce(runs.started, new.started), pid = coalesce(new.pid, runs.pid),
    start_ticks = coalesce(new.start_ticks, runs.start_ticks), boot = $2,
    attempts = new.attempt
FROM (SELECT value ->> 0 AS run, value ->> 1 AS started, value ->> 2 AS pid, value ->> 3 AS start_ticks,
             value ->> 4 AS attempt
      FROM jsonb_each($1)) AS new
WHERE runs.run = new.run";

/// A step is written when it begins, and again when it is over.
pub const INSERT_ATTEMPTS: &str = "
INSERT INTO attempts (run, attempt, step, step_attempt, name, outcome, reason, detail, started, ended, duration, exit_code,
                      signal, cpu, max_rss, output_bytes)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15
FROM jsonb_each($1) WHERE EXISTS (SELECT 1 FROM runs WHERE run = value ->> 0)
ON CONFLICT DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, detail = excluded.detail,
    started = coalesce(attempts.started, excluded.started), ended = excluded.ended, duration = excluded.duration,
    exit_code = excluded.exit_code, signal = excluded.signal, cpu = excluded.cpu, max_rss = excluded.max_rss,
    output_bytes = excluded.output_bytes";

pub const RETRY_RUNS: &str = "
UPDATE runs SET state = 1, retry_at = new.at, detail = new.detail, pid = NULL, start_ticks = NULL, boot = NULL,
    attempts = max(runs.attempts, (SELECT coalesce(max(attempt), 0) FROM attempts WHERE attempts.run = new.run AND step = 0))
FROM (SELECT value ->> 0 AS run, value ->> 1 AS at, value ->> 2 AS detail FROM jsonb_each($1)) AS new
WHERE runs.run = new.run";

/// A run with several attempts lasts from the start of its first to the end of its last, and has used what they have used
/// together.
pub const CLOSE_RUNS: &str = "
UPDATE runs SET state = 3, outcome = new.outcome, reason = new.reason, detail = new.detail,
    ended = coalesce(new.ended, tried.ended),
    duration = CASE WHEN tried.run IS NULL THEN new.duration
                    ELSE coalesce(new.ended, tried.ended) - coalesce(runs.started, tried.started) END,
    exit_code = new.exit_code, signal = new.signal,
    cpu = coalesce(tried.cpu, new.cpu), max_rss = coalesce(tried.max_rss, new.max_rss),
    output_bytes = coalesce(
        tried.output_bytes, new.output_bytes,
        (SELECT sum(reached) FROM (SELECT max(\"offset\" + length(data)) AS reached FROM output
                                   WHERE output.run = new.run GROUP BY attempt, step, step_attempt)), 0),
    attempts = max(runs.attempts, new.attempts, coalesce(tried.attempts, 0)),
    retry_at = NULL, pid = NULL, start_ticks = NULL, boot = NULL
FROM (SELECT value ->> 0 AS run, value ->> 1 AS outcome, value ->> 2 AS reason, value ->> 3 AS detail,
             value ->> 4 AS ended, value ->> 5 AS duration, value ->> 6 AS exit_code, value ->> 7 AS signal,
             value ->> 8 AS cpu, value ->> 9 AS max_rss, value ->> 10 AS output_bytes, value ->> 11 AS attempts
      FROM jsonb_each($1)) AS new
LEFT JOIN (SELECT run, min(started) AS started, max(ended) AS ended, sum(cpu) AS cpu, max(max_rss) AS max_rss,
                  sum(output_bytes) AS output_bytes, max(attempt) AS attempts
           FROM attempts WHERE step = 0 AND run IN (SELECT value ->> 0 FROM jsonb_each($1)) GROUP BY run) AS tried
    ON tried.run = new.run
WHERE runs.run = new.run";

pub const INSERT_EVENT: &str = "
INSERT INTO events (at, kind, job, boot, detail)
VALUES ($1, $2, (SELECT number FROM jobs WHERE name = $3), $4, $5)";

/// All bytes come as one, of which each row says where its own are. Somebody may have taken the run out of the ledger
/// meanwhile, which must not keep the others from it. A piece may be there already: if the commit that brought it there failed,
/// or if the keeper was not told of it.
pub const INSERT_OUTPUT: &str = "
INSERT INTO output (run, attempt, step, step_attempt, \"offset\", stream, at, data)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       substr($2, value ->> 7, value ->> 8)
FROM jsonb_each($1) WHERE EXISTS (SELECT 1 FROM runs WHERE run = value ->> 0)
ON CONFLICT DO NOTHING";

pub const EXPIRE_OUTPUT: &str = "
DELETE FROM output WHERE rowid IN (
    SELECT output.rowid FROM jsonb_each($1) AS gone CROSS JOIN output
    ON output.run = gone.value ->> 0 AND output.attempt = gone.value ->> 1 AND output.step = gone.value ->> 2
       AND output.step_attempt = gone.value ->> 3
       AND output.\"offset\" >= gone.value ->> 4 AND output.\"offset\" < gone.value ->> 5)";

pub const BEGIN: &str = "BEGIN IMMEDIATE";

pub const COMMIT: &str = "COMMIT";

pub const ROLLBACK: &str = "ROLLBACK";

/// What a group leaves in the ledger that reached the disk although its commit said otherwise.
pub const HAS_ENTRY: &str = "
SELECT EXISTS (SELECT 1 FROM runs JOIN jobs ON jobs.number = runs.job
               WHERE run = $1 AND jobs.name = $2 AND due = $3 AND host = $4)";

pub const HAS_DEFINITION: &str = "
SELECT EXISTS (SELECT 1 FROM definitions JOIN jobs ON jobs.number = definitions.job
               WHERE jobs.name = $1 AND since = $2 AND until IS NULL)";

pub const HAS_EVENT: &str = "
SELECT EXISTS (SELECT 1 FROM events WHERE at = $1 AND kind = $2 AND detail = $3 AND boot = $4)";

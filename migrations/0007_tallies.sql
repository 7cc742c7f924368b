-- What is left of entries that were pruned: counts by job, hour and outcome. An entry is counted, whole, in the hour of its
-- `due`, also where it covers a stretch of instants that reaches into later hours; it is taken out of `runs` in the same
-- transaction. So for a job the instants of an hour are those of the entries that begin in it and those counted here.
CREATE TABLE tallies (
    job INTEGER NOT NULL REFERENCES jobs,
    -- Hours since the Unix epoch.
    hour INTEGER NOT NULL,
    outcome INTEGER NOT NULL REFERENCES outcomes,
    -- Instants of schedules, causes 1 to 3: an entry of instants that did not become runs counts its `count`.
    instants INTEGER NOT NULL DEFAULT 0,
    -- Runs that no schedule named.
    others INTEGER NOT NULL DEFAULT 0,
    -- Sums, in microseconds.
    duration INTEGER NOT NULL DEFAULT 0,
    cpu INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, hour, outcome)
) STRICT, WITHOUT ROWID;

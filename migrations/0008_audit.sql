-- What an audit needs to compute again what should have happened.

-- The data of zones, as TZif, by the names and versions by which definitions name them.
CREATE TABLE zones (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

-- Every time the clock was set back: what it showed then, the highest number given until then, and the latest time for which
-- there was an entry. Runs up to that number that are due later than `at` come from a time that was yet to come.
CREATE TABLE set_backs (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    reach INTEGER NOT NULL
) STRICT;
INSERT INTO set_backs (at, highest, reach)
SELECT at, highest, coalesce((SELECT max(due) FROM runs WHERE run <= highest AND due > at), at) FROM set_back;

-- Up to here entries may have been pruned when nobody counted what was. No row in a ledger that began later.
CREATE TABLE uncounted (only INTEGER PRIMARY KEY CHECK (only = 1), until INTEGER NOT NULL) STRICT;
INSERT INTO uncounted SELECT 1, min(max(due), unixepoch() * 1000000) FROM runs HAVING count(*) > 0;

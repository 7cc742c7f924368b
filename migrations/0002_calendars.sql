-- Versions of calendars, by which definitions name them: all that the times of one follow from, as JSON.
CREATE TABLE calendars (version TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Which runs caused a dependent one.
CREATE TABLE dependencies (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    -- Its own entry may have been pruned since.
    caused_by INTEGER NOT NULL,
    PRIMARY KEY (run, caused_by)
) STRICT, WITHOUT ROWID;

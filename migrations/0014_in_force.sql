-- The files that are in force, with all that they include and name, and what variables and flags lay over them: as JSON, from
-- which `diff` tells what other files would change. When each of them came into force is in `events`.
CREATE TABLE in_force (only INTEGER PRIMARY KEY CHECK (only = 1), since INTEGER NOT NULL, words TEXT NOT NULL) STRICT;

-- What is worth telling people, and what became of it.
CREATE TABLE notice_kinds (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE standings (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE carriers (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO notice_kinds VALUES
    (1, 'failed'), (2, 'recovered'), (3, 'missed'), (4, 'stuck'), (5, 'slow'), (6, 'overdue'), (7, 'skipped'),
    (8, 'succeeded'), (9, 'output'), (10, 'file-wrong'), (11, 'file-right'), (12, 'trouble'), (13, 'well'),
    (14, 'back'), (15, 'digest'), (16, 'test');
INSERT INTO standings VALUES (1, 'waiting'), (2, 'sent'), (3, 'undeliverable'), (4, 'dropped');
INSERT INTO carriers VALUES (1, 'mail'), (2, 'webhook'), (3, 'command');

CREATE TABLE notices (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL REFERENCES notice_kinds,
    -- None: it is about the daemon.
    job INTEGER REFERENCES jobs,
    run INTEGER REFERENCES runs ON DELETE SET NULL,
    channel TEXT NOT NULL,
    -- What was known when it was decided on, as JSON.
    words TEXT NOT NULL
) STRICT;
CREATE INDEX notices_of_run ON notices (run) WHERE run IS NOT NULL;
CREATE INDEX notices_of_job ON notices (job, number);
CREATE INDEX notices_by_time ON notices (at);

-- What was handed to a carrier of a channel, or is to be: the words of one notice or of several.
CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    -- The same in each try.
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    carrier INTEGER NOT NULL REFERENCES carriers,
    -- The id of the first message of those that belong together.
    thread TEXT,
    made INTEGER NOT NULL,
    state INTEGER NOT NULL REFERENCES standings,
    tries INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER,
    -- It is tried no more after this.
    until INTEGER NOT NULL,
    ended INTEGER,
    -- What was said last by whoever was to take it.
    answer TEXT
) STRICT;
CREATE INDEX messages_waiting ON messages (channel, carrier) WHERE state = 1;
CREATE INDEX messages_ended ON messages (ended, state) WHERE state > 1;

-- A notice with one of its carriers.
CREATE TABLE deliveries (
    notice INTEGER NOT NULL REFERENCES notices ON DELETE CASCADE,
    carrier INTEGER NOT NULL REFERENCES carriers,
    -- None until it is put into one.
    message INTEGER REFERENCES messages,
    PRIMARY KEY (notice, carrier)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (notice) WHERE message IS NULL;
CREATE INDEX deliveries_of_message ON deliveries (message) WHERE message IS NOT NULL;

-- What a planner remembers of what was told of a job, or of the daemon where there is no job; as JSON.
CREATE TABLE told (
    number INTEGER PRIMARY KEY,
    job INTEGER REFERENCES jobs,
    words TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX told_of ON told (coalesce(job, 0));

CREATE VIEW notices_shown AS
SELECT
    notices.number AS notice,
    strftime('%Y-%m-%dT%H:%M:%S', notices.at / 1000000, 'unixepoch') || printf('.%06dZ', notices.at % 1000000) AS at,
    notice_kinds.word AS kind,
    jobs.name AS job,
    notices.run,
    notices.channel,
    carriers.word AS carrier,
    coalesce(standings.word, 'waiting') AS state,
    coalesce(messages.tries, 0) AS tries,
    strftime('%Y-%m-%dT%H:%M:%S', messages.next_try / 1000000, 'unixepoch') || printf('.%06dZ', messages.next_try % 1000000) AS next_try,
    strftime('%Y-%m-%dT%H:%M:%S', messages.ended / 1000000, 'unixepoch') || printf('.%06dZ', messages.ended % 1000000) AS ended,
    messages.answer,
    messages.id AS message,
    notices.words
FROM deliveries
JOIN notices ON notices.number = deliveries.notice
JOIN notice_kinds ON notice_kinds.number = notices.kind
JOIN carriers ON carriers.number = deliveries.carrier
LEFT JOIN jobs ON jobs.number = notices.job
LEFT JOIN messages ON messages.number = deliveries.message
LEFT JOIN standings ON standings.number = messages.state;

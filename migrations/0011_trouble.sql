-- What happened to the ledger itself: that it could not be written, and what was done about it.
INSERT INTO event_kinds VALUES (11, 'trouble');

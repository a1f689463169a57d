-- before: 0007, the rotation of the brand key
-- after:  the key of the ledger's first entry, where the ledger has gone over
--         to another key since; without a row it is the router's own

CREATE TABLE ledger_origin (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  key BLOB NOT NULL
) STRICT;

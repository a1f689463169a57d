-- before: an empty file
-- after:  the ledger, its head kept apart, what stands beside it, the notices
--
-- Pages are small (1024 bytes) and an opt-in is paid for by the page. So
-- whatever grows with the opt-ins is keyed by a number that only rises, and
-- an index on something random needs a reason.
--
-- Moments are four columns wherever they stand: wall (nanoseconds since 1970,
-- UTC, as the clock showed it; 0 for unknown), boot (the kernel's boot id),
-- up (nanoseconds since that boot), in_step (1 when the clock was set).

CREATE TABLE ledger (
  seq       INTEGER PRIMARY KEY, -- from 1, without gaps
  body      BLOB NOT NULL,       -- the JSON that was signed, byte for byte
  hash      BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;

CREATE TRIGGER ledger_is_not_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_is_not_cut BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- The end of the ledger, kept apart so that a cut tail is missed.
CREATE TABLE ledger_head (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  seq  INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;

INSERT INTO ledger_head VALUES (1, 0, zeroblob(32));

-- What an entry binds by SHA-256(salt || value); an erasure deletes the row.
CREATE TABLE commitments (
  seq   INTEGER PRIMARY KEY REFERENCES ledger (seq),
  named TEXT NOT NULL -- {"<name>":{"Salt":"<base64>","Value":"…"},…}
) STRICT;

CREATE TABLE notices (
  hash BLOB PRIMARY KEY,
  text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

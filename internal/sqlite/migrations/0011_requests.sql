-- before: 0010, asking
-- after:  the requests of people that came by telephone, on paper or at the
--         counter, each with its legal clock

-- It names nobody: what was done for whom is in the ledger, under the entry
-- that proof names. Times are nanoseconds since 1970, UTC; 0 for none.
CREATE TABLE requests (
  number   INTEGER PRIMARY KEY,
  kind     TEXT NOT NULL,    -- as the policy names them: withdraw, access, correct, erase
  channel  TEXT NOT NULL,    -- phone, paper, counter
  taken_by TEXT NOT NULL,    -- the user of the system
  policy   TEXT NOT NULL,    -- whose deadlines these are
  received INTEGER NOT NULL,
  ack_due  INTEGER NOT NULL, -- 0: there is no such duty
  acked    INTEGER NOT NULL,
  due      INTEGER NOT NULL,
  latest   INTEGER NOT NULL, -- until which it can be extended, once
  extended INTEGER NOT NULL CHECK (extended IN (0, 1)),
  closed   INTEGER NOT NULL,
  outcome  TEXT NOT NULL,    -- done, nobody, refused; empty while it is open
  reason   TEXT NOT NULL,    -- told to the person: of the extension or the refusal
  proof    TEXT NOT NULL     -- the ledger entry, number and id
) STRICT;

CREATE INDEX requests_open ON requests (due) WHERE closed = 0;

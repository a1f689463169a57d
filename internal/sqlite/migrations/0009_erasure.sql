-- before: 0008, the origin of the ledger
-- after:  an event can outlive its person: an erasure has none; tombstones;
--         receipts stand apart, so that a consent can have several

CREATE TABLE events_9 (
  seq      INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  purpose  TEXT NOT NULL,                      -- empty for a withdrawal and an erasure
  person   INTEGER REFERENCES people (person), -- null in an erasure
  user_key TEXT NOT NULL,                      -- the lead key; of a withdrawal and an erasure it outlives the lead
  wall INTEGER NOT NULL, boot TEXT NOT NULL, up INTEGER NOT NULL, in_step INTEGER NOT NULL,
  facts    TEXT NOT NULL
) STRICT;

INSERT INTO events_9 SELECT seq, id, kind, purpose, person, user_key, wall, boot, up, in_step, facts FROM events;
DROP TABLE events;
ALTER TABLE events_9 RENAME TO events;

CREATE INDEX events_person ON events (person);
CREATE INDEX events_erasures ON events (seq) WHERE kind = 'erasure';
CREATE INDEX events_withdrawals ON events (seq) WHERE kind = 'withdrawal';
CREATE INDEX events_unstamped ON events (boot) WHERE in_step = 0;

-- Whoever was erased and has not consented since: HMAC of the lead key under
-- the router's key, and the day ('' when the clock was never set).
CREATE TABLE tombstones (
  mark BLOB PRIMARY KEY,
  day  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- SHA-256 of each secret that opens a consent. The column of the same name in
-- consents stays empty from here on.
CREATE TABLE receipts (
  secret  BLOB PRIMARY KEY,
  consent INTEGER NOT NULL REFERENCES consents (seq)
) STRICT, WITHOUT ROWID;

INSERT INTO receipts SELECT receipt, seq FROM consents WHERE receipt IS NOT NULL;
UPDATE consents SET receipt = NULL WHERE receipt IS NOT NULL;

-- before: 0001, the ledger
-- after:  the people who answered, their consents as given with the receipts,
--         what stands, member marks, visits

-- Whoever answered. Such a person is a lead as long as at least one purpose
-- stands; then lead_key is not null. The row outlives the lead, because a
-- receipt still shows what stands: nothing.
CREATE TABLE people (
  person     INTEGER PRIMARY KEY,
  subject    TEXT NOT NULL,     -- the random name, in ledger and receipts
  lead_key   TEXT UNIQUE,
  sealed     TEXT,              -- the sealed number; null unless a purpose reaches the person
  sealed_for INTEGER,           -- the consent to which it is bound
  since      INTEGER NOT NULL   -- the first consent
) STRICT;

CREATE TABLE consents (
  seq      INTEGER PRIMARY KEY, -- of its ledger entry
  id       TEXT NOT NULL UNIQUE,
  person   INTEGER NOT NULL REFERENCES people (person),
  notice   BLOB NOT NULL REFERENCES notices (hash),
  language TEXT NOT NULL,
  wall INTEGER NOT NULL, boot TEXT NOT NULL, up INTEGER NOT NULL, in_step INTEGER NOT NULL,
  answers  TEXT NOT NULL,       -- as given: [{"purpose":…,"agreed":…},…]
  receipt  BLOB UNIQUE          -- SHA-256 of the receipt's secret
) STRICT;

CREATE INDEX consents_unstamped ON consents (boot) WHERE in_step = 0;

-- A person's standing answer to each purpose, and the consent that gave it.
CREATE TABLE standing (
  person  INTEGER NOT NULL REFERENCES people (person),
  purpose TEXT NOT NULL,
  agreed  INTEGER NOT NULL CHECK (agreed IN (0, 1)),
  consent INTEGER NOT NULL REFERENCES consents (seq),
  PRIMARY KEY (person, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE marks (
  mark   TEXT PRIMARY KEY,
  person INTEGER NOT NULL REFERENCES people (person)
) STRICT, WITHOUT ROWID;

CREATE TABLE visits (
  person  INTEGER NOT NULL REFERENCES people (person),
  number  INTEGER NOT NULL, -- 1 for the person's first
  id      TEXT NOT NULL,
  zone    TEXT NOT NULL,
  start_wall INTEGER NOT NULL, start_boot TEXT NOT NULL, start_up INTEGER NOT NULL, start_in_step INTEGER NOT NULL,
  end_wall INTEGER, end_boot TEXT, end_up INTEGER, end_in_step INTEGER, -- null while it goes on
  PRIMARY KEY (person, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX visits_open ON visits (start_boot) WHERE end_boot IS NULL;
CREATE INDEX visits_unstamped_start ON visits (start_boot) WHERE start_in_step = 0;
CREATE INDEX visits_unstamped_end ON visits (end_boot) WHERE end_in_step = 0;

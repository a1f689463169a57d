-- before: 0005, the audit
-- after:  when each consent ended; the last of a person's visits that are gone;
--         what was deleted for its age, and why; the date that was believed

-- A consent none of whose answers stands any more, and since when: what proves
-- it is kept for a term from there.
CREATE TABLE ended (
  consent INTEGER PRIMARY KEY, -- of consents; an erasure may have taken that row
  wall INTEGER NOT NULL, boot TEXT NOT NULL, up INTEGER NOT NULL, in_step INTEGER NOT NULL
) STRICT;

CREATE INDEX ended_unstamped ON ended (boot) WHERE in_step = 0;

-- Nobody has noted when these ended: the first sweep takes its own day, as for
-- every moment whose clock was never set.
INSERT INTO ended SELECT seq, 0, 'unknown', 0, 0 FROM consents AS c
  WHERE NOT EXISTS (SELECT 1 FROM standing AS s WHERE s.person = c.person AND s.consent = c.seq AND s.agreed = 1);

-- The day of the person's last visit, once all visits are too old to be kept:
-- a lead is idle since then.
ALTER TABLE people ADD COLUMN last_gone INTEGER;

CREATE TABLE deletions (
  day    TEXT NOT NULL, -- in Vietnam
  what   TEXT NOT NULL,
  rule   TEXT NOT NULL,
  policy TEXT NOT NULL,
  count  INTEGER NOT NULL,
  PRIMARY KEY (day, what, rule, policy)
) STRICT, WITHOUT ROWID;

-- By which a date far in the future is told from a shop that was closed.
CREATE TABLE wall_clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  last_wall  INTEGER NOT NULL, last_boot  TEXT NOT NULL, last_up  INTEGER NOT NULL,
  doubt_wall INTEGER NOT NULL, doubt_boot TEXT NOT NULL, doubt_up INTEGER NOT NULL
) STRICT;

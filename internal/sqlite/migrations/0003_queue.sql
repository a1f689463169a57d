-- before: 0002, people
-- after:  the queue of events that wait for the courier, oldest first

-- The id has no index: the courier names only events of its last batch, and
-- the store remembers where those stand.
CREATE TABLE events (
  seq      INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  purpose  TEXT NOT NULL,     -- empty for a withdrawal
  person   INTEGER NOT NULL REFERENCES people (person),
  user_key TEXT NOT NULL,     -- the lead key; of a withdrawal it outlives the lead
  wall INTEGER NOT NULL, boot TEXT NOT NULL, up INTEGER NOT NULL, in_step INTEGER NOT NULL,
  facts    TEXT NOT NULL
) STRICT;

CREATE INDEX events_person ON events (person);
CREATE INDEX events_withdrawals ON events (seq) WHERE kind = 'withdrawal';
CREATE INDEX events_unstamped ON events (boot) WHERE in_step = 0;

-- before: 0003, the queue
-- after:  events that the sink will never take stand apart, so that the
--         queue is read from its front; how many events were dropped

CREATE TABLE parked (
  seq      INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  purpose  TEXT NOT NULL,
  person   INTEGER NOT NULL REFERENCES people (person),
  user_key TEXT NOT NULL,
  wall INTEGER NOT NULL, boot TEXT NOT NULL, up INTEGER NOT NULL, in_step INTEGER NOT NULL,
  facts    TEXT NOT NULL,
  answer   TEXT NOT NULL,     -- the sink's words
  parked_wall INTEGER NOT NULL, parked_boot TEXT NOT NULL, parked_up INTEGER NOT NULL, parked_in_step INTEGER NOT NULL
) STRICT;

-- Events that were too old or too many and went unsent.
CREATE TABLE dropped (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  events INTEGER NOT NULL
) STRICT;

INSERT INTO dropped VALUES (1, 0);

-- before: 0004, parked events
-- after:  what the owner did by hand: opened the door for everybody, admitted,
--         revoked, trusted, blocked. It names a device by its mask only.

CREATE TABLE audit (
  seq   INTEGER PRIMARY KEY,
  wall INTEGER NOT NULL, boot TEXT NOT NULL, up INTEGER NOT NULL, in_step INTEGER NOT NULL,
  who   TEXT NOT NULL,        -- the user of the system, or hien
  what  TEXT NOT NULL,
  about TEXT NOT NULL
) STRICT;

CREATE INDEX audit_unstamped ON audit (boot) WHERE in_step = 0;

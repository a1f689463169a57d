-- before: 0011, requests
-- after:  the entries in which a person's number was changed

-- What such an entry binds stands in commitments. Of several the last is kept.
CREATE TABLE corrections (
  seq    INTEGER PRIMARY KEY, -- of its ledger entry
  person INTEGER NOT NULL REFERENCES people (person)
) STRICT;

-- before: 0006, retention
-- after:  a person who came back under another brand key has the lead key of
--         before beside the new one, as upstream it is known by both

ALTER TABLE people ADD COLUMN previous_key TEXT;

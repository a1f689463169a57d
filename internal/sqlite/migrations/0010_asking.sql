-- before: 0009, erasure
-- after:  what devices said no to, for some weeks; of a notice, what matters in
--         it whatever its language

-- Joins with nothing: the mark is of a key of its own, and of the time there is
-- the day.
CREATE TABLE refusals (
  mark     BLOB NOT NULL,
  day      TEXT NOT NULL, -- in Vietnam
  purposes TEXT NOT NULL, -- with a space between
  PRIMARY KEY (mark, day)
) STRICT, WITHOUT ROWID;

-- NULL of notices that were kept before it was.
ALTER TABLE notices ADD COLUMN substance BLOB;

-- How often an item was given out whose worker may have died of it: counted from the first time that it was lost, or outlived the process.
-- seq 0: a turn.
CREATE TABLE deliveries (
  instance_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (instance_key, seq)
) WITHOUT ROWID;

-- An entity is an instance with an id "@name@key", an inbox and no history; what it has besides is here.
CREATE TABLE entities (
  key INTEGER PRIMARY KEY,
  state TEXT,
  -- The orchestration in whose critical section it is, and that section; null: it is free.
  locked_by TEXT,
  critical_section TEXT,
  modified_at INTEGER NOT NULL
);

CREATE INDEX entities_by_lock ON entities (locked_by) WHERE locked_by IS NOT NULL;

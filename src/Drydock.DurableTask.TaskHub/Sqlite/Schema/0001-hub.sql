-- Times are .NET ticks in UTC. Keys of instances are never used twice: messages and children refer to them.

CREATE TABLE hub_info (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- The small row that every turn rewrites.
CREATE TABLE instances (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  -- OrchestrationStatus by number; -1: not created yet, events are kept for it.
  status INTEGER NOT NULL,
  execution_id TEXT NOT NULL,
  -- Counts the executions of this instance; messages for an older one are dropped.
  generation INTEGER NOT NULL,
  name TEXT NOT NULL,
  version TEXT,
  parent_key INTEGER,
  parent_id TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  completed_at INTEGER,
  scheduled_at INTEGER,
  history_length INTEGER NOT NULL,
  history_bytes INTEGER NOT NULL,
  custom_status TEXT,
  -- OrchestrationTraceContext of the last turn.
  trace BLOB
);

CREATE INDEX instances_by_status ON instances (status, key);
CREATE INDEX instances_by_parent ON instances (parent_key) WHERE parent_key IS NOT NULL;

-- What may be large and changes at most at the start and at the end.
CREATE TABLE instance_values (
  key INTEGER PRIMARY KEY,
  input TEXT,
  output TEXT,
  -- TaskFailureDetails.
  failure BLOB,
  -- ExecutionStartedEvent without its input.
  started BLOB NOT NULL
);

-- One row per turn: a HistoryChunk. seq is the number of its first event in the execution.
CREATE TABLE history (
  instance_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (instance_key, seq)
) WITHOUT ROWID;

-- Messages that no turn has consumed yet, timers among them.
CREATE TABLE inbox (
  instance_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  -- When it arrived or, if it waits, when it will.
  arrives_at INTEGER NOT NULL,
  -- 1: it waits for arrives_at. 2: it starts the execution.
  flags INTEGER NOT NULL,
  -- The execution it answers; null: any.
  generation INTEGER,
  -- HistoryEvent.
  payload BLOB NOT NULL,
  PRIMARY KEY (instance_key, seq)
) WITHOUT ROWID;

-- Activities that were scheduled and have no result yet.
CREATE TABLE tasks (
  instance_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  name TEXT NOT NULL,
  version TEXT,
  -- ActivityRequest.
  payload BLOB NOT NULL,
  PRIMARY KEY (instance_key, seq)
) WITHOUT ROWID;

-- Times of work are .NET ticks in UTC by the hubs' clock, which follows that of this database; leases are in this database's own time.
-- Locks are taken in the order instances, tasks; no foreign keys.

CREATE TABLE hub_info (
  key text PRIMARY KEY,
  value text NOT NULL
);

-- Numbers of messages and activities: a hub takes a thousand at a time.
CREATE SEQUENCE hub_numbers INCREMENT BY 1000;
-- Keys of instances, never used twice: messages and children refer to them.
CREATE SEQUENCE hub_keys;
-- Fencing tokens: a new one each time a piece of work is taken.
CREATE SEQUENCE hub_tokens;

-- The processes that work here. One whose lease is over loses what it holds.
CREATE SEQUENCE hub_replicas;
CREATE TABLE replicas (
  id bigint PRIMARY KEY,
  description text NOT NULL,
  lease_until timestamptz NOT NULL,
  -- Something of it was given to others: it must not come back under this id.
  lost boolean NOT NULL DEFAULT false,
  probed_at timestamptz
);

-- The row that every turn rewrites, and that is locked while anything of an instance changes.
CREATE TABLE instances (
  key bigint PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  is_entity boolean NOT NULL,
  -- OrchestrationStatus by number; -1: not created yet, events are kept for it.
  status smallint NOT NULL,
  execution_id text NOT NULL,
  -- Counts the executions of this instance; messages for an older one are dropped.
  generation bigint NOT NULL DEFAULT 0,
  name text NOT NULL,
  -- The name in upper case, as names are compared.
  name_key text NOT NULL,
  version text,
  parent_key bigint,
  parent_id text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  completed_at bigint,
  scheduled_at bigint,
  history_length bigint NOT NULL DEFAULT 0,
  history_bytes bigint NOT NULL DEFAULT 0,
  custom_status text,
  -- OrchestrationTraceContext of the last turn.
  trace bytea,
  -- ExecutionStartedEvent without its input.
  started bytea NOT NULL,
  -- Who has its turn in hand, and the fencing token of that; 0: a turn was committed since.
  holder bigint,
  token bigint NOT NULL DEFAULT 0,
  -- The completion token of the last turn that was committed.
  last_turn text,
  -- When it has work next; null: when a message comes.
  ready_at bigint,
  -- The time of its last message: the next one is later, whichever process wrote it.
  arrived_at bigint NOT NULL DEFAULT 0,
  -- It may have entities locked.
  has_locks boolean NOT NULL DEFAULT false,
  -- What an entity has besides.
  entity_state text,
  locked_by text,
  critical_section text,
  modified_at bigint
) WITH (fillfactor = 70);

CREATE INDEX instances_ready ON instances (ready_at) WHERE holder IS NULL AND ready_at IS NOT NULL;
CREATE INDEX instances_held ON instances (holder, token) WHERE holder IS NOT NULL;
CREATE INDEX instances_by_status ON instances (status, key);
CREATE INDEX instances_by_parent ON instances (parent_key) WHERE parent_key IS NOT NULL;
CREATE INDEX instances_by_lock ON instances (locked_by) WHERE locked_by IS NOT NULL;

-- What may be large and changes at most at the start and at the end.
CREATE TABLE instance_values (
  key bigint PRIMARY KEY,
  input text,
  output text,
  -- TaskFailureDetails.
  failure bytea
);

-- One row per turn: a HistoryChunk. seq is the number of its first event in the execution.
CREATE TABLE history (
  instance_key bigint NOT NULL,
  seq bigint NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (instance_key, seq)
);

-- Messages that no turn has consumed yet, timers among them.
CREATE TABLE inbox (
  instance_key bigint NOT NULL,
  seq bigint NOT NULL,
  -- When it arrived or, if it waits, when it will.
  arrives_at bigint NOT NULL,
  -- 1: it waits for arrives_at. 2: it starts the execution. 4: it came to an entity in the older form.
  flags smallint NOT NULL,
  -- The execution it answers; null: any.
  generation bigint,
  -- HistoryEvent.
  payload bytea NOT NULL,
  PRIMARY KEY (instance_key, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX inbox_in_order ON inbox (instance_key, arrives_at, seq);
CREATE INDEX inbox_timers ON inbox (arrives_at) WHERE flags & 1 = 1;

-- Activities that were scheduled and have no result yet.
CREATE TABLE tasks (
  instance_key bigint NOT NULL,
  seq bigint NOT NULL,
  generation bigint NOT NULL,
  name text NOT NULL,
  name_key text NOT NULL,
  version text,
  -- Its id in the orchestration.
  task_id integer NOT NULL,
  -- ActivityRequest.
  payload bytea NOT NULL,
  ready_at bigint NOT NULL,
  holder bigint,
  token bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (instance_key, seq)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX tasks_ready ON tasks (ready_at, seq) WHERE holder IS NULL;
CREATE INDEX tasks_held ON tasks (holder) WHERE holder IS NOT NULL;

-- What the last heartbeat of an activity said, and when: for the next attempt, and for whoever asks.
ALTER TABLE tasks ADD COLUMN progress text;
ALTER TABLE tasks ADD COLUMN progress_at bigint;

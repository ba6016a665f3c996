-- Payloads too large for the rows that need them: those hold a token, the character 1, "payload:" and this key.
CREATE TABLE payloads (
  instance_key INTEGER NOT NULL,
  -- The hash of the payload and its length in characters; "status" for the custom status.
  payload_key TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (instance_key, payload_key)
);

-- What a message or an activity needs, so that it can be seen without reading them.
ALTER TABLE inbox ADD COLUMN payload_key TEXT;
ALTER TABLE tasks ADD COLUMN payload_key TEXT;

-- Payloads too large for the rows that need them: those hold a token, the character 1, "payload:" and this key.
CREATE TABLE payloads (
  instance_key bigint NOT NULL,
  -- The hash of the payload and its length in characters; "status" for the custom status.
  payload_key text NOT NULL,
  content text NOT NULL,
  PRIMARY KEY (instance_key, payload_key)
);

-- What a message or an activity needs, so that it can be seen without reading them.
ALTER TABLE inbox ADD COLUMN payload_key text;
ALTER TABLE tasks ADD COLUMN payload_key text;

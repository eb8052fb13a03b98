-- Tasks by the key of `once_per`, whatever became of them: an alert that comes again belongs to the task of the first.

CREATE INDEX tasks_once_made ON tasks (rule, once_key, created_at) WHERE once_key IS NOT NULL;
COMMENT ON COLUMN deliveries.body_hash IS 'SHA-256 of the raw body, or of an id that is signed; finds a replay under a new delivery id.';

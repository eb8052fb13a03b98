-- What the limits of a channel in a chat are compared with.

CREATE INDEX tasks_open_channel ON tasks ((chat ->> 'source'), (chat ->> 'channel')) WHERE chat IS NOT NULL AND ended_at IS NULL;
CREATE INDEX tasks_channel_made ON tasks ((chat ->> 'source'), (chat ->> 'channel'), created_at) WHERE chat IS NOT NULL;

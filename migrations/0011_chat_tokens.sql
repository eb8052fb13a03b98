-- Apps of chats whose tokens end and are renewed (Slack's token rotation).

CREATE TABLE chat_tokens (
    source           text PRIMARY KEY CHECK (length(source) <= 64),
    seen             bytea[] NOT NULL,
    token            bytea,
    token_expires_at timestamptz,
    refresh_token    bytea NOT NULL,
    version          uuid NOT NULL DEFAULT gen_random_uuid(),
    due_at           timestamptz,
    refused_at       timestamptz,
    sent_at          timestamptz,
    ended_at         timestamptz,
    ended_reason     text,
    lease            uuid,
    lease_until      timestamptz
);
COMMENT ON TABLE chat_tokens IS 'The pairs of tokens with which apps of chats speak whose tokens end.';
COMMENT ON COLUMN chat_tokens.source IS 'The configured source.';
COMMENT ON COLUMN chat_tokens.seen IS 'SHA-256 of the configured refresh tokens that a chain of pairs was begun with, the newest first: each begins one chain, once.';
COMMENT ON COLUMN chat_tokens.token IS 'Sealed access token; null until the first was given.';
COMMENT ON COLUMN chat_tokens.token_expires_at IS 'When it ends.';
COMMENT ON COLUMN chat_tokens.refresh_token IS 'Sealed refresh token, which makes the next pair, once.';
COMMENT ON COLUMN chat_tokens.version IS 'Another one with every pair that is put: what was learnt of an older pair changes nothing of a newer one.';
COMMENT ON COLUMN chat_tokens.due_at IS 'When the pair is renewed, ahead of its end; null when it can no longer be.';
COMMENT ON COLUMN chat_tokens.refused_at IS 'When the chat last refused an access token before its end. If the next one is refused within the hour, the app counts as gone.';
COMMENT ON COLUMN chat_tokens.sent_at IS 'A refresh left and what came of it is not recorded.';
COMMENT ON COLUMN chat_tokens.ended_at IS 'When it was learnt that the pair cannot be renewed any more.';
COMMENT ON COLUMN chat_tokens.ended_reason IS 'Why, in words.';
COMMENT ON COLUMN chat_tokens.lease IS 'Who renews the pair now.';
COMMENT ON COLUMN chat_tokens.lease_until IS 'Until when, on the database''s clock.';

-- Chat: what is said to a running agent in the thread of its task, and apps whose tokens are renewed or have ended.

ALTER TABLE reports DROP CONSTRAINT reports_kind_check;
ALTER TABLE reports ADD CONSTRAINT reports_kind_check CHECK (
    kind IN ('comment', 'notice', 'reaction', 'labels', 'chat', 'mention', 'whisper', 'outgoing', 'follow_up', 'reply'));
COMMENT ON COLUMN reports.kind IS 'On GitHub comment (living, edited in place), notice (written once), follow_up (written once, by the person and never by the App), reaction or labels; in a chat chat (living), mention (once, to the one who asked), whisper (once, seen by one account) or reply (once, what became of a follow_up); outgoing is a webhook to a receiver.';
COMMENT ON COLUMN reports.content IS 'A notice''s or follow-up''s text, a reaction''s name, the follow-up that a reply tells of, or the body of an outgoing webhook; living reports are rendered when sent.';
CREATE INDEX reports_chat_message ON reports (external_ref) WHERE kind = 'chat' AND external_ref IS NOT NULL;
CREATE INDEX tasks_chat_thread ON tasks ((chat ->> 'thread')) WHERE chat IS NOT NULL;

CREATE TABLE chat_apps (
    source        text PRIMARY KEY CHECK (length(source) <= 64),
    seed          bytea CHECK (length(seed) = 32),
    version       uuid NOT NULL DEFAULT gen_random_uuid(),
    token         bytea,
    expires_at    timestamptz,
    refresh_token bytea,
    due_at        timestamptz,
    sent_at       timestamptz,
    lease         uuid,
    lease_until   timestamptz,
    trouble       text,
    ended_at      timestamptz
);
COMMENT ON TABLE chat_apps IS 'Apps of chats whose tokens are renewed here, or that were removed there. An app with one token for ever has no row.';
COMMENT ON COLUMN chat_apps.source IS 'The configured source.';
COMMENT ON COLUMN chat_apps.seed IS 'SHA-256 of what the configuration gives it to begin with: another one begins anew.';
COMMENT ON COLUMN chat_apps.version IS 'Another one with every pair that is put.';
COMMENT ON COLUMN chat_apps.token IS 'Sealed access token; null until the first pair has come.';
COMMENT ON COLUMN chat_apps.expires_at IS 'When it ends.';
COMMENT ON COLUMN chat_apps.refresh_token IS 'Sealed refresh token. It works once.';
COMMENT ON COLUMN chat_apps.due_at IS 'When the pair is renewed, ahead of its end; null when it is not.';
COMMENT ON COLUMN chat_apps.sent_at IS 'A refresh left and what came of it is not recorded.';
COMMENT ON COLUMN chat_apps.lease IS 'Who renews the pair now.';
COMMENT ON COLUMN chat_apps.lease_until IS 'Until when, on the database''s clock.';
COMMENT ON COLUMN chat_apps.trouble IS 'Why it cannot speak, or why the pair could not be renewed.';
COMMENT ON COLUMN chat_apps.ended_at IS 'Since when the chat has taken the app''s rights away; nothing is told there until it gives them again.';

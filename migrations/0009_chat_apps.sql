-- Chat: what is said to a running agent in the thread of its task, and apps that were removed from their workspace.

ALTER TABLE reports DROP CONSTRAINT reports_kind_check;
ALTER TABLE reports ADD CONSTRAINT reports_kind_check CHECK (
    kind IN ('comment', 'notice', 'reaction', 'labels', 'chat', 'mention', 'whisper', 'outgoing', 'follow_up', 'reply'));
COMMENT ON COLUMN reports.kind IS 'On GitHub comment (living, edited in place), notice (written once), follow_up (written once, by the person and never by the App), reaction or labels; in a chat chat (living), mention (once, to the one who asked), whisper (once, seen by one account) or reply (once, what became of a follow_up); outgoing is a webhook to a receiver.';
COMMENT ON COLUMN reports.content IS 'A notice''s or follow-up''s text, a reaction''s name, the follow-up that a reply tells of, or the body of an outgoing webhook; living reports are rendered when sent.';
CREATE INDEX reports_chat_message ON reports (external_ref) WHERE kind = 'chat' AND external_ref IS NOT NULL;
CREATE INDEX tasks_chat_thread ON tasks ((chat ->> 'thread')) WHERE chat IS NOT NULL;

CREATE TABLE chat_apps (
    source   text PRIMARY KEY CHECK (length(source) <= 64),
    reason   text NOT NULL,
    ended_at timestamptz NOT NULL
);
COMMENT ON TABLE chat_apps IS 'Apps that a chat says were removed there: nothing is told until the chat lets them in again.';
COMMENT ON COLUMN chat_apps.source IS 'The configured source.';
COMMENT ON COLUMN chat_apps.reason IS 'What the chat said.';
COMMENT ON COLUMN chat_apps.ended_at IS 'When.';

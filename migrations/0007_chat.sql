-- Chat: where a task was asked for and is told of, and what waits until a chat account is linked to a person.

ALTER TABLE tasks ADD COLUMN chat jsonb;
COMMENT ON COLUMN tasks.chat IS 'The place in a chat where it was asked for: source, channel, thread and account.';

ALTER TABLE reports
    ADD COLUMN chat         jsonb,
    ADD COLUMN external_ref text CHECK (length(external_ref) <= 255);
ALTER TABLE reports DROP CONSTRAINT reports_kind_check;
ALTER TABLE reports ADD CONSTRAINT reports_kind_check
    CHECK (kind IN ('comment', 'notice', 'reaction', 'labels', 'chat', 'mention', 'whisper'));
COMMENT ON COLUMN reports.kind IS 'On GitHub comment (living, edited in place), notice (written once), reaction or labels; in a chat chat (living), mention (once, to the one who asked) or whisper (once, seen by one account).';
COMMENT ON COLUMN reports.chat IS 'The place in a chat where it is told, for the kinds of a chat.';
COMMENT ON COLUMN reports.external_ref IS 'The chat''s own name of the message, so that the next one edits it.';
CREATE INDEX reports_chat_waiting ON reports (due_at, id) WHERE state = 'pending' AND chat IS NOT NULL;

ALTER TABLE deliveries ADD COLUMN answers smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN deliveries.answers IS 'How often the address for answers that it carries was used; a chat allows few.';

CREATE TABLE chat_wishes (
    delivery_id uuid PRIMARY KEY REFERENCES deliveries (id) ON DELETE CASCADE,
    platform    text NOT NULL CHECK (length(platform) <= 32),
    team        text NOT NULL CHECK (length(team) <= 128),
    account     text NOT NULL CHECK (length(account) <= 128),
    made_at     timestamptz NOT NULL
);
CREATE INDEX chat_wishes_account ON chat_wishes (platform, team, account);
COMMENT ON TABLE chat_wishes IS 'What was asked for by chat accounts that are linked to nobody yet: it is matched again when they are.';
COMMENT ON COLUMN chat_wishes.delivery_id IS 'The delivery that asks for it.';
COMMENT ON COLUMN chat_wishes.platform IS 'The chat platform.';
COMMENT ON COLUMN chat_wishes.team IS 'The workspace there.';
COMMENT ON COLUMN chat_wishes.account IS 'The account that asked.';
COMMENT ON COLUMN chat_wishes.made_at IS 'When.';

-- Outgoing webhooks: one more kind of report, a row a change and receiver. Those who tell GitHub never look at them, and
-- each receiver is looked at alone.

ALTER TABLE reports
    ADD COLUMN receiver text CHECK (length(receiver) <= 64),
    ADD COLUMN seq bigint,
    DROP CONSTRAINT reports_kind_check,
    ADD CONSTRAINT reports_kind_check CHECK (
        kind IN ('comment', 'notice', 'reaction', 'labels', 'chat', 'mention', 'whisper', 'outgoing')),
    ADD CONSTRAINT reports_outgoing_check
        CHECK ((kind = 'outgoing') = (receiver IS NOT NULL AND seq IS NOT NULL AND task_id IS NOT NULL));
DROP INDEX reports_waiting;
CREATE INDEX reports_waiting ON reports (due_at, id) WHERE state = 'pending' AND kind <> 'outgoing';
CREATE INDEX reports_outgoing ON reports (receiver, due_at, id) WHERE state = 'pending' AND kind = 'outgoing';
COMMENT ON COLUMN reports.kind IS 'On GitHub comment (living, edited in place), notice (written once), reaction or labels; in a chat chat (living), mention (once, to the one who asked) or whisper (once, seen by one account); outgoing is a webhook to a receiver.';
COMMENT ON COLUMN reports.id IS 'Time-ordered id; it stands, authenticated, in the footer of our comments, and is the id of an outgoing webhook.';
COMMENT ON COLUMN reports.receiver IS 'Outgoing: the configured name of who hears it.';
COMMENT ON COLUMN reports.seq IS 'Outgoing: which change of its task it tells of, 1 for the first; an earlier one that waits goes first.';
COMMENT ON COLUMN reports.subject_number IS 'On which issue or pull request; 0 for an outgoing webhook of a task that is about none.';
COMMENT ON COLUMN reports.content IS 'A notice''s text, a reaction''s name or the body of an outgoing webhook; living reports are rendered when sent.';

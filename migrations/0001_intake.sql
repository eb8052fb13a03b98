-- Intake: what senders sent, and what was decided about it.

CREATE TABLE rule_versions (
    version   text PRIMARY KEY CHECK (length(version) <= 64),
    rules     jsonb NOT NULL,
    loaded_at timestamptz NOT NULL
);
COMMENT ON TABLE rule_versions IS 'Every rule set that was ever in force, so that an old decision can still be explained.';
COMMENT ON COLUMN rule_versions.version IS 'Hash of the rules.';
COMMENT ON COLUMN rule_versions.rules IS 'The rules as written, without secrets.';
COMMENT ON COLUMN rule_versions.loaded_at IS 'When this version was first loaded.';

CREATE TABLE deliveries (
    id            uuid PRIMARY KEY,
    source        text NOT NULL CHECK (length(source) <= 64),
    hook_id       text NOT NULL CHECK (length(hook_id) <= 128),
    sender_id     text NOT NULL CHECK (length(sender_id) <= 128),
    event_name    text NOT NULL CHECK (length(event_name) <= 128),
    content_type  text NOT NULL CHECK (length(content_type) <= 128),
    body          bytea,
    body_hash     bytea NOT NULL CHECK (length(body_hash) = 32),
    received_at   timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'received'
                  CHECK (state IN ('received', 'processed', 'ignored', 'duplicate', 'failed')),
    reason        text,
    action        text,
    actor_login   text,
    repo_name     text,
    subject_url   text,
    rule_version  text,
    duplicate_of  uuid,
    processed_at  timestamptz,
    tries         smallint NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL,
    lease         uuid,
    lease_until   timestamptz,
    CONSTRAINT deliveries_once UNIQUE (sender_id, source, hook_id)
) WITH (fillfactor = 80);
CREATE INDEX deliveries_waiting ON deliveries (due_at, id) WHERE state = 'received';
-- For every list that is narrowed by source, event or state: there are few groups of the three, so that one index does
-- for any of them, however rare what is looked for. What waits is not in it.
CREATE INDEX deliveries_list ON deliveries (source, event_name, state, id) WHERE state <> 'received';
-- What is still to be forgotten of what is done, and which rule sets are still in use.
CREATE INDEX deliveries_kept ON deliveries (id) WHERE body IS NOT NULL AND state <> 'received';
CREATE INDEX deliveries_rules ON deliveries (rule_version) WHERE rule_version IS NOT NULL;
CREATE INDEX deliveries_same_body ON deliveries (body_hash, source);
COMMENT ON TABLE deliveries IS 'One row a received webhook, written before it is acknowledged.';
COMMENT ON COLUMN deliveries.id IS 'Time-ordered id (UUIDv7).';
COMMENT ON COLUMN deliveries.source IS 'Name of the configured source.';
COMMENT ON COLUMN deliveries.hook_id IS 'Which hook of the sender sent it; empty when the sender does not say.';
COMMENT ON COLUMN deliveries.sender_id IS 'The sender''s own id of the delivery; the same on a redelivery.';
COMMENT ON COLUMN deliveries.event_name IS 'Kind of event, as the sender''s header says.';
COMMENT ON COLUMN deliveries.content_type IS 'How the body is to be read.';
COMMENT ON COLUMN deliveries.body IS 'The raw body, byte for byte; null once forgotten.';
COMMENT ON COLUMN deliveries.body_hash IS 'SHA-256 of the raw body; finds a replay under a new delivery id.';
COMMENT ON COLUMN deliveries.received_at IS 'When it was received.';
COMMENT ON COLUMN deliveries.state IS 'received: waits for the match step; the others are ends.';
COMMENT ON COLUMN deliveries.reason IS 'Why it was ignored, is a duplicate or failed, in words.';
COMMENT ON COLUMN deliveries.action IS 'What happened, from the signed body.';
COMMENT ON COLUMN deliveries.actor_login IS 'Who did it, from the signed body.';
COMMENT ON COLUMN deliveries.repo_name IS 'Where, as owner/name, from the signed body.';
COMMENT ON COLUMN deliveries.subject_url IS 'The page it is about, from the signed body.';
COMMENT ON COLUMN deliveries.rule_version IS 'The rule set it was matched with.';
COMMENT ON COLUMN deliveries.duplicate_of IS 'The earlier delivery with the same body.';
COMMENT ON COLUMN deliveries.processed_at IS 'When the match step ended.';
COMMENT ON COLUMN deliveries.tries IS 'How often the match step took it up and did not give it back: counted before the work, so crashes stay counted.';
COMMENT ON COLUMN deliveries.due_at IS 'Not before this time.';
COMMENT ON COLUMN deliveries.lease IS 'Who works on it now.';
COMMENT ON COLUMN deliveries.lease_until IS 'Until when, on the database''s clock.';

-- The default pglz spends more time than all the rest of an insert; not every build has lz4.
DO $$
BEGIN
    ALTER TABLE deliveries ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value OR syntax_error THEN
    RAISE NOTICE 'this server has no lz4; bodies keep the default compression';
END $$;

CREATE TABLE decisions (
    id           uuid PRIMARY KEY,
    delivery_id  uuid NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    position     integer NOT NULL,
    rule         text NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('matched', 'not_matched', 'refused', 'failed')),
    cause        text NOT NULL,
    saw          text NOT NULL DEFAULT '',
    task_id      uuid,
    decided_at   timestamptz NOT NULL
);
CREATE INDEX decisions_of_delivery ON decisions (delivery_id, position);
COMMENT ON TABLE decisions IS 'What one candidate rule said to one delivery, and why.';
COMMENT ON COLUMN decisions.id IS 'Time-ordered id.';
COMMENT ON COLUMN decisions.delivery_id IS 'The delivery.';
COMMENT ON COLUMN decisions.position IS 'Place of the rule in the set, from 0.';
COMMENT ON COLUMN decisions.rule IS 'Name of the rule.';
COMMENT ON COLUMN decisions.verdict IS 'matched: it became a task; not_matched: when was false; refused: a guard said no; failed: an error in the rule.';
COMMENT ON COLUMN decisions.cause IS 'The condition or guard that decided, and what to do about it, in words.';
COMMENT ON COLUMN decisions.saw IS 'The values it saw.';
COMMENT ON COLUMN decisions.task_id IS 'The task it became, if it did.';
COMMENT ON COLUMN decisions.decided_at IS 'When.';

CREATE TABLE refusals (
    hour    timestamptz NOT NULL,
    source  text NOT NULL,
    reason  text NOT NULL,
    count   bigint NOT NULL,
    PRIMARY KEY (hour, source, reason)
);
COMMENT ON TABLE refusals IS 'How many requests were turned away at the door; nothing else of them is kept.';
COMMENT ON COLUMN refusals.hour IS 'The hour it counts.';
COMMENT ON COLUMN refusals.source IS 'The configured source; empty for an unknown one.';
COMMENT ON COLUMN refusals.reason IS 'Why, in one word.';
COMMENT ON COLUMN refusals.count IS 'How many.';

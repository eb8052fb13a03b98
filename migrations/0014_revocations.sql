-- Tokens that are to be ended at GitHub, kept until that was done.

CREATE TABLE revocations (
    id         uuid PRIMARY KEY,
    person_id  bigint NOT NULL,
    what       text NOT NULL CHECK (what IN ('grant', 'token')),
    token      bytea NOT NULL,
    created_at timestamptz NOT NULL,
    due_at     timestamptz NOT NULL
);
CREATE INDEX revocations_due ON revocations (due_at);
COMMENT ON TABLE revocations IS 'Tokens that are no longer wanted here and are to be ended at GitHub: of people who left, and of earlier sign-ins.';
COMMENT ON COLUMN revocations.id IS 'The token is sealed to it.';
COMMENT ON COLUMN revocations.person_id IS 'Whose it was: the account at GitHub, which may not be among the people any more.';
COMMENT ON COLUMN revocations.what IS 'Whether all ends that the person gave the app, or the token alone.';
COMMENT ON COLUMN revocations.token IS 'Sealed access token.';
COMMENT ON COLUMN revocations.created_at IS 'Since when it is to be ended; a day later it is wiped, whatever came of it.';
COMMENT ON COLUMN revocations.due_at IS 'When it is tried next.';

COMMENT ON COLUMN chat_tokens.refresh_token IS
    'Sealed refresh token, which makes the next pair, once; empty when it is known to be good for nothing.';

-- People, their sealed tokens, and the turn-taking of those who write in their name.

CREATE TABLE people (
    id            bigint PRIMARY KEY,
    login         text NOT NULL,
    token         bytea,
    token_state   text NOT NULL DEFAULT 'ok' CHECK (token_state IN ('ok', 'reauth_required')),
    token_reason  text,
    token_expires_at timestamptz,
    refresh_token bytea,
    refresh_expires_at timestamptz,
    added_at      timestamptz NOT NULL,
    checked_at    timestamptz NOT NULL
);
CREATE INDEX people_login ON people (lower(login));
COMMENT ON TABLE people IS 'GitHub users whose token we hold.';
COMMENT ON COLUMN people.id IS 'Their GitHub account number; logins change, this does not.';
COMMENT ON COLUMN people.login IS 'Their login when last looked up.';
COMMENT ON COLUMN people.token IS 'Sealed access token; null when there is none.';
COMMENT ON COLUMN people.token_state IS 'reauth_required once GitHub refused the token.';
COMMENT ON COLUMN people.token_reason IS 'Why it was refused, in words.';
COMMENT ON COLUMN people.token_expires_at IS 'When the token ends, if it says so.';
COMMENT ON COLUMN people.refresh_token IS 'Sealed refresh token, if there is one.';
COMMENT ON COLUMN people.refresh_expires_at IS 'When the refresh token ends.';
COMMENT ON COLUMN people.added_at IS 'When the person was first added.';
COMMENT ON COLUMN people.checked_at IS 'When GitHub last said that the token is theirs.';

CREATE TABLE consents (
    person_id  bigint NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    rule       text NOT NULL,
    given_at   timestamptz NOT NULL,
    PRIMARY KEY (person_id, rule)
);
COMMENT ON TABLE consents IS 'A person agrees that a rule runs with their token although they did not trigger it.';
COMMENT ON COLUMN consents.person_id IS 'Who agrees.';
COMMENT ON COLUMN consents.rule IS 'To which rule.';
COMMENT ON COLUMN consents.given_at IS 'When.';

CREATE TABLE writers (
    owner        text PRIMARY KEY,
    lease        uuid,
    lease_until  timestamptz,
    free_at      timestamptz NOT NULL
);
COMMENT ON TABLE writers IS 'One write at a time for each token, with a pause between two, across all replicas.';
COMMENT ON COLUMN writers.owner IS 'person:<id> or installation:<id>.';
COMMENT ON COLUMN writers.lease IS 'Who writes now.';
COMMENT ON COLUMN writers.lease_until IS 'Until when, on the database''s clock.';
COMMENT ON COLUMN writers.free_at IS 'No write before this time.';

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    hash         bytea NOT NULL CONSTRAINT api_keys_hash UNIQUE,
    scope        text NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
COMMENT ON TABLE api_keys IS 'Keys of the admin API.';
COMMENT ON COLUMN api_keys.id IS 'Time-ordered id.';
COMMENT ON COLUMN api_keys.name IS 'What it is for, in its maker''s words.';
COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the key; the key itself is shown once and not kept.';
COMMENT ON COLUMN api_keys.scope IS 'read, operate (and read) or admin (everything).';
COMMENT ON COLUMN api_keys.created_at IS 'When it was made.';
COMMENT ON COLUMN api_keys.last_used_at IS 'When it was last used, to the minute.';
COMMENT ON COLUMN api_keys.revoked_at IS 'When it was revoked.';

CREATE TABLE vault_proof (
    id     boolean PRIMARY KEY DEFAULT true CHECK (id),
    proof  bytea NOT NULL
);
COMMENT ON TABLE vault_proof IS 'A sealed constant that shows whether the sealing key in use is the right one.';
COMMENT ON COLUMN vault_proof.id IS 'There is one row.';
COMMENT ON COLUMN vault_proof.proof IS 'The sealed constant.';

CREATE TABLE pauses (
    scope      text NOT NULL CHECK (scope IN ('all', 'source', 'rule', 'repo')),
    name       text NOT NULL,
    reason     text NOT NULL,
    paused_by  text NOT NULL,
    paused_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, name)
);
COMMENT ON TABLE pauses IS 'What starts nothing for now; work is kept and goes on when the row is gone.';
COMMENT ON COLUMN pauses.scope IS 'What is paused: all, source, rule or repo.';
COMMENT ON COLUMN pauses.name IS 'Which one; empty for all, owner/name in lower case for a repository.';
COMMENT ON COLUMN pauses.reason IS 'Why, in words.';
COMMENT ON COLUMN pauses.paused_by IS 'Who paused it.';
COMMENT ON COLUMN pauses.paused_at IS 'When.';

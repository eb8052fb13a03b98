-- People sign in for themselves: pairs of tokens that are renewed, sign-ins on their way, sessions of the page where they
-- do it, and chat accounts bound to people.

ALTER TABLE people
    ADD COLUMN token_version    uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN scopes           text NOT NULL DEFAULT '' CHECK (length(scopes) <= 1000),
    ADD COLUMN signed_in        boolean NOT NULL DEFAULT false,
    ADD COLUMN refresh_due_at   timestamptz,
    ADD COLUMN refresh_sent_at  timestamptz,
    ADD COLUMN refresh_lease    uuid,
    ADD COLUMN refresh_lease_until timestamptz;
CREATE INDEX people_refresh ON people (refresh_due_at) WHERE refresh_due_at IS NOT NULL;
COMMENT ON COLUMN people.token_version IS 'Another one with every token that is put: what was learnt of an older token changes nothing of a newer one.';
COMMENT ON COLUMN people.scopes IS 'The scopes of an OAuth app''s token, as GitHub named them; empty for a GitHub App.';
COMMENT ON COLUMN people.signed_in IS 'Whether the person signed in; else an operator gave the token.';
COMMENT ON COLUMN people.refresh_due_at IS 'When the pair is renewed, ahead of its end; null when it is not.';
COMMENT ON COLUMN people.refresh_sent_at IS 'A refresh left and what came of it is not recorded: before another, the old token is asked about.';
COMMENT ON COLUMN people.refresh_lease IS 'Who renews the pair now.';
COMMENT ON COLUMN people.refresh_lease_until IS 'Until when, on the database''s clock.';

CREATE TABLE sign_ins (
    state_hash   bytea PRIMARY KEY CHECK (length(state_hash) = 32),
    browser_hash bytea NOT NULL CHECK (length(browser_hash) = 32),
    verifier     bytea NOT NULL,
    platform     text,
    team         text,
    account      text,
    made_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sign_ins_expired ON sign_ins (expires_at);
COMMENT ON TABLE sign_ins IS 'Sign-ins that were begun in a browser and have not come back from GitHub; each is taken once.';
COMMENT ON COLUMN sign_ins.state_hash IS 'SHA-256 of the state that GitHub gives back.';
COMMENT ON COLUMN sign_ins.browser_hash IS 'SHA-256 of the cookie of the browser that began it.';
COMMENT ON COLUMN sign_ins.verifier IS 'Sealed PKCE verifier.';
COMMENT ON COLUMN sign_ins.platform IS 'The chat platform, if it began with a link from a chat.';
COMMENT ON COLUMN sign_ins.team IS 'The workspace there.';
COMMENT ON COLUMN sign_ins.account IS 'The chat account that asked for the link.';
COMMENT ON COLUMN sign_ins.made_at IS 'When it was begun.';
COMMENT ON COLUMN sign_ins.expires_at IS 'After this it is too late.';

CREATE TABLE connect_sessions (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    person_id  bigint NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX connect_sessions_person ON connect_sessions (person_id);
CREATE INDEX connect_sessions_expired ON connect_sessions (expires_at);
COMMENT ON TABLE connect_sessions IS 'Browsers in which somebody has just signed in, for a short time.';
COMMENT ON COLUMN connect_sessions.token_hash IS 'SHA-256 of the session''s cookie.';
COMMENT ON COLUMN connect_sessions.person_id IS 'Who signed in.';
COMMENT ON COLUMN connect_sessions.made_at IS 'When.';
COMMENT ON COLUMN connect_sessions.expires_at IS 'Until when it lasts.';

CREATE TABLE chat_links (
    platform        text NOT NULL CHECK (length(platform) <= 32),
    team            text NOT NULL CHECK (length(team) <= 128),
    account         text NOT NULL CHECK (length(account) <= 128),
    link_hash       bytea CHECK (length(link_hash) = 32),
    link_expires_at timestamptz NOT NULL,
    person_id       bigint REFERENCES people (id) ON DELETE CASCADE,
    code_hash       bytea CHECK (length(code_hash) = 32),
    code_expires_at timestamptz,
    code_tries      integer NOT NULL DEFAULT 0,
    made_at         timestamptz NOT NULL,
    PRIMARY KEY (platform, team, account)
);
CREATE UNIQUE INDEX chat_links_hash ON chat_links (link_hash) WHERE link_hash IS NOT NULL;
CREATE INDEX chat_links_person ON chat_links (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX chat_links_made ON chat_links (made_at);
COMMENT ON TABLE chat_links IS 'The newest one-time link of a chat account on its way to a person, and then the code that confirms it.';
COMMENT ON COLUMN chat_links.platform IS 'The chat platform, for example slack.';
COMMENT ON COLUMN chat_links.team IS 'The workspace there.';
COMMENT ON COLUMN chat_links.account IS 'The account that asked for the link.';
COMMENT ON COLUMN chat_links.link_hash IS 'SHA-256 of the link''s secret part; null once it was used.';
COMMENT ON COLUMN chat_links.link_expires_at IS 'After this the link is too old.';
COMMENT ON COLUMN chat_links.person_id IS 'Who signed in through it.';
COMMENT ON COLUMN chat_links.code_hash IS 'The code shown to them, hashed with a key; the same chat account types it back.';
COMMENT ON COLUMN chat_links.code_expires_at IS 'After this the code is too old.';
COMMENT ON COLUMN chat_links.code_tries IS 'How many codes were tried.';
COMMENT ON COLUMN chat_links.made_at IS 'When the link was made.';

CREATE TABLE identities (
    platform  text NOT NULL CHECK (length(platform) <= 32),
    team      text NOT NULL CHECK (length(team) <= 128),
    account   text NOT NULL CHECK (length(account) <= 128),
    person_id bigint NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (platform, team, account)
);
CREATE INDEX identities_person ON identities (person_id);
COMMENT ON TABLE identities IS 'Chat accounts bound to people, after both sides have shown that they belong together.';
COMMENT ON COLUMN identities.platform IS 'The chat platform, for example slack.';
COMMENT ON COLUMN identities.team IS 'The workspace there.';
COMMENT ON COLUMN identities.account IS 'The account there.';
COMMENT ON COLUMN identities.person_id IS 'The person.';
COMMENT ON COLUMN identities.linked_at IS 'When.';

-- Chat accounts bound to people.

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

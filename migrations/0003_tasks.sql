-- Tasks: one piece of work for the agent each, with its attempts, its story and what people are told.

CREATE TABLE tasks (
    id               uuid PRIMARY KEY,
    state            text NOT NULL CHECK (state IN (
                         'held', 'pending', 'starting', 'uncertain', 'queued', 'in_progress', 'waiting_for_user', 'idle',
                         'unrecognised', 'completed', 'failed', 'timed_out', 'cancelled', 'start_failed', 'lost')),
    reason           text NOT NULL DEFAULT '',
    hold             text CHECK (hold IN ('token', 'approval', 'turn')),
    needs_person     boolean NOT NULL DEFAULT false,
    unapproved       boolean NOT NULL DEFAULT false,
    line             bigint GENERATED ALWAYS AS IDENTITY,
    rule             text NOT NULL,
    rule_version     text NOT NULL,
    delivery_id      uuid NOT NULL,
    retry_of         uuid,
    source           text NOT NULL,
    host             text NOT NULL,
    event            text NOT NULL,
    repo_id          bigint NOT NULL,
    repo_owner       text NOT NULL,
    repo_name        text NOT NULL,
    origin_repo_id   bigint NOT NULL,
    origin_owner     text NOT NULL,
    origin_name      text NOT NULL,
    subject_kind     text NOT NULL,
    subject_number   bigint,
    subject_url      text NOT NULL DEFAULT '',
    comment_id       bigint,
    comment_on_diff  boolean NOT NULL DEFAULT false,
    label_name       text,
    actor_id         bigint,
    actor_login      text NOT NULL DEFAULT '',
    person_id        bigint NOT NULL,
    person_login     text NOT NULL,
    allow_pending    boolean NOT NULL DEFAULT false,
    allow_rule       jsonb NOT NULL,
    report           jsonb NOT NULL,
    once_key         text CHECK (length(once_key) <= 512),
    once_idle_s      bigint,
    prompt           text NOT NULL,
    marker           text NOT NULL CONSTRAINT tasks_marker UNIQUE,
    model            text,
    custom_agent     text,
    base_ref         text,
    head_ref         text,
    create_pull_request boolean NOT NULL,
    attempt_count    integer NOT NULL DEFAULT 0,
    restarts         smallint NOT NULL DEFAULT 0,
    empty_listings   smallint NOT NULL DEFAULT 0,
    uncertain_since  timestamptz,
    absent_since     timestamptz,
    remote_id        text CHECK (length(remote_id) <= 255),
    remote_state     text,
    remote_url       text,
    remote_updated_at timestamptz,
    branch           text,
    pull_number      bigint,
    pull_url         text,
    remote_error     text,
    missing_since    timestamptz,
    looked_at        timestamptz,
    look_at          timestamptz,
    quiet_looks      smallint NOT NULL DEFAULT 0,
    event_at         timestamptz,
    created_at       timestamptz NOT NULL,
    started_at       timestamptz,
    changed_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    due_at           timestamptz NOT NULL,
    lease            uuid,
    lease_until      timestamptz
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX tasks_remote ON tasks (host, remote_id) WHERE remote_id IS NOT NULL;
CREATE INDEX tasks_due ON tasks (due_at) WHERE state IN ('pending', 'starting', 'uncertain');
CREATE INDEX tasks_live_person ON tasks (person_id) WHERE state IN ('held', 'pending', 'starting', 'uncertain', 'queued', 'in_progress', 'waiting_for_user', 'idle', 'unrecognised');
CREATE INDEX tasks_live_once ON tasks (rule, once_key) WHERE once_key IS NOT NULL AND ended_at IS NULL;
-- What limits count.
CREATE INDEX tasks_open_rule ON tasks (rule, repo_id, person_id) WHERE ended_at IS NULL;
CREATE INDEX tasks_open_repo ON tasks (repo_id) WHERE ended_at IS NULL;
CREATE INDEX tasks_open_person ON tasks (person_id) WHERE ended_at IS NULL;
-- What a person is swept for: what lives, and what has ended lately.
CREATE INDEX tasks_watched ON tasks (person_id, (coalesce(ended_at, 'infinity'))) WHERE remote_id IS NOT NULL;
-- What keeps a delivery, and which rule sets are still in use.
CREATE INDEX tasks_open_delivery ON tasks (delivery_id) WHERE ended_at IS NULL;
CREATE INDEX tasks_rules ON tasks (rule_version);
CREATE INDEX tasks_held ON tasks (hold, person_id) WHERE state = 'held';
CREATE INDEX tasks_look ON tasks (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX tasks_rule_made ON tasks (rule, created_at);
CREATE INDEX tasks_repo_made ON tasks (repo_id, created_at);
CREATE INDEX tasks_person_made ON tasks (person_id, created_at);
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_retries ON tasks (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX tasks_of_delivery ON tasks (delivery_id);
CREATE INDEX tasks_branch ON tasks (repo_id, branch) WHERE branch IS NOT NULL;
CREATE INDEX tasks_subject ON tasks (origin_repo_id, subject_number);
-- Lists take the newest of each state that is wanted. What else they can be narrowed by lies beside the key, so that two
-- values that never meet cost no look at the rows, which are wide.
CREATE INDEX tasks_state_list ON tasks (state, id);
CREATE INDEX tasks_repo_list ON tasks (lower(repo_owner || '/' || repo_name), state, id)
    INCLUDE (repo_owner, repo_name, rule, person_login);
CREATE INDEX tasks_rule_list ON tasks (rule, state, id) INCLUDE (repo_owner, repo_name, person_login);
CREATE INDEX tasks_person_list ON tasks (lower(person_login), state, id)
    INCLUDE (person_login, repo_owner, repo_name, rule);
COMMENT ON TABLE tasks IS 'One piece of work for the agent, with at most one remote task.';
COMMENT ON COLUMN tasks.id IS 'Time-ordered id.';
COMMENT ON COLUMN tasks.state IS 'Where it stands; the names after starting are GitHub''s own, unrecognised is a state this version does not know.';
COMMENT ON COLUMN tasks.reason IS 'Why it stands there, in words for people.';
COMMENT ON COLUMN tasks.hold IS 'What a held task waits for: token, approval or (once_per: wait) its turn.';
COMMENT ON COLUMN tasks.needs_person IS 'An uncertain task that only a person can settle.';
COMMENT ON COLUMN tasks.unapproved IS 'It quotes text that somebody must approve first, and nobody has.';
COMMENT ON COLUMN tasks.line IS 'Place in line, in the order in which tasks of a rule were made: ids of one moment have none.';
COMMENT ON COLUMN tasks.rule IS 'The rule that made it.';
COMMENT ON COLUMN tasks.rule_version IS 'The rule set of that time.';
COMMENT ON COLUMN tasks.delivery_id IS 'The delivery that made it; the row may be forgotten earlier than the task.';
COMMENT ON COLUMN tasks.retry_of IS 'The ended task that this one repeats.';
COMMENT ON COLUMN tasks.source IS 'The source of the delivery.';
COMMENT ON COLUMN tasks.host IS 'The GitHub host, for example github.com.';
COMMENT ON COLUMN tasks.event IS 'The event, for example issues.labeled.';
COMMENT ON COLUMN tasks.repo_id IS 'The repository where the agent works.';
COMMENT ON COLUMN tasks.repo_owner IS 'Its owner''s login when last seen.';
COMMENT ON COLUMN tasks.repo_name IS 'Its name when last seen.';
COMMENT ON COLUMN tasks.origin_repo_id IS 'The repository where the wish was made and is answered.';
COMMENT ON COLUMN tasks.origin_owner IS 'Its owner''s login when last seen.';
COMMENT ON COLUMN tasks.origin_name IS 'Its name when last seen.';
COMMENT ON COLUMN tasks.subject_kind IS 'What the event was about: issue, pull_request and so on.';
COMMENT ON COLUMN tasks.subject_number IS 'Its number in the repository of origin.';
COMMENT ON COLUMN tasks.subject_url IS 'Its page.';
COMMENT ON COLUMN tasks.comment_id IS 'The comment with the command, if there was one.';
COMMENT ON COLUMN tasks.comment_on_diff IS 'Whether that comment stands on a diff.';
COMMENT ON COLUMN tasks.label_name IS 'The label that triggered it; taking it off cancels a task that has not started.';
COMMENT ON COLUMN tasks.actor_id IS 'Who asked, by account number.';
COMMENT ON COLUMN tasks.actor_login IS 'Who asked, by login.';
COMMENT ON COLUMN tasks.person_id IS 'Whose token it runs with.';
COMMENT ON COLUMN tasks.person_login IS 'That person''s login when the task was made.';
COMMENT ON COLUMN tasks.allow_pending IS 'The right of the actor could not be looked up yet and must be before the start.';
COMMENT ON COLUMN tasks.allow_rule IS 'Who may, as the rule said then.';
COMMENT ON COLUMN tasks.report IS 'What people are told, as the rule said then.';
COMMENT ON COLUMN tasks.once_key IS 'While this task lives, no other with this key and rule starts.';
COMMENT ON COLUMN tasks.once_idle_s IS 'Seconds of idleness after which it lets the key go.';
COMMENT ON COLUMN tasks.prompt IS 'The prompt as it is sent, without the marker line.';
COMMENT ON COLUMN tasks.marker IS 'Random text, the last line of the prompt sent; finds the remote task again. Shown nowhere.';
COMMENT ON COLUMN tasks.model IS 'Model asked for.';
COMMENT ON COLUMN tasks.custom_agent IS 'Custom agent asked for.';
COMMENT ON COLUMN tasks.base_ref IS 'Branch to start from.';
COMMENT ON COLUMN tasks.head_ref IS 'Branch of the open pull request to work on.';
COMMENT ON COLUMN tasks.create_pull_request IS 'Whether the agent opens a pull request.';
COMMENT ON COLUMN tasks.attempt_count IS 'How many attempts were made.';
COMMENT ON COLUMN tasks.restarts IS 'How often it was started again after an unknown outcome; at most once by itself.';
COMMENT ON COLUMN tasks.empty_listings IS 'Complete listings past the grace that did not show the remote task.';
COMMENT ON COLUMN tasks.uncertain_since IS 'When the outcome of the POST became unknown.';
COMMENT ON COLUMN tasks.absent_since IS 'GitHub''s own time of the first complete listing that did not show the remote task; the grace counts from there.';
COMMENT ON COLUMN tasks.remote_id IS 'GitHub''s id of the task.';
COMMENT ON COLUMN tasks.remote_state IS 'GitHub''s state, raw.';
COMMENT ON COLUMN tasks.remote_url IS 'GitHub''s page of the task.';
COMMENT ON COLUMN tasks.remote_updated_at IS 'GitHub''s time of the newest news taken in; older news is dropped.';
COMMENT ON COLUMN tasks.branch IS 'The branch the agent works on.';
COMMENT ON COLUMN tasks.pull_number IS 'The pull request''s number.';
COMMENT ON COLUMN tasks.pull_url IS 'The pull request''s page.';
COMMENT ON COLUMN tasks.remote_error IS 'The error message of the newest session.';
COMMENT ON COLUMN tasks.missing_since IS 'Since when GitHub answers 404 for it.';
COMMENT ON COLUMN tasks.looked_at IS 'When it was last seen in an answer of GitHub.';
COMMENT ON COLUMN tasks.look_at IS 'When it is asked for by itself, if no list has shown it before.';
COMMENT ON COLUMN tasks.quiet_looks IS 'How many such looks in a row showed nothing new.';
COMMENT ON COLUMN tasks.event_at IS 'When the event happened, from the signed body; null if it does not say.';
COMMENT ON COLUMN tasks.created_at IS 'When it was made.';
COMMENT ON COLUMN tasks.started_at IS 'When the remote task was known to exist.';
COMMENT ON COLUMN tasks.changed_at IS 'When its state last changed.';
COMMENT ON COLUMN tasks.ended_at IS 'When it ended, for now; null again when it is reopened.';
COMMENT ON COLUMN tasks.due_at IS 'Not before this time: the next attempt or the next look for an uncertain one.';
COMMENT ON COLUMN tasks.lease IS 'Who works on it now.';
COMMENT ON COLUMN tasks.lease_until IS 'Until when, on the database''s clock.';

CREATE TABLE intents (
    key        bytea PRIMARY KEY CHECK (length(key) = 32),
    task_id    uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    made_at    timestamptz NOT NULL
);
CREATE INDEX intents_of_task ON intents (task_id);
COMMENT ON TABLE intents IS 'The wish behind a task: the same wish through two hooks has the same key and starts one task.';
COMMENT ON COLUMN intents.key IS 'SHA-256 of the signed fields that make the wish.';
COMMENT ON COLUMN intents.task_id IS 'The task it became.';
COMMENT ON COLUMN intents.made_at IS 'When.';

CREATE TABLE unlabels (
    repo_id        bigint NOT NULL,
    subject_number bigint NOT NULL,
    label          text NOT NULL CHECK (length(label) <= 255),
    at             timestamptz NOT NULL,
    delivery_id    uuid NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (repo_id, subject_number, label)
);
COMMENT ON TABLE unlabels IS 'Labels taken off lately: a wish by such a label that is matched only later makes no task.';
COMMENT ON COLUMN unlabels.repo_id IS 'The repository.';
COMMENT ON COLUMN unlabels.subject_number IS 'The issue or pull request.';
COMMENT ON COLUMN unlabels.label IS 'The label, in lower case.';
COMMENT ON COLUMN unlabels.at IS 'When it was last taken off, from the signed body.';
COMMENT ON COLUMN unlabels.delivery_id IS 'The delivery that told of it; its order of arrival parts equal times.';
COMMENT ON COLUMN unlabels.recorded_at IS 'When it was recorded; it is forgotten after two days.';

CREATE TABLE attempts (
    id          uuid PRIMARY KEY,
    task_id     uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number      integer NOT NULL,
    person_id   bigint NOT NULL,
    began_at    timestamptz NOT NULL,
    ended_at    timestamptz,
    outcome     text CHECK (outcome IN ('created', 'deferred', 'refused', 'unauthorized', 'unknown', 'adopted', 'absent')),
    http_status integer,
    message     text,
    CONSTRAINT attempts_number UNIQUE (task_id, number)
);
COMMENT ON TABLE attempts IS 'One row a try to start the remote task, committed before the request leaves.';
COMMENT ON COLUMN attempts.id IS 'Time-ordered id.';
COMMENT ON COLUMN attempts.task_id IS 'The task.';
COMMENT ON COLUMN attempts.number IS '1 for the first.';
COMMENT ON COLUMN attempts.person_id IS 'Whose token was used.';
COMMENT ON COLUMN attempts.began_at IS 'Before the request left.';
COMMENT ON COLUMN attempts.ended_at IS 'When its outcome was recorded.';
COMMENT ON COLUMN attempts.outcome IS 'What came of it; null while it runs or after a crash.';
COMMENT ON COLUMN attempts.http_status IS 'GitHub''s status, if there was an answer.';
COMMENT ON COLUMN attempts.message IS 'GitHub''s message or the failure, in words.';

CREATE TABLE timeline (
    id         uuid PRIMARY KEY,
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    task_id    uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('made', 'state', 'observation', 'attempt', 'note')),
    from_state text,
    to_state   text,
    text       text NOT NULL
);
CREATE INDEX timeline_of_task ON timeline (task_id, seq);
COMMENT ON TABLE timeline IS 'The story of a task, an entry a change, written in the transaction of the change.';
COMMENT ON COLUMN timeline.id IS 'Time-ordered id.';
COMMENT ON COLUMN timeline.seq IS 'The order of the entries of a task: they are written with its row locked. Ids of one millisecond have none.';
COMMENT ON COLUMN timeline.task_id IS 'The task.';
COMMENT ON COLUMN timeline.at IS 'When.';
COMMENT ON COLUMN timeline.kind IS 'made, state (it moved), observation (GitHub said something), attempt or note.';
COMMENT ON COLUMN timeline.from_state IS 'State before.';
COMMENT ON COLUMN timeline.to_state IS 'State after.';
COMMENT ON COLUMN timeline.text IS 'What happened, in words.';

CREATE TABLE sessions (
    task_id        uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    remote_id      text NOT NULL CHECK (length(remote_id) <= 255),
    state          text NOT NULL,
    created_at     timestamptz,
    completed_at   timestamptz,
    usage_kind     text,
    usage_nano     bigint,
    error          text,
    PRIMARY KEY (task_id, remote_id)
);
COMMENT ON TABLE sessions IS 'The remote sessions of a task and what each used.';
COMMENT ON COLUMN sessions.task_id IS 'The task.';
COMMENT ON COLUMN sessions.remote_id IS 'GitHub''s id of the session.';
COMMENT ON COLUMN sessions.state IS 'GitHub''s state, raw.';
COMMENT ON COLUMN sessions.created_at IS 'GitHub''s time of its start.';
COMMENT ON COLUMN sessions.completed_at IS 'GitHub''s time of its end.';
COMMENT ON COLUMN sessions.usage_kind IS 'ai_credits or premium_requests.';
COMMENT ON COLUMN sessions.usage_nano IS 'How much, in billionths of the kind''s unit.';
COMMENT ON COLUMN sessions.error IS 'GitHub''s error message.';

CREATE TABLE sweeps (
    person_id    bigint PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE,
    watermark    timestamptz NOT NULL,
    etag         text,
    etag_since   timestamptz,
    due_at       timestamptz NOT NULL,
    rounds       bigint NOT NULL DEFAULT 0,
    list_calls   bigint NOT NULL DEFAULT 0,
    get_calls    bigint NOT NULL DEFAULT 0,
    trouble      text,
    tries        integer NOT NULL DEFAULT 0,
    last_round_at timestamptz,
    lease        uuid,
    lease_until  timestamptz
);
CREATE INDEX sweeps_due ON sweeps (due_at);
COMMENT ON TABLE sweeps IS 'How far the remote tasks of a person were read.';
COMMENT ON COLUMN sweeps.person_id IS 'The person.';
COMMENT ON COLUMN sweeps.watermark IS 'GitHub''s newest time that a complete round has read.';
COMMENT ON COLUMN sweeps.etag IS 'Validator of the first page of the last complete round.';
COMMENT ON COLUMN sweeps.etag_since IS 'The start time that the validator belongs to.';
COMMENT ON COLUMN sweeps.due_at IS 'When the next round is due; in the year 9999 while nothing is watched.';
COMMENT ON COLUMN sweeps.rounds IS 'Complete rounds so far.';
COMMENT ON COLUMN sweeps.list_calls IS 'List requests so far.';
COMMENT ON COLUMN sweeps.get_calls IS 'Requests for one task so far.';
COMMENT ON COLUMN sweeps.trouble IS 'Why the last round was not complete.';
COMMENT ON COLUMN sweeps.tries IS 'Incomplete rounds in a row.';
COMMENT ON COLUMN sweeps.last_round_at IS 'When the last round ended.';
COMMENT ON COLUMN sweeps.lease IS 'Who sweeps now.';
COMMENT ON COLUMN sweeps.lease_until IS 'Until when, on the database''s clock.';

CREATE TABLE reports (
    id             uuid PRIMARY KEY,
    task_id        uuid REFERENCES tasks (id) ON DELETE CASCADE,
    delivery_id    uuid,
    kind           text NOT NULL CHECK (kind IN ('comment', 'notice', 'reaction', 'labels')),
    dedupe         text NOT NULL CONSTRAINT reports_dedupe UNIQUE CHECK (length(dedupe) <= 255),
    repo_id        bigint NOT NULL,
    repo_owner     text NOT NULL,
    repo_name      text NOT NULL,
    subject_number bigint NOT NULL,
    comment_id     bigint,
    comment_on_diff boolean NOT NULL DEFAULT false,
    person_id      bigint,
    content        text NOT NULL DEFAULT '',
    revision       integer NOT NULL DEFAULT 1,
    sent_revision  integer NOT NULL DEFAULT 0,
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    external_id    bigint,
    external_url   text,
    tries          integer NOT NULL DEFAULT 0,
    trouble        text,
    made_at        timestamptz NOT NULL,
    sent_at        timestamptz,
    due_at         timestamptz NOT NULL,
    lease          uuid,
    lease_until    timestamptz
);
CREATE INDEX reports_waiting ON reports (due_at, id) WHERE state = 'pending';
CREATE INDEX reports_alone ON reports (id) WHERE task_id IS NULL AND state <> 'pending';
CREATE INDEX reports_of_task ON reports (task_id);
CREATE INDEX reports_on_subject ON reports (repo_id, subject_number);
COMMENT ON TABLE reports IS 'The outbox: one thing to tell someone, committed before anything is sent.';
COMMENT ON COLUMN reports.id IS 'Time-ordered id; it stands, authenticated, in the footer of our comments.';
COMMENT ON COLUMN reports.task_id IS 'The task it tells of.';
COMMENT ON COLUMN reports.delivery_id IS 'The delivery it answers.';
COMMENT ON COLUMN reports.kind IS 'comment (living, edited in place), notice (written once), reaction or labels.';
COMMENT ON COLUMN reports.dedupe IS 'What makes it one thing: the same text is not told twice.';
COMMENT ON COLUMN reports.repo_id IS 'Where it is told.';
COMMENT ON COLUMN reports.repo_owner IS 'Owner''s login of that time.';
COMMENT ON COLUMN reports.repo_name IS 'Name of that time.';
COMMENT ON COLUMN reports.subject_number IS 'On which issue or pull request.';
COMMENT ON COLUMN reports.comment_id IS 'The comment that is reacted to, if not the issue itself.';
COMMENT ON COLUMN reports.comment_on_diff IS 'Whether that comment stands on a diff.';
COMMENT ON COLUMN reports.person_id IS 'Whose token tells it when no App does.';
COMMENT ON COLUMN reports.content IS 'A notice''s text or a reaction''s name; living reports are rendered when sent.';
COMMENT ON COLUMN reports.revision IS 'Raised by each change that must be told.';
COMMENT ON COLUMN reports.sent_revision IS 'The revision that was told.';
COMMENT ON COLUMN reports.state IS 'pending, sent or failed.';
COMMENT ON COLUMN reports.external_id IS 'GitHub''s id, so that the next one edits it.';
COMMENT ON COLUMN reports.external_url IS 'Its page.';
COMMENT ON COLUMN reports.tries IS 'Tries of this revision.';
COMMENT ON COLUMN reports.trouble IS 'Why it could not be told.';
COMMENT ON COLUMN reports.made_at IS 'When it was made.';
COMMENT ON COLUMN reports.sent_at IS 'When it was last told.';
COMMENT ON COLUMN reports.due_at IS 'Not before this time.';
COMMENT ON COLUMN reports.lease IS 'Who sends it now.';
COMMENT ON COLUMN reports.lease_until IS 'Until when, on the database''s clock.';

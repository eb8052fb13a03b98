-- What a year or so of use leaves behind, in the shape that is hardest for lists: a few values have most of the rows,
-- some have a handful of the oldest, and one source stopped sending long ago. Some that are common never meet: no `issues`
-- is ignored, `ghes` sends none, no `release-notes` fails or works in repository 1, and person 1 does not work there. `:deliveries`, `:tasks` and `:people` are numbers, `:now` is the moment at which it ends.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET jit = off;
ALTER SYSTEM SET max_wal_size = '8GB';
SELECT pg_reload_conf();
SET maintenance_work_mem = '256MB';

-- Indexes are made afterwards, which is faster than row by row.
CREATE TEMP TABLE indexes AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid);
DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM indexes LOOP EXECUTE 'DROP INDEX ' || i.name; END LOOP; END $$;

CREATE FUNCTION pg_temp.at(part float8) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT :now::timestamptz - interval '30 days' * (1 - part) $$;
-- A UUIDv7 of that moment.
CREATE FUNCTION pg_temp.id(part float8, salt text) RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT (lpad(to_hex((extract(epoch FROM :now::timestamptz) * 1000)::bigint - (2592000000 * (1 - part))::bigint), 12, '0')
           || '7' || substr(md5(salt), 14))::uuid $$;
CREATE FUNCTION pg_temp.percent(n bigint) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT (abs(hashint8(n)::bigint) % 100)::int $$;

INSERT INTO rule_versions (version, rules, loaded_at) VALUES ('bench', '[]', :now::timestamptz - interval '40 days');

INSERT INTO deliveries (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at, state,
                        reason, action, actor_login, repo_name, subject_url, rule_version, processed_at, tries, due_at)
SELECT id, source, '412345678', md5('sender' || n), event_name, 'application/json',
       CASE WHEN part > 0.7 THEN convert_to(md5(n::text), 'UTF8') END, sha256(convert_to(n::text, 'UTF8')), received_at, state,
       CASE WHEN state <> 'processed' THEN 'no rule listens to this event' END, 'edited', 'person-' || pct,
       'acme/widgets-' || n % 300, 'https://github.com/acme/widgets/issues/' || n % 5000,
       CASE WHEN state <> 'received' THEN 'bench' END, CASE WHEN state <> 'received' THEN received_at END, 1, received_at
FROM (
    SELECT n, part, pct, pg_temp.id(part, 'd' || n) AS id, pg_temp.at(part) AS received_at,
           CASE WHEN n <= 5000 AND n % 1000 = 8 THEN 'rare'
                WHEN n % 5 <> 0 AND pct % 10 = 9 THEN 'ghes'
                WHEN part < 0.2 THEN 'github-old' ELSE 'github' END AS source,
           CASE WHEN n <= 5000 AND n % 1000 = 8 THEN 'installation'
                WHEN n % 5 = 0 AND pct < 50 THEN 'issues'
                WHEN n % 5 = 0 AND pct < 90 THEN 'issue_comment'
                WHEN n % 5 = 0 THEN 'pull_request'
                WHEN pct < 50 THEN 'push'
                WHEN pct < 85 THEN 'check_run'
                WHEN pct < 99 THEN 'pull_request' ELSE 'other_' || n % 29 END AS event_name,
           CASE WHEN n > :deliveries - 200 THEN 'received'
                WHEN n % 5 = 0 THEN 'processed'
                WHEN n % 97 = 0 THEN 'duplicate'
                WHEN n % 1009 = 0 THEN 'failed' ELSE 'ignored' END AS state
    FROM (SELECT n, n::float8 / :deliveries AS part, pg_temp.percent(n) AS pct FROM generate_series(1, :deliveries) n) a
) b;

-- Each fifth delivery was looked at by two rules, and became a task.
INSERT INTO decisions (id, delivery_id, position, rule, verdict, cause, saw, task_id, decided_at)
SELECT pg_temp.id(part, 'c' || p || n), pg_temp.id(part, 'd' || n), p, 'rule-' || n % 20,
       CASE WHEN p = 0 THEN 'not_matched' ELSE 'matched' END, 'issue.state == ''open'' holds', 'open',
       CASE WHEN p = 1 THEN pg_temp.id(part, 't' || n / 5) END, pg_temp.at(part)
FROM (SELECT n, n::float8 / :deliveries AS part FROM generate_series(5, :deliveries - 200, 5) n) a, generate_series(0, 1) p;

INSERT INTO tasks (id, state, reason, rule, rule_version, delivery_id, source, host, event, repo_id, repo_owner, repo_name,
                   origin_repo_id, origin_owner, origin_name, subject_kind, subject_number, subject_url, label_name,
                   actor_id, actor_login, person_id, person_login, allow_rule, report, prompt, marker, create_pull_request,
                   attempt_count, remote_id, remote_state, remote_url, remote_updated_at, created_at, started_at,
                   changed_at, ended_at, look_at, due_at)
SELECT pg_temp.id(part, 't' || n), state, 'GitHub says so', rule, 'bench', pg_temp.id(part, 'd' || n * 5), 'github',
       'github.com', 'issues.labeled', repo, 'acme', 'widgets-' || repo, repo, 'acme', 'widgets-' || repo, 'issue',
       n % 5000 + 1, 'https://github.com/acme/widgets/issues/' || n % 5000, 'copilot-fix', person, 'person-' || person,
       person, 'person-' || person, ':allow', ':report',
       -- Short for prompts, but it does not compress well.
       substr(words, 1 + (n % 3000)::int, 600 + (n * 37 % 1800)::int), md5('marker' || n), true, 1, 'remote-' || n, state,
       'https://github.com/copilot/tasks/' || n, made, made, made, made, CASE WHEN NOT live THEN made END,
       CASE WHEN live THEN made END, made
FROM (
    SELECT n, part, rule, repo, person, pg_temp.at(part) AS made, n > :tasks * 0.99 AS live,
           CASE WHEN n > :tasks * 0.99 THEN (ARRAY['queued', 'in_progress', 'waiting_for_user', 'idle'])[n % 4 + 1]
                WHEN n <= 5000 AND n % 1000 = 7 THEN 'lost'
                WHEN rule = 'release-notes' OR n % 31 < 23 THEN 'completed'
                ELSE (ARRAY['failed', 'failed', 'cancelled', 'timed_out', 'start_failed'])[n % 5 + 1] END AS state
    FROM (
        SELECT n, n::float8 / :tasks AS part,
               CASE WHEN n <= 5000 AND n % 1000 = 7 THEN 'rare'
                    WHEN pct < 50 THEN 'fix-labelled-issues'
                    WHEN pct < 65 THEN 'release-notes' ELSE 'rule-' || pct % 20 END AS rule,
               CASE WHEN n <= 5000 AND n % 1000 = 7 THEN 9999
                    WHEN n % 10 < 3 AND pct NOT BETWEEN 50 AND 64 THEN 1 ELSE n % 300 + 2 END AS repo,
               CASE WHEN n <= 5000 AND n % 1000 = 7 THEN 9999
                    WHEN n % 10 > 6 THEN 1 ELSE n % :people + 2 END AS person
        FROM (SELECT n, pg_temp.percent(n * 13) AS pct FROM generate_series(1, :tasks) n) a
    ) b
) c, (SELECT string_agg(md5(i::text), ' ') AS words FROM generate_series(1, 300) i) text;

INSERT INTO attempts (id, task_id, number, person_id, began_at, ended_at, outcome, http_status)
SELECT pg_temp.id(part, 'a' || n), pg_temp.id(part, 't' || n), 1, 1, pg_temp.at(part), pg_temp.at(part), 'created', 201
FROM (SELECT n, n::float8 / :tasks AS part FROM generate_series(1, :tasks) n) a;

INSERT INTO timeline (id, task_id, at, kind, from_state, to_state, text)
SELECT pg_temp.id(part, 'l' || p || n), pg_temp.id(part, 't' || n), pg_temp.at(part), 'state', 'queued', 'in_progress',
       'GitHub says that the agent works on it'
FROM (SELECT n, n::float8 / :tasks AS part FROM generate_series(1, :tasks) n) a, generate_series(1, 5) p;

INSERT INTO sessions (task_id, remote_id, state, created_at, completed_at, usage_kind, usage_nano)
SELECT pg_temp.id(part, 't' || n), 'session-' || n, 'completed', pg_temp.at(part), pg_temp.at(part), 'ai_credits',
       1000000000 + n
FROM (SELECT n, n::float8 / :tasks AS part FROM generate_series(1, :tasks) n) a;

INSERT INTO reports (id, task_id, delivery_id, kind, dedupe, repo_id, repo_owner, repo_name, subject_number, state,
                     external_id, made_at, sent_at, due_at)
SELECT pg_temp.id(part, 'r' || p || n), pg_temp.id(part, 't' || n), pg_temp.id(part, 'd' || n * 5),
       (ARRAY['comment', 'reaction', 'labels'])[p], 'bench-' || p || '-' || n, n % 300, 'acme', 'widgets', n % 5000 + 1,
       'sent', n, pg_temp.at(part), pg_temp.at(part), pg_temp.at(part)
FROM (SELECT n, n::float8 / :tasks AS part FROM generate_series(1, :tasks) n) a, generate_series(1, 3) p;

INSERT INTO people (id, login, token, added_at, checked_at)
SELECT n, 'person-' || n, convert_to(repeat('x', 80), 'UTF8'), :now, :now FROM generate_series(1, :people) n;
INSERT INTO people (id, login, token, added_at, checked_at) VALUES (9999, 'person-9999', 'x', :now, :now);
INSERT INTO consents (person_id, rule, given_at) SELECT n, 'rule-' || n % 20, :now FROM generate_series(1, :people) n;
INSERT INTO sweeps (person_id, watermark, due_at) SELECT n, :now, :now FROM generate_series(1, :people) n;
INSERT INTO refusals (hour, source, reason, count)
SELECT date_trunc('hour', :now::timestamptz) - h * interval '1 hour', s, 'signature', 3
FROM generate_series(0, 719) h, unnest(ARRAY['github', 'ghes', 'rare']) s;

DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM indexes LOOP EXECUTE i.made; END LOOP; END $$;
ALTER SYSTEM RESET max_wal_size;
SELECT pg_reload_conf();
-- The visibility map is made by a vacuum, as it is in a database that lives.
VACUUM (ANALYZE);

-- A token that GitHub refuses is renewed once before its sign-in ends, and a task that has reached a limit waits.

ALTER TABLE people ADD COLUMN refused_at timestamptz;
COMMENT ON COLUMN people.refused_at IS
    'When GitHub last refused an access token that could be renewed. If the next one is refused within the hour, the sign-in ends.';

ALTER TABLE tasks DROP CONSTRAINT tasks_hold_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_hold_check CHECK (hold IN ('token', 'approval', 'turn', 'limit'));
COMMENT ON COLUMN tasks.hold IS
    'Why a held task waits: for a token, for approval, until another task with its key has ended, or until a limit has room.';

CREATE INDEX tasks_limited ON tasks (due_at) WHERE state = 'held' AND hold = 'limit';

-- Tasks wait while the App, whose sign-in they run with, is not installed where the agent is to work.

ALTER TABLE tasks DROP CONSTRAINT tasks_hold_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_hold_check CHECK (hold IN ('token', 'approval', 'turn', 'limit', 'installation'));
COMMENT ON COLUMN tasks.hold IS
    'Why a held task waits: for a token, for approval, until another task with its key has ended, until a limit has room, or until the App is installed in its repository.';

CREATE INDEX tasks_uninstalled ON tasks (due_at) WHERE state = 'held' AND hold = 'installation';

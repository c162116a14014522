-- What happens to jobs, as it happens: changes of a job's or a task's status, progress, and the lines that plugins log;
-- and the sessions of browsers.

-- Nobody refers to a row, and no row is checked against its job: a job's life writes a handful of them.
CREATE TABLE job_events (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id     INTEGER NOT NULL,
    job_id         INTEGER NOT NULL,
    -- The transaction that wrote it, before the id the order in which events are read: see PostgreSQL's file. 0 here,
    -- where transactions that write come one after another.
    transaction_id INTEGER NOT NULL DEFAULT 0,
    happened_at    INTEGER NOT NULL,
    -- job, task, log or limit
    kind           TEXT NOT NULL,
    -- Which task of the job's revision; null for the job's own.
    position       INTEGER,
    -- The status of the job or task, or the level of a line; empty for a limit.
    label          TEXT NOT NULL,
    code           TEXT,
    message        TEXT
) STRICT;
CREATE INDEX job_events_by_project ON job_events (project_id, transaction_id, id);
CREATE INDEX job_events_by_job ON job_events (job_id, transaction_id, id);

-- How many lines, and bytes of them, were logged by a task: what is over its share is not kept.
ALTER TABLE task_runs ADD COLUMN said_lines INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_runs ADD COLUMN said_bytes INTEGER NOT NULL DEFAULT 0;

-- A browser that signed in with a token, and what it is to be taken for.
CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    -- Hash of what the browser presents.
    lookup     BLOB NOT NULL,
    -- The token's secret, encrypted.
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sessions_by_lookup ON sessions (lookup);
CREATE INDEX sessions_by_project ON sessions (project_id);
-- What is over is removed from the front.
CREATE INDEX sessions_by_end ON sessions (expires_at);

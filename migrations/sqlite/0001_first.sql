-- The first schema: projects and their tokens, orchestrations, jobs, the runs of their tasks, the tick ledger and
-- deliveries. Times are UTC microseconds, flags 0 or 1, JSON is text. AUTOINCREMENT: an id is never handed out twice,
-- also not after a delete, because clients keep ids.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- One row per life of a server process. Leases hang on it: a row of task_runs or deliveries that names a host is
-- worked on by that host as long as its lease holds.
CREATE TABLE hosts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE projects (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id    INTEGER NOT NULL REFERENCES projects (id),
    description   TEXT NOT NULL,
    -- Keyed hash of the secret: finds the row of a presented token.
    lookup        BLOB NOT NULL,
    -- The secret, encrypted: sent to components.
    sealed        BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    refreshed_at  INTEGER NOT NULL,
    expires_at    INTEGER,
    is_disabled   INTEGER NOT NULL,
    is_master     INTEGER NOT NULL,
    can_manage_buckets INTEGER NOT NULL,
    can_manage_tokens  INTEGER NOT NULL,
    can_read_all_file_uploads INTEGER NOT NULL,
    can_purge_trash    INTEGER NOT NULL,
    creator_id    INTEGER,
    creator_description TEXT,
    -- The orchestration that it was made for: it goes with that one and its last job. Null for a token that was given.
    made_for      INTEGER
) STRICT;
CREATE UNIQUE INDEX tokens_by_lookup ON tokens (lookup);
CREATE INDEX tokens_by_project ON tokens (project_id);

CREATE TABLE orchestrations (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id        INTEGER NOT NULL REFERENCES projects (id),
    -- The current row of revisions; 0 only inside the transaction that creates the orchestration.
    revision_id       INTEGER NOT NULL,
    name              TEXT NOT NULL,
    crontab_record    TEXT,
    active            INTEGER NOT NULL,
    token_id          INTEGER NOT NULL,
    token_description TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    -- When the present pause began, while there is one and the orchestration has a crontab.
    paused_at         INTEGER,
    last_scheduled_at INTEGER,
    next_scheduled_at INTEGER,
    deleted_at        INTEGER,
    -- The last number that was given to a task as its id.
    task_number       INTEGER NOT NULL,
    -- X-Total-Count without counting.
    job_count         INTEGER NOT NULL,
    last_executed_job_id INTEGER
) STRICT;
CREATE INDEX orchestrations_by_project ON orchestrations (project_id, id) WHERE deleted_at IS NULL;
-- The scheduler reads from its front only: a pass costs what is due, not what exists.
CREATE INDEX orchestrations_by_due ON orchestrations (next_scheduled_at) WHERE next_scheduled_at IS NOT NULL;
CREATE INDEX orchestrations_by_token ON orchestrations (token_id) WHERE deleted_at IS NULL;

-- Tasks and notifications as they stood: written once, never changed. A job points to the one it was created with.
CREATE TABLE revisions (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id       INTEGER NOT NULL REFERENCES projects (id),
    orchestration_id INTEGER NOT NULL REFERENCES orchestrations (id),
    created_at       INTEGER NOT NULL,
    tasks            TEXT NOT NULL,
    notifications    TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id        INTEGER NOT NULL REFERENCES projects (id),
    orchestration_id  INTEGER NOT NULL REFERENCES orchestrations (id),
    revision_id       INTEGER NOT NULL REFERENCES revisions (id),
    status            TEXT NOT NULL,
    -- Waiting, and first in its orchestration's queue: what a runner may claim.
    is_ready          INTEGER NOT NULL,
    initialized_by    TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    start_at          INTEGER,
    end_at            INTEGER,
    token_id          INTEGER NOT NULL,
    token_description TEXT NOT NULL,
    initiator_id      INTEGER,
    initiator_description TEXT,
    initiator_user_agent  TEXT,
    -- JSON array of addresses given for this run; null where none were.
    notifications_emails TEXT,
    -- JSON array of flags, one per task of the revision, given for this run; null where none were.
    active_tasks      TEXT,
    parent_run_id     TEXT,
    -- When the next `waiting` or `processing` subscription comes due; null where there is none.
    alarm_at          INTEGER,
    -- The average run time of its predecessors when it started, in microseconds, for `processing` subscriptions.
    average_run       INTEGER
) STRICT;
CREATE INDEX jobs_by_orchestration ON jobs (orchestration_id, id);
-- What can be claimed, by project, oldest first: a long history or queue costs a claim nothing.
CREATE INDEX jobs_by_ready ON jobs (project_id, id) WHERE is_ready = 1;
-- The queue of an orchestration.
CREATE INDEX jobs_by_queue ON jobs (orchestration_id, id) WHERE status = 'waiting';
-- At most one running job per orchestration, whatever the code above thinks.
CREATE UNIQUE INDEX jobs_one_running ON jobs (orchestration_id) WHERE status = 'processing';
CREATE INDEX jobs_by_alarm ON jobs (alarm_at) WHERE alarm_at IS NOT NULL;
-- The samples of an average, without reading failed jobs between them.
CREATE INDEX jobs_by_good_end ON jobs (orchestration_id, id) WHERE status IN ('success', 'warning');
CREATE INDEX jobs_by_open_token ON jobs (token_id) WHERE status IN ('waiting', 'processing');

CREATE TABLE task_runs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id       INTEGER NOT NULL REFERENCES projects (id),
    job_id           INTEGER NOT NULL REFERENCES jobs (id),
    -- Which task of the job's revision.
    position         INTEGER NOT NULL,
    status           TEXT NOT NULL,
    -- When it was first taken up; until then when it was added.
    start_at         INTEGER NOT NULL,
    end_at           INTEGER,
    -- The last JSON that the component answered.
    response         TEXT,
    error_code       TEXT,
    message          TEXT,
    -- SHA-256 of the component that runs it, pinned by its first step.
    component_digest TEXT,
    step             INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    -- 1 once a request that may change the outside world was about to leave in the present step.
    is_sent          INTEGER NOT NULL,
    -- 1 once the present step has saved its state before its end.
    is_checkpointed  INTEGER NOT NULL,
    -- The state between steps, encrypted.
    state            BLOB,
    -- When the next step may run; null while one runs and after the end.
    wake_at          INTEGER,
    -- The host that runs the present step.
    host_id          INTEGER,
    -- Counts the leases: a result is accepted from the present one only.
    epoch            INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX task_runs_by_job ON task_runs (job_id, position);
CREATE INDEX task_runs_by_wake ON task_runs (project_id, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX task_runs_by_host ON task_runs (host_id) WHERE host_id IS NOT NULL;

-- The ledger: what became of every expected tick. Fired ticks are a row each, others a row per gap.
CREATE TABLE ticks (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id       INTEGER NOT NULL REFERENCES projects (id),
    orchestration_id INTEGER NOT NULL REFERENCES orchestrations (id),
    -- fired, caught-up, missed or paused
    outcome          TEXT NOT NULL,
    from_at          INTEGER NOT NULL,
    to_at            INTEGER NOT NULL,
    ticks            INTEGER NOT NULL,
    job_id           INTEGER
) STRICT;
CREATE UNIQUE INDEX ticks_by_time ON ticks (orchestration_id, from_at);

CREATE TABLE deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id       INTEGER NOT NULL REFERENCES projects (id),
    job_id           INTEGER NOT NULL REFERENCES jobs (id),
    -- What happened: a subscription's channel.
    event            TEXT NOT NULL,
    plugin           TEXT NOT NULL,
    address          TEXT NOT NULL,
    parameters       TEXT NOT NULL,
    expected_seconds INTEGER,
    actual_seconds   INTEGER,
    created_at       INTEGER NOT NULL,
    status           TEXT NOT NULL,
    attempts         INTEGER NOT NULL,
    next_attempt_at  INTEGER,
    host_id          INTEGER,
    epoch            INTEGER NOT NULL,
    end_at           INTEGER,
    receipt          TEXT
) STRICT;
CREATE UNIQUE INDEX deliveries_once ON deliveries (job_id, event, plugin, address);
CREATE INDEX deliveries_by_due ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_by_host ON deliveries (host_id) WHERE host_id IS NOT NULL;

CREATE TABLE delivery_attempts (
    delivery_id INTEGER NOT NULL REFERENCES deliveries (id),
    attempt     INTEGER NOT NULL,
    start_at    INTEGER NOT NULL,
    end_at      INTEGER NOT NULL,
    -- delivered, or the failure's kind
    outcome     TEXT NOT NULL,
    message     TEXT NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
) STRICT;

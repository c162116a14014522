-- Master keys that take turns, the log of who changed what, and how many plugins a project has.

-- A row per master key that the database was ever used with. Sealed values begin with the number of theirs.
CREATE TABLE master_keys (
    id          INTEGER PRIMARY KEY,
    -- A known text, sealed under the key: tells which key is which without holding any.
    key_check   BLOB NOT NULL,
    -- new: not every host has it yet; current: what is sealed now; old: what is left is being sealed anew;
    -- retired: nothing is sealed under it any more
    state       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    -- When it became the current one.
    promoted_at INTEGER
) STRICT;
INSERT INTO master_keys (id, key_check, state, created_at, promoted_at)
    SELECT 1, value, 'current', 0, 0 FROM settings WHERE name = 'key-check';

-- The newest master key that the host has.
ALTER TABLE hosts ADD COLUMN key_id INTEGER NOT NULL DEFAULT 1;

-- Written in the transaction of the change it tells of; never changed afterwards, removed by age only.
CREATE TABLE audit_log (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id        INTEGER NOT NULL REFERENCES projects (id),
    created_at        INTEGER NOT NULL,
    -- Who; null: the operator.
    token_id          INTEGER,
    token_description TEXT,
    -- Where the request came from.
    address           TEXT NOT NULL,
    -- What was done, such as orchestration.update, and to what: its id, or its name where that is what tells it.
    action            TEXT NOT NULL,
    subject           TEXT NOT NULL,
    -- JSON objects without secrets; null where there was or is nothing.
    before_change     TEXT,
    after_change      TEXT
) STRICT;
CREATE INDEX audit_log_by_project ON audit_log (project_id, id);
-- What is too old is removed from the front.
CREATE INDEX audit_log_by_age ON audit_log (created_at);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is not changed');
END;

-- Requests without a valid token, counted: a row per hour, and none per request.
CREATE TABLE refused_requests (
    hour_at  INTEGER PRIMARY KEY,
    requests INTEGER NOT NULL
) STRICT;

-- Counted where they come and go. What is kept of them counts as storage, like everything else.
ALTER TABLE projects ADD COLUMN plugin_count INTEGER NOT NULL DEFAULT 0;
UPDATE projects SET
    plugin_count = (SELECT COUNT(*) FROM plugins p WHERE p.project_id = projects.id),
    storage_bytes = storage_bytes + (SELECT CAST(COALESCE(SUM(v.size_bytes), 0) AS BIGINT) FROM plugin_versions v
        JOIN plugins p ON p.id = v.plugin_id WHERE p.project_id = projects.id);

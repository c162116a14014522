-- Plugins that projects upload, or the operator shares with all of them; what a project calls its components; and what
-- the steps of a task used.

-- A component's bytes, once, whoever uploaded them: hosts compile from here what they do not have compiled. Those that
-- were built with a server are here too (is_builtin), for the tasks that began under an earlier version of it.
CREATE TABLE plugin_bytes (
    -- SHA-256 in hexadecimal digits
    digest     TEXT PRIMARY KEY,
    is_builtin INTEGER NOT NULL,
    bytes      BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE plugins (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0: the operator's, shared with all projects.
    project_id INTEGER NOT NULL,
    -- The id in its manifest.
    name       TEXT NOT NULL,
    -- task or delivery
    kind       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- JSON: what it may use of what it asks for; null: nothing was granted yet.
    granted    TEXT,
    -- The version that new runs get; null while none may serve.
    serving_id INTEGER
) STRICT;
CREATE UNIQUE INDEX plugins_by_name ON plugins (project_id, name);

CREATE TABLE plugin_versions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin_id  INTEGER NOT NULL REFERENCES plugins (id),
    version    TEXT NOT NULL,
    digest     TEXT NOT NULL REFERENCES plugin_bytes (digest),
    size_bytes INTEGER NOT NULL,
    -- The manifest, as the component carries it.
    manifest   TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX plugin_versions_once ON plugin_versions (plugin_id, version);
-- Finds the plugin of a pinned run.
CREATE INDEX plugin_versions_by_digest ON plugin_versions (digest);

-- What a project's tasks mean by a component's name.
CREATE TABLE components (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name       TEXT NOT NULL,
    plugin     TEXT NOT NULL,
    -- JSON object
    config     TEXT NOT NULL,
    -- In place of the server's address of components.
    url        TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX components_by_name ON components (project_id, name);

-- All steps of a run together.
ALTER TABLE task_runs ADD COLUMN cpu_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_runs ADD COLUMN sent_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_runs ADD COLUMN received_bytes INTEGER NOT NULL DEFAULT 0;

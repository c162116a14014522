-- Projects that operators make, disable, delete and limit; what each of them uses of its quotas; and what the ledger of
-- ticks says of those that a quota kept from firing.

-- Since when nothing of it runs and its tokens are refused. Set for a deleted project too.
ALTER TABLE projects ADD COLUMN disabled_at INTEGER;
-- Its row stays for good, blank, so that its id is never given to another one.
ALTER TABLE projects ADD COLUMN deleted_at INTEGER;
-- What is left to be done about it in the background: resume (its schedules) or purge (everything of it).
ALTER TABLE projects ADD COLUMN chore TEXT;
-- The orchestration up to which the purge is through.
ALTER TABLE projects ADD COLUMN purged_to INTEGER NOT NULL DEFAULT 0;
-- Whose project it is at an external Storage API.
ALTER TABLE projects ADD COLUMN owner TEXT;
-- JSON: limits in place of the server's.
ALTER TABLE projects ADD COLUMN own_limits TEXT NOT NULL DEFAULT '{}';
-- What it uses, so that nobody has to count.
ALTER TABLE projects ADD COLUMN orchestration_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN storage_bytes INTEGER NOT NULL DEFAULT 0;
-- The UTC day, counted from 1970, of the three that follow.
ALTER TABLE projects ADD COLUMN use_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN jobs_today INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN skipped_today INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN cpu_micros_today INTEGER NOT NULL DEFAULT 0;
UPDATE projects SET
    orchestration_count = (SELECT COUNT(*) FROM orchestrations o WHERE o.project_id = projects.id AND o.deleted_at IS NULL),
    storage_bytes = (SELECT COALESCE(SUM(LENGTH(r.tasks) + LENGTH(r.notifications)), 0) FROM revisions r
                     WHERE r.project_id = projects.id)
                  + (SELECT COALESCE(SUM(LENGTH(t.response)), 0) FROM task_runs t
                     WHERE t.project_id = projects.id AND t.response IS NOT NULL);
CREATE UNIQUE INDEX projects_by_owner ON projects (owner) WHERE owner IS NOT NULL;
CREATE INDEX projects_by_chore ON projects (id) WHERE chore IS NOT NULL;

-- Deleted orchestrations too: the purge walks all of a project.
CREATE INDEX orchestrations_of_project ON orchestrations (project_id, id);
-- Those whose schedule is held because their project is disabled.
CREATE INDEX orchestrations_by_hold ON orchestrations (project_id, id) WHERE active = 1 AND paused_at IS NOT NULL;
CREATE INDEX revisions_by_orchestration ON revisions (orchestration_id, id);
-- Which jobs have a step in hand, of whatever host.
CREATE INDEX task_runs_in_hand ON task_runs (project_id, job_id) WHERE host_id IS NOT NULL;

-- Why ticks were skipped: the quota and its limit.
ALTER TABLE ticks ADD COLUMN reason TEXT;

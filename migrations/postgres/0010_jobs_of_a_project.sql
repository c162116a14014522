-- The jobs of a project by time, whatever orchestration they are of: people look for one among all of them.

CREATE INDEX jobs_by_time ON jobs (project_id, created_at, id);
-- What went wrong is what people look for most, and rare: without the successes between them.
CREATE INDEX jobs_by_failure ON jobs (project_id, created_at, id) WHERE status IN ('warning', 'error', 'cancelled', 'terminated');

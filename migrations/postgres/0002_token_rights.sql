-- What a token may do, now that clients make tokens of their own, and the keys under which clients ask for a job once.

-- JSON: an array of components, empty for all, and an object of buckets with read, write or manage.
ALTER TABLE tokens ADD COLUMN component_access TEXT NOT NULL DEFAULT '[]';
ALTER TABLE tokens ADD COLUMN bucket_permissions TEXT NOT NULL DEFAULT '{}';

-- A row lives for a day. Its key decides which of many equal requests makes the job.
CREATE TABLE idempotency_keys (
    project_id      BIGINT NOT NULL REFERENCES projects (id),
    idempotency_key TEXT NOT NULL,
    -- SHA-256 of what was asked for.
    fingerprint     BYTEA  NOT NULL,
    -- 0 only inside the transaction that creates the job.
    job_id          BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX idempotency_keys_once ON idempotency_keys (project_id, idempotency_key);
-- What is over is removed from the front.
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

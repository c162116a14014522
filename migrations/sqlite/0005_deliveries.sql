-- Notifications go out by other plugins than mail, can be listed and sent again, and projects keep credentials for them.

-- How the plugin delivers: the subscription's configuration as it was, a JSON object.
ALTER TABLE deliveries ADD COLUMN config TEXT NOT NULL DEFAULT '{}';
-- The subscription's email, empty where it has none; null in rows of before, whose address it is. The address is what
-- distinguishes the deliveries of one event.
ALTER TABLE deliveries ADD COLUMN email TEXT;
ALTER TABLE deliveries ADD COLUMN orchestration_id INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET orchestration_id = (SELECT orchestration_id FROM jobs WHERE jobs.id = deliveries.job_id);
-- The list of an orchestration's deliveries, newest first.
CREATE INDEX deliveries_by_orchestration ON deliveries (orchestration_id, id);
-- When somebody asked for it to be sent again, and how many attempts it had by then: its days and delays begin anew.
ALTER TABLE deliveries ADD COLUMN renewed_at INTEGER;
ALTER TABLE deliveries ADD COLUMN renewed_attempts INTEGER NOT NULL DEFAULT 0;
-- 1: the receiver said that it is gone for good, so nothing more is delivered to the same plugin and address.
ALTER TABLE deliveries ADD COLUMN is_gone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_by_gone ON deliveries (orchestration_id, plugin, address) WHERE is_gone = 1;

-- Secrets that the host adds to plugins' requests, or signs with.
CREATE TABLE credentials (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name       TEXT NOT NULL,
    -- bearer, basic, header or hmac
    type       TEXT NOT NULL,
    -- JSON array of the addresses whose requests get it.
    hosts      TEXT NOT NULL,
    -- The user name or the header's name, where there is one: no secret.
    detail     TEXT NOT NULL,
    -- The secret, encrypted.
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX credentials_by_name ON credentials (project_id, name);

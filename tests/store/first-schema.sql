-- Rows as the first version wrote them, in the first schema (0001): each statement as that version's store had it, with
-- values in place of its parameters. BLOB is PostgreSQL's BYTEA, {run} a number. Rows find each other by being the latest.

INSERT INTO hosts (started_at, lease_until) VALUES (1767614400000000, 1767614410000000);
INSERT INTO projects (name, created_at) VALUES ('Old project', 1767614400000000);
INSERT INTO tokens (project_id, description, lookup, sealed, created_at, refreshed_at, expires_at, is_disabled, is_master,
    can_manage_buckets, can_manage_tokens, can_read_all_file_uploads, can_purge_trash, creator_id, creator_description,
    made_for)
    VALUES ((SELECT MAX(id) FROM projects), 'Old master token', CAST('master {run}' AS BLOB), CAST('sealed' AS BLOB), 1767614400000000,
    1767614400000000, NULL, 0, 1, 1, 1, 1, 1, NULL, NULL, NULL);
INSERT INTO tokens (project_id, description, lookup, sealed, created_at, refreshed_at, expires_at, is_disabled, is_master,
    can_manage_buckets, can_manage_tokens, can_read_all_file_uploads, can_purge_trash, creator_id, creator_description,
    made_for)
    VALUES ((SELECT MAX(id) FROM projects), 'Orchestrator Old load', CAST('orchestration {run}' AS BLOB), CAST('sealed' AS BLOB),
    1767614400000000, 1767614400000000, NULL, 0, 0, 1, 0, 1, 0, (SELECT MAX(id) FROM tokens), 'Old master token', NULL);
INSERT INTO orchestrations (project_id, revision_id, name, crontab_record, active, token_id, token_description,
    created_at, paused_at, last_scheduled_at, next_scheduled_at, task_number, job_count, last_executed_job_id)
    VALUES ((SELECT MAX(id) FROM projects), 0, 'Old load', '*/5 * * * *', 1, (SELECT MAX(id) FROM tokens),
    'Orchestrator Old load', 1767614400000000, NULL, 1767614400000000, 1767614700000000, 2, 2, NULL);
INSERT INTO revisions (project_id, orchestration_id, created_at, tasks, notifications)
    VALUES ((SELECT MAX(id) FROM projects), (SELECT MAX(id) FROM orchestrations), 1767614400000000,
    '[{"id":"1","component":"old","actionParameters":{"n":1},"timeoutMinutes":null,"active":true,"continueOnFailure":false,"phase":"1"},{"id":"2","componentUrl":"https://old.example/run","actionParameters":{},"timeoutMinutes":5,"active":false,"continueOnFailure":true,"phase":null}]',
    '[{"email":"old@example.com","channel":"error","parameters":{}},{"email":"old@example.com","channel":"waiting","parameters":{"timeout":10}}]');
UPDATE orchestrations SET revision_id = (SELECT MAX(id) FROM revisions)
    WHERE id = (SELECT MAX(id) FROM orchestrations);
INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, start_at,
    end_at, token_id, token_description, initiator_id, initiator_description, initiator_user_agent,
    notifications_emails, active_tasks, parent_run_id, alarm_at)
    VALUES ((SELECT MAX(id) FROM projects), (SELECT MAX(id) FROM orchestrations), (SELECT MAX(id) FROM revisions),
    'error', 0, 'scheduler', 1767614400000000, 1767614401000000, 1767614402000000, (SELECT MAX(id) FROM tokens),
    'Orchestrator Old load', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE orchestrations SET last_executed_job_id = (SELECT MAX(id) FROM jobs)
    WHERE id = (SELECT MAX(id) FROM orchestrations);
INSERT INTO task_runs (project_id, job_id, position, status, start_at, end_at, response, error_code, message,
    component_digest, step, attempt, is_sent, is_checkpointed, state, wake_at, host_id, epoch)
    VALUES ((SELECT MAX(id) FROM projects), (SELECT MAX(id) FROM jobs), 0, 'error', 1767614401000000, 1767614402000000,
    '{"status":"error"}', 'REMOTE_ERROR', 'no such table', 'd1', 1, 1, 0, 0, NULL, NULL, NULL, 1);
INSERT INTO ticks (project_id, orchestration_id, outcome, from_at, to_at, ticks, job_id)
    VALUES ((SELECT MAX(id) FROM projects), (SELECT MAX(id) FROM orchestrations), 'fired', 1767614400000000,
    1767614400000000, 1, (SELECT MAX(id) FROM jobs));
INSERT INTO deliveries (project_id, job_id, event, plugin, address, parameters, expected_seconds, actual_seconds,
    created_at, status, attempts, next_attempt_at, host_id, epoch, end_at, receipt)
    VALUES ((SELECT MAX(id) FROM projects), (SELECT MAX(id) FROM jobs), 'error', 'email', 'old@example.com', '{}', NULL,
    NULL, 1767614402000000, 'delivered', 1, NULL, NULL, 1, 1767614403000000, '250 ok');
INSERT INTO delivery_attempts (delivery_id, attempt, start_at, end_at, outcome, message)
    VALUES ((SELECT MAX(id) FROM deliveries), 1, 1767614402000000, 1767614403000000, 'delivered', '250 ok');
INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at,
    token_id, token_description, initiator_id, initiator_description, initiator_user_agent,
    notifications_emails, active_tasks, parent_run_id, alarm_at)
    VALUES ((SELECT MAX(id) FROM projects), (SELECT MAX(id) FROM orchestrations), (SELECT MAX(id) FROM revisions),
    'waiting', 1, 'manually', 1767614500000000, (SELECT MAX(id) FROM tokens), 'Orchestrator Old load', 1,
    'Old master token', 'curl', '["run@example.com"]', '[true,false]', '77', NULL);

//! What is told of every route of the URL table, group by group. A test holds both to each other.

mod jobs;
mod operator;
mod orchestrations;
mod pages;
mod plugins;
mod project;
mod tokens;

use super::operation::Operation;
use serde_json::{Value, json};

/// The groups of operations, in the order in which they are shown.
pub(super) const TAGS: [(&str, &str); 10] = [
    (
        "Orchestrations",
        "Ordered lists of tasks, their schedules, and who is told what.",
    ),
    (
        "Jobs",
        "Executions of orchestrations: made, watched, cancelled.",
    ),
    ("Events", "What happens to jobs, as pages or live."),
    ("Components", "What tasks mean by a component's name."),
    (
        "Plugins",
        "Task types and ways of delivery that a project brings itself.",
    ),
    (
        "Credentials",
        "Secrets for other services, which plugins use without seeing them.",
    ),
    (
        "Tokens",
        "The tokens of a project, as the Storage API has them.",
    ),
    (
        "Project",
        "A project's limits, its audit log, and the crontab preview.",
    ),
    (
        "Operator",
        "Projects and their tokens, for whoever runs the server.",
    ),
    (
        "Server",
        "Health checks, this document, and the pages for people.",
    ),
];

pub(super) fn all() -> Vec<Operation> {
    [
        orchestrations::operations(),
        jobs::operations(),
        plugins::operations(),
        tokens::operations(),
        project::operations(),
        operator::operations(),
        pages::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The headers of the calls that make a job.
fn job_headers() -> [Value; 3] {
    [
        json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "A request that is repeated with the same key within 24 hours gets the job that was made first.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            "example": "5b1f8f5e-nightly-2026-11-25",
        }),
        json!({
            "name": "X-KBC-RunId", "in": "header",
            "description": "The run of which this call is part; kept as the job's `parentRunId`.",
            "schema": {"type": "string", "maxLength": 255, "pattern": "^[ -~]*$"},
        }),
        json!({
            "name": "X-User-Agent", "in": "header",
            "description": "In place of `User-Agent`, which browsers do not let their pages set; kept with the job.",
            "schema": {"type": "string"},
        }),
    ]
}

//! What a project is told of itself.

use crate::api::crontab::CrontabShape;
use crate::api::openapi::failures::FORBIDDEN;
use crate::api::openapi::operation::{Group, Operation};
use crate::api::read::page_parameters;
use crate::api::shapes::{AuditShape, QuotasShape};
use serde_json::json;

const GROUP: Group = Group("Project");

pub(super) fn operations() -> Vec<Operation> {
    vec![
        GROUP
            .call("GET /quotas", "showQuotas", "The project's limits, and what it uses of them")
            .gives::<QuotasShape>(200, "The quotas.", "quotas"),
        GROUP
            .call("GET /audit", "listAudit", "Who changed what")
            .says("For tokens that manage tokens.")
            .with(page_parameters())
            .gives::<[AuditShape<'static>]>(200, "Entries, newest first.", "audit")
            .counted()
            .fails(&[FORBIDDEN]),
        GROUP
            .call("GET /crontab", "explainCrontab", "What a crontab expression means")
            .says("In words and in times, by the scheduler's own parser. Nothing is stored.")
            .with([json!({
                "name": "expression", "in": "query", "required": true,
                "description": "Five fields, or a nickname such as `@daily`; in UTC.",
                "schema": {"type": "string", "format": "crontab"}, "example": "*/15 6-18 * * mon-fri",
            })])
            .gives::<CrontabShape<'static>>(200, "What it means.", "crontab"),
    ]
}

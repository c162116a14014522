//! Projects as operators see them, and quotas.

use crate::domain::ids::ProjectId;
use crate::domain::quota::{Quota, next_day};
use crate::domain::time::Timestamp;
use crate::store::{ProjectUse, Tenant};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A tenant: everything else belongs to exactly one.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Project")]
pub(in crate::api) struct ProjectShape<'a> {
    id: ProjectId,
    name: &'a str,
    created_time: Timestamp,
    is_disabled: bool,
    disabled_time: Option<Timestamp>,
    owner: Option<&'a str>,
    #[schemars(with = "QuotaTable")]
    quotas: BTreeMap<&'static str, QuotaShape>,
    /// Runs of schedules that were skipped for a quota.
    skipped_today: u64,
    /// Of a project that was made just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    master_token: Option<&'a str>,
}

/// One limit.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Quota")]
pub(in crate::api) struct QuotaShape {
    /// `null`: none.
    limit: Option<u64>,
    /// `null` where it is not counted.
    used: Option<u64>,
    /// When the count begins anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    resets: Option<Timestamp>,
    /// Whether the limit is the project's own; told to operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_own: Option<bool>,
}

/// What a project may have, and what it has.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Quotas")]
pub(in crate::api) struct QuotasShape {
    #[serde(flatten)]
    #[schemars(with = "QuotaTable")]
    quotas: BTreeMap<&'static str, QuotaShape>,
    skipped_today: u64,
}

/// One entry per quota, for documents: [`Quota::ALL`] is their source.
struct QuotaTable;

impl JsonSchema for QuotaTable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "QuotaTable".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<QuotaShape>();
        let names = Quota::ALL.map(Quota::as_str);
        let entries: serde_json::Map<_, _> = names
            .iter()
            .map(|name| ((*name).to_owned(), one.clone().to_value()))
            .collect();
        json_schema!({"type": "object", "properties": entries, "required": names})
    }
}

pub(in crate::api) fn print_projects(tenants: &[Tenant], now: Timestamp) -> Response {
    let shapes = tenants.iter().map(|tenant| shape(tenant, None, now));
    Json(shapes.collect::<Vec<_>>()).into_response()
}

pub(in crate::api) fn print_project(tenant: &Tenant, now: Timestamp) -> Response {
    Json(shape(tenant, None, now)).into_response()
}

pub(in crate::api) fn print_new_project(
    tenant: &Tenant,
    master_token: &str,
    now: Timestamp,
) -> Response {
    Json(shape(tenant, Some(master_token), now)).into_response()
}

pub(in crate::api) fn print_quotas(usage: &ProjectUse, now: Timestamp) -> Response {
    let quotas = Quota::ALL.map(|quota| (quota.as_str(), quota_shape(usage, quota, None, now)));
    Json(QuotasShape {
        quotas: quotas.into(),
        skipped_today: usage.skipped_today,
    })
    .into_response()
}

fn shape<'a>(
    tenant: &'a Tenant,
    master_token: Option<&'a str>,
    now: Timestamp,
) -> ProjectShape<'a> {
    let quotas = Quota::ALL.map(|quota| {
        let is_own = tenant.own_limits.contains_key(&quota);
        let mut printed = quota_shape(&tenant.usage, quota, Some(is_own), now);
        if quota == Quota::ConcurrentJobs {
            // Not counted for a list of all projects.
            printed.used = None;
        }
        (quota.as_str(), printed)
    });
    ProjectShape {
        id: tenant.id,
        name: &tenant.name,
        created_time: tenant.created_at,
        is_disabled: tenant.disabled_at.is_some(),
        disabled_time: tenant.disabled_at,
        owner: tenant.owner.as_deref(),
        quotas: quotas.into(),
        skipped_today: tenant.usage.skipped_today,
        master_token,
    }
}

fn quota_shape(
    usage: &ProjectUse,
    quota: Quota,
    is_own: Option<bool>,
    now: Timestamp,
) -> QuotaShape {
    let limit = usage.limits.of(quota);
    let is_counted = quota != Quota::JobsPerDay || limit.is_some();
    QuotaShape {
        limit,
        used: is_counted.then(|| usage.used.of(quota)),
        resets: quota.is_rate().then(|| next_day(now)),
        is_own,
    }
}

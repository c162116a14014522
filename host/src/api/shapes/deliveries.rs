//! How a delivery looks: where it goes as its notification has it, and where it stands.

use crate::api::ApiError;
use crate::domain::ids::{DeliveryId, JobId};
use crate::domain::notification::{Channel, DEFAULT_PLUGIN};
use crate::domain::time::Timestamp;
use crate::store::{Attempt, Delivery, StoreError};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

/// A notification on its way to one receiver.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Delivery")]
pub(in crate::api) struct DeliveryShape<'a> {
    id: DeliveryId,
    job_id: JobId,
    channel: Channel,
    plugin: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    config: Option<&'a RawValue>,
    #[schemars(extend("enum" = ["pending", "delivered", "failed", "disabled"]))]
    status: &'static str,
    attempts: u32,
    created_time: Timestamp,
    next_attempt_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    receipt: Option<&'a str>,
    last_attempt: Option<AttemptShape<'a>>,
}

/// What became of one attempt.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeliveryAttempt")]
pub(in crate::api) struct AttemptShape<'a> {
    end_time: Timestamp,
    outcome: &'a str,
    message: &'a str,
}

pub(in crate::api) fn print_delivery(delivery: &Delivery) -> Result<Response, ApiError> {
    Ok(Json(shape(delivery)?).into_response())
}

pub(in crate::api) fn print_deliveries(deliveries: &[Delivery]) -> Result<Response, ApiError> {
    let shapes = deliveries.iter().map(shape);
    Ok(Json(shapes.collect::<Result<Vec<_>, _>>()?).into_response())
}

fn shape(delivery: &Delivery) -> Result<DeliveryShape<'_>, ApiError> {
    let target = &delivery.target;
    let config: &RawValue = serde_json::from_str(&target.config).map_err(|error| {
        let reason = format!("config: {error}");
        StoreError::Damaged {
            table: "deliveries",
            reason,
        }
    })?;
    Ok(DeliveryShape {
        id: delivery.id,
        job_id: delivery.job_id,
        channel: delivery.channel,
        plugin: &target.plugin,
        email: &target.email,
        config: (target.plugin != DEFAULT_PLUGIN).then_some(config),
        status: delivery.status.as_str(),
        attempts: delivery.attempts,
        created_time: delivery.created_at,
        next_attempt_time: delivery.next_attempt_at,
        end_time: delivery.end_at,
        receipt: delivery.receipt.as_deref(),
        last_attempt: delivery.last_attempt.as_ref().map(attempt),
    })
}

fn attempt(attempt: &Attempt) -> AttemptShape<'_> {
    AttemptShape {
        end_time: attempt.end_at,
        outcome: &attempt.outcome,
        message: &attempt.message,
    }
}

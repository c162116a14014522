//! `/orchestrations/{id}/deliveries`: what became of its notifications, and the wish to send one again.

use super::auth::Caller;
use super::paths::{IdPair, IdText};
use super::read::PageQuery;
use super::shapes::{print_deliveries, print_delivery};
use super::{ApiError, ApiState, TOTAL_COUNT};
use crate::domain::ids::{DeliveryId, OrchestrationId};
use crate::store::Redelivered;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

pub(super) async fn list_deliveries(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
    page: PageQuery,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let found = state
        .store
        .page_deliveries(caller.project, id, page.limit, page.offset)
        .await?;
    let found = found.ok_or(ApiError::NotFound)?;
    let total = [(TOTAL_COUNT, HeaderValue::from(found.total))];
    Ok((total, print_deliveries(&found.deliveries)?).into_response())
}

pub(super) async fn redeliver(
    State(state): State<ApiState>,
    caller: Caller,
    ids: IdPair,
) -> Result<Response, ApiError> {
    let (orchestration, delivery) = ids.read(OrchestrationId::from_text, DeliveryId::from_text)?;
    let now = state.clock.now();
    match caller
        .store(&state)
        .redeliver(caller.project, orchestration, delivery, now)
        .await?
    {
        Redelivered::Due(delivery) => {
            state.deliverer.poke();
            Ok((StatusCode::ACCEPTED, print_delivery(&delivery)?).into_response())
        }
        Redelivered::Pending => Err(ApiError::DeliveryPending),
        Redelivered::NotFound => Err(ApiError::NotFound),
    }
}

//! `/audit`: who changed what in a project, for those that manage its tokens; and the upkeep of the log.

use super::TOTAL_COUNT;
use super::auth::Caller;
use super::read::PageQuery;
use super::shapes::print_audit;
use super::{ApiError, ApiState, Limiter};
use crate::store::Store;
use crate::wake::Pause;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use std::time::Duration;

const BETWEEN_PASSES: Duration = Duration::from_secs(60);

pub(super) async fn list_audit(
    State(state): State<ApiState>,
    caller: Caller,
    page: PageQuery,
) -> Result<Response, ApiError> {
    caller.check_manages("manage tokens")?;
    let found = state
        .store
        .list_audit(caller.project, page.limit, page.offset)
        .await?;
    let total = [(TOTAL_COUNT, HeaderValue::from(found.total))];
    Ok((total, print_audit(&found.entries)).into_response())
}

/// Writes down how many requests were refused for want of a valid token, and forgets entries that are too old.
#[derive(Debug)]
pub struct AuditKeeper {
    pub store: Store,
    pub limiter: Limiter,
    pub retention: Duration,
    pub pause: Pause,
}

impl AuditKeeper {
    /// Until stopped.
    pub async fn run(self) {
        loop {
            let goes_on = self.pause.wait(None, BETWEEN_PASSES).await;
            self.pass().await;
            if !goes_on {
                return;
            }
        }
    }

    async fn pass(&self) {
        let now = self.pause.clock.now();
        let refused = self.limiter.take_refused();
        if refused > 0 {
            tracing::info!(refused, "requests without a valid token");
            if let Err(error) = self.store.count_refused(refused, now).await {
                tracing::warn!(%error, refused, "refused requests could not be counted");
            }
        }
        if let Err(error) = self.store.forget_audit(now.minus(self.retention)).await {
            tracing::warn!(%error, "old entries of the audit log could not be removed");
        }
    }
}

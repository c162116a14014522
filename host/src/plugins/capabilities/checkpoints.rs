//! `orchestrator:host/checkpoints`: durable progress inside a step, for tasks.

use crate::domain::step::{Checkpoint, MOST_STATE_BYTES};
use crate::plugins::contract::v0_1::checkpoints::{self, Host, SaveError};
use crate::plugins::services::{self, StepError};
use crate::plugins::state::{CallState, Caller};
use std::sync::Arc;

impl Host for CallState {
    async fn save(
        &mut self,
        state: checkpoints::Checkpoint,
    ) -> wasmtime::Result<Result<(), SaveError>> {
        if state.data.len() > MOST_STATE_BYTES {
            let limit = u32::try_from(MOST_STATE_BYTES).unwrap_or(u32::MAX);
            return Ok(Err(SaveError::TooLarge(limit)));
        }
        let Caller::Task { services, home } = &self.caller else {
            return Ok(Err(SaveError::Unavailable(
                "deliveries have no state".to_owned(),
            )));
        };
        let services = Arc::clone(services);
        let state = Checkpoint {
            format: state.format,
            data: state.data,
        };
        let saved = home
            .spawn(async move { services.save_checkpoint(state).await })
            .await;
        Ok(match saved {
            Ok(Ok(())) => Ok(()),
            Ok(Err(services::SaveError::LeaseLost)) => {
                let reason = services::SaveError::LeaseLost.to_string();
                self.signals.stop(StepError::Abandoned(reason));
                Err(SaveError::LeaseLost)
            }
            Ok(Err(services::SaveError::Unavailable(reason))) => {
                Err(SaveError::Unavailable(reason))
            }
            Err(_) => Err(SaveError::Unavailable("the server is stopping".to_owned())),
        })
    }
}

//! Plays a delivery through: attempts on a clock that jumps, until it is delivered or given up; and crashes where it is told to.
//!
//! What the notifier and the store do in a server is done here in the same order: an attempt counts once it is recorded, and a
//! crash before that makes another one, under the same delivery id.

use super::credentials;
use super::event::DeliveryScenario;
use super::script::{Exchange, Repeats, Script};
use crate::cli::plugin::compiled::CacheArgs;
use crate::clock::Clock;
use crate::domain::credential::NAMING_KEY;
use crate::domain::delivery::{LONGEST_TRIED, delay_after};
use crate::domain::plugin::Usage;
use crate::domain::step::{Failure, FailureKind};
use crate::domain::time::Timestamp;
use crate::plugins::{MailThread, Plugin, Plugins, StepError};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Where the host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Never,
    /// After each attempt, once it is recorded.
    BetweenAttempts,
    /// In this attempt, before it is recorded.
    InAttempt(u32),
}

/// What was played.
pub(super) struct PlayedDelivery {
    pub(super) attempts: Vec<PlayedAttempt>,
    pub(super) end: DeliveryEnd,
    pub(super) waited: Duration,
    pub(super) faults: Vec<String>,
    pub(super) unused: Vec<String>,
}

pub(super) struct PlayedAttempt {
    pub(super) number: u32,
    /// It was taken by the crash.
    pub(super) is_lost: bool,
    pub(super) usage: Usage,
    pub(super) memory_bytes: u64,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) lines: Vec<String>,
    /// What went wrong, and the delay before the next attempt.
    pub(super) retry: Option<(Failure, Duration)>,
}

/// How the delivery ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DeliveryEnd {
    Delivered { receipt: Option<String> },
    Failed(Failure),
}

/// A scenario's delivery on plugins that can be thrown away and opened again.
pub(super) struct DeliveryStage<'a> {
    pub(super) component: &'a [u8],
    pub(super) cache: &'a CacheArgs,
    pub(super) scenario: &'a DeliveryScenario,
    pub(super) start: Timestamp,
    pub(super) runtime: &'a Runtime,
}

impl DeliveryStage<'_> {
    pub(super) fn play(&self, death: Death) -> anyhow::Result<PlayedDelivery> {
        let script = Arc::new(Script::new(&self.scenario.answers, Repeats::Any));
        let begin = DeliveryScenario::begins(self.start);
        let clock = Clock::manual(begin);
        let (mut plugins, mut plugin) = self.open(&clock, &script)?;
        let mut attempts = Vec::new();
        let mut number = 0_u32;
        let end = loop {
            number = number.saturating_add(1);
            let result = self.attempt(&plugins, &plugin, number);
            let noted = script.take_delivery();
            let mut attempt = PlayedAttempt {
                number,
                is_lost: false,
                usage: noted.usage,
                memory_bytes: noted.memory_bytes,
                exchanges: script.take_exchanges(),
                lines: noted.lines,
                retry: None,
            };
            if death == Death::InAttempt(number) {
                attempt.is_lost = true;
                script.crash(attempt.exchanges.clone());
                attempts.push(attempt);
                (plugins, plugin) = self.open(&clock, &script)?;
                continue;
            }
            script.record();
            let failure = match result {
                Ok(receipt) => {
                    attempts.push(attempt);
                    break DeliveryEnd::Delivered { receipt };
                }
                Err(StepError::Failed(failure)) => failure,
                Err(StepError::Abandoned(why)) => {
                    Failure::new(FailureKind::Transient, "ABANDONED", why)
                }
            };
            let delay = delay_after(&failure, number)
                .filter(|delay| clock.now().plus(*delay).since(begin) < LONGEST_TRIED)
                // What the scenario does not foresee gets no better.
                .filter(|_| !script.has_faults());
            let Some(delay) = delay else {
                attempts.push(attempt);
                break DeliveryEnd::Failed(failure);
            };
            clock.advance(delay);
            attempt.retry = Some((failure, delay));
            attempts.push(attempt);
            if death == Death::BetweenAttempts {
                (plugins, plugin) = self.open(&clock, &script)?;
            }
        };
        Ok(PlayedDelivery {
            attempts,
            end,
            waited: clock.now().since(begin),
            faults: script.take_faults(),
            unused: script.unused(),
        })
    }

    fn attempt(
        &self,
        plugins: &Plugins,
        plugin: &Plugin,
        number: u32,
    ) -> Result<Option<String>, StepError> {
        let named = self.scenario.event.config.get(NAMING_KEY);
        let named = named.and_then(Value::as_str);
        let credentials = credentials::open(&self.scenario.credentials, plugin, named)?;
        let event = self.scenario.event(self.start, number);
        let thread = MailThread {
            message_id: event.message_id.clone(),
            thread_id: event.incident.clone(),
            unsubscribe: None,
        };
        let attempting = plugins.deliver(plugin, event, thread, credentials);
        self.runtime.block_on(attempting)
    }

    fn open(&self, clock: &Clock, script: &Arc<Script>) -> anyhow::Result<(Plugins, Plugin)> {
        let plugins = self.cache.rehearse(clock.clone(), script.clone())?;
        let plugin = plugins.add_component(self.component)?;
        Ok((plugins, plugin))
    }
}

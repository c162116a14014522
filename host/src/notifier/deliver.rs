//! Due deliveries, each through its plugin: row → plugin → recorded attempt.
//!
//! At least once: a host that dies between the other side's yes and its record delivers again, with the same message id.
//! What could get better is tried again later and later for days; what was refused for good is not.

use crate::domain::credential::{Credential, NAMING_KEY, missing_credential};
use crate::domain::delivery::{LONGEST_TRIED, delay_after};
use crate::domain::event::{Event, EventJob, FailedTask, MOST_FAILED_TASKS};
use crate::domain::job::{Job, Status};
use crate::domain::notification::Channel;
use crate::domain::step::{Failure, FailureKind};
use crate::domain::time::Timestamp;
use crate::domain::trace::JobTrace;
use crate::lease::{HostLease, InHand};
use crate::metrics::{Attempted, Metrics};
use crate::plugins::{MailThread, Plugin, Plugins, StepError};
use crate::registry::{Registry, Unresolved};
use crate::store::{AttemptEnd, DeliveryLease, LeasedDelivery, Store, StoreError};
use crate::tokens::Tokens;
use crate::traces::{Span, SpanKind, Tracer};
use crate::wake::Pause;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument;

/// Attempts at a time.
const AT_ONCE: usize = 16;
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// The answer to a lease may get lost with a connection: what it took is given back after this time at the latest.
const STRAY_SEARCH: Duration = Duration::from_secs(30);
/// How long attempts under way may take once the host stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Longest reason of one failed task in an event, in characters.
const MOST_REASON_CHARACTERS: usize = 500;

#[derive(Clone)]
pub struct Deliverer {
    pub store: Store,
    pub tokens: Tokens,
    pub plugins: Plugins,
    pub registry: Registry,
    pub lease: HostLease,
    pub pause: Pause,
    /// Base of the addresses in messages; no trailing slash.
    pub base_url: String,
    /// Part of message ids.
    pub installation: String,
    pub metrics: Metrics,
    pub tracer: Tracer,
}

impl std::fmt::Debug for Deliverer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliverer")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl Deliverer {
    /// Runs until stopped, then waits for attempts under way.
    pub async fn run(self) {
        let mut attempts = JoinSet::new();
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let in_hand = InHand::default();
        let mut strays_at = None;
        loop {
            let passed = match self.give_back_strays(&in_hand, &mut strays_at).await {
                Ok(()) => self.pass(&mut attempts, &slots, &in_hand).await,
                Err(error) => Err(error),
            };
            let (next, longest) = match passed {
                Ok(next) => (next, LONGEST_WAIT),
                Err(error) => {
                    tracing::warn!(%error, "deliveries could not be looked at");
                    strays_at = None;
                    (None, PAUSE_AFTER_ERROR)
                }
            };
            tokio::select! {
                goes_on = self.pause.wait(next, longest) => if !goes_on { break },
                Some(_) = attempts.join_next() => {}
            }
        }
        let drained = async { while attempts.join_next().await.is_some() {} };
        tokio::select! {
            () = drained => {}
            () = self.pause.clock.sleep(DRAIN) => {}
        }
    }

    async fn pass(
        &self,
        attempts: &mut JoinSet<()>,
        slots: &Arc<Semaphore>,
        in_hand: &InHand<DeliveryLease>,
    ) -> Result<Option<Timestamp>, StoreError> {
        loop {
            while attempts.try_join_next().is_some() {}
            let free = u32::try_from(slots.available_permits()).unwrap_or(0);
            if free == 0 || self.pause.stop.is_stopped() {
                return Ok(None);
            }
            let now = self.pause.clock.now();
            let leased = self
                .store
                .lease_deliveries(self.lease.host(), free, now)
                .await?;
            if leased.is_empty() {
                let next = self.store.next_delivery_time().await?;
                // What is due and was not leased is in another transaction's hands.
                return Ok(next.filter(|next| *next > now));
            }
            for delivery in leased {
                let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
                    break;
                };
                let deliverer = self.clone();
                let hold = in_hand.hold(delivery.lease);
                let span = tracing::info_span!(
                    "delivery",
                    project = delivery.project_id.0,
                    job = delivery.job.id.0,
                    host = delivery.lease.host.0,
                );
                let attempt = async move {
                    deliverer.attempt(delivery).await;
                    drop((hold, slot));
                };
                attempts.spawn(attempt.instrument(span));
            }
        }
    }

    /// Deliveries that this host holds by their rows only: the answer to their lease got lost, or could not be completed.
    async fn give_back_strays(
        &self,
        in_hand: &InHand<DeliveryLease>,
        at: &mut Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let now = self.pause.clock.now();
        if at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let (host, in_hand) = (self.lease.host(), in_hand.all());
        let strays = self
            .store
            .give_back_stray_deliveries(host, in_hand, now)
            .await?;
        if strays > 0 {
            tracing::warn!(
                deliveries = strays,
                "leased without knowing it, and given back"
            );
        }
        *at = Some(now.plus(STRAY_SEARCH));
        Ok(())
    }

    async fn attempt(&self, delivery: LeasedDelivery) {
        let start_at = self.pause.clock.now();
        let result = self.deliver(&delivery).await;
        let end_at = self.pause.clock.now();
        let end = attempt_end(&delivery, result, end_at);
        report(&delivery, &end);
        self.count(&delivery, &end, end_at.since(start_at));
        self.tell_span(&delivery, &end, (start_at, end_at));
        // The other side may have it: its record is offered until it is taken.
        loop {
            let now = self.pause.clock.now();
            let recorded = self
                .store
                .end_delivery(delivery.lease, delivery.attempt, start_at, end.clone(), now)
                .await;
            match recorded {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(delivery = %delivery.lease.delivery, %error, "an attempt could not be recorded yet");
                    self.pause.clock.sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    fn count(&self, delivery: &LeasedDelivery, end: &AttemptEnd, took: Duration) {
        let builtin = self.plugins.builtin(&delivery.target.plugin);
        let end = match end {
            AttemptEnd::Delivered { .. } => Attempted::Delivered,
            AttemptEnd::Retry { .. } => Attempted::Retried,
            AttemptEnd::Failed { .. } => Attempted::GivenUp,
        };
        let builtin = builtin.as_ref().map(Plugin::id);
        self.metrics.delivery_attempted(builtin, end, took);
    }

    fn tell_span(
        &self,
        delivery: &LeasedDelivery,
        end: &AttemptEnd,
        (from, to): (Timestamp, Timestamp),
    ) {
        let job = &delivery.job;
        let trace = JobTrace::of(&self.installation, job.id, job.trace);
        let context = trace.delivery(delivery.lease.delivery.0, delivery.attempt);
        let span = || Span {
            name: format!("delivery {}", delivery.channel.as_str()),
            kind: SpanKind::Internal,
            context,
            parent: Some(trace.job().span),
            from,
            to,
            attributes: vec![
                ("orchestrator.delivery", delivery.lease.delivery.0.into()),
                ("orchestrator.attempt", i64::from(delivery.attempt).into()),
            ],
            failure: match end {
                AttemptEnd::Delivered { .. } => None,
                AttemptEnd::Retry { message, .. } | AttemptEnd::Failed { message, .. } => {
                    Some(message.clone())
                }
            },
        };
        self.tracer.tell(span, context);
    }

    async fn deliver(&self, delivery: &LeasedDelivery) -> Result<Option<String>, StepError> {
        let name = &delivery.target.plugin;
        let found = self.registry.delivery(delivery.project_id, name).await;
        let plugin = match found {
            Ok(Some(plugin)) => plugin,
            Ok(None) => {
                let message = format!("there is no delivery plugin {name:?}");
                return Err(Failure::new(FailureKind::Config, "NO_PLUGIN", message).into());
            }
            Err(Unresolved::Failed(failure)) => return Err(failure.into()),
            Err(Unresolved::Unavailable(why)) => return Err(StepError::Abandoned(why)),
        };
        let credentials = self.credentials(delivery, &plugin).await?;
        let event = self.event(delivery);
        let thread = self.thread(delivery, &event);
        self.plugins
            .deliver(&plugin, event, thread, credentials)
            .await
    }

    /// Those that the plugin may use for this subscription.
    async fn credentials(
        &self,
        delivery: &LeasedDelivery,
        plugin: &Plugin,
    ) -> Result<Vec<Credential>, StepError> {
        let config: Value = serde_json::from_str(&delivery.target.config).unwrap_or_default();
        let named = config.get(NAMING_KEY).and_then(Value::as_str);
        let wanted = plugin.credentials_wanted(named);
        let opened = self
            .tokens
            .open_credentials(delivery.project_id, &wanted)
            .await;
        let opened = opened.map_err(|error| StepError::Abandoned(error.to_string()))?;
        match missing_credential(&wanted, named, &opened) {
            Some(failure) => Err(failure.into()),
            None => Ok(opened),
        }
    }

    /// The message id is the same for every attempt; messages about the same trouble share the thread.
    fn thread(&self, delivery: &LeasedDelivery, event: &Event) -> MailThread {
        MailThread {
            message_id: format!("delivery-{}.{}", delivery.lease.delivery, self.installation),
            thread_id: event.incident.clone(),
            unsubscribe: None,
        }
    }

    fn incident(&self, delivery: &LeasedDelivery) -> String {
        // The recovery belongs to the errors that it ends.
        let trouble = match delivery.channel {
            Channel::Recovery => Channel::Error.as_str(),
            channel => channel.as_str(),
        };
        let (orchestration, first) = (delivery.job.orchestration_id, delivery.incident);
        format!("{trouble}-{orchestration}-{first}.{}", self.installation)
    }

    fn event(&self, delivery: &LeasedDelivery) -> Event {
        let job = &delivery.job;
        Event {
            project_id: delivery.project_id,
            delivery_id: delivery.lease.delivery,
            message_id: format!("delivery_{}_{}", delivery.lease.delivery, self.installation),
            attempt: delivery.attempt,
            channel: delivery.channel,
            incident: self.incident(delivery),
            time: delivery.created_at,
            address: delivery.target.email.clone(),
            config: delivery.target.config.clone(),
            parameters: delivery.parameters.clone(),
            orchestration_id: job.orchestration_id,
            orchestration_name: delivery.orchestration_name.clone(),
            orchestration_url: format!("{}/orchestrations/{}", self.base_url, job.orchestration_id),
            job: EventJob {
                id: job.id,
                status: job.status,
                initialized_by: job.initialized_by,
                created_at: job.created_at,
                start_at: job.start_at,
                end_at: job.end_at,
                url: format!("{}/jobs/{}", self.base_url, job.id),
            },
            failed_tasks: failed_tasks(job),
            expected: delivery.expected,
            actual: delivery.actual,
        }
    }
}

fn failed_tasks(job: &Job) -> Vec<FailedTask> {
    let ended = job.task_runs.iter().filter(|run| run.end_at.is_some());
    ended
        .filter(|run| run.status != Status::Success)
        .filter_map(|run| {
            let task = job.revision.tasks.get(run.position)?;
            let reason = run.message.as_deref().unwrap_or("it gave no reason");
            Some(FailedTask {
                task_id: task.id.clone(),
                component: task.target().to_owned(),
                status: run.status,
                message: reason.chars().take(MOST_REASON_CHARACTERS).collect(),
            })
        })
        .take(MOST_FAILED_TASKS)
        .collect()
}

fn attempt_end(
    delivery: &LeasedDelivery,
    result: Result<Option<String>, StepError>,
    now: Timestamp,
) -> AttemptEnd {
    let failure = match result {
        Ok(receipt) => return AttemptEnd::Delivered { receipt },
        Err(StepError::Failed(failure)) => failure,
        Err(StepError::Abandoned(why)) => Failure::new(FailureKind::Transient, "ABANDONED", why),
    };
    let kind = failure.kind.as_str();
    let message = failure.to_string();
    let next_at = delay_after(&failure, delivery.attempt_since).map(|delay| now.plus(delay));
    match next_at.filter(|next| next.since(delivery.tried_since) < LONGEST_TRIED) {
        Some(next_at) => AttemptEnd::Retry {
            kind,
            message,
            next_at,
        },
        None => AttemptEnd::Failed {
            kind,
            message,
            is_gone: failure.kind == FailureKind::NotFound,
        },
    }
}

fn report(delivery: &LeasedDelivery, end: &AttemptEnd) {
    let (id, job) = (delivery.lease.delivery, delivery.job.id);
    match end {
        AttemptEnd::Delivered { .. } => {
            tracing::info!(delivery = %id, %job, event = delivery.channel.as_str(), "notification delivered");
        }
        AttemptEnd::Retry {
            message, next_at, ..
        } => {
            tracing::warn!(delivery = %id, %job, message, next_at = next_at.to_iso(), "notification not delivered yet");
        }
        AttemptEnd::Failed { message, .. } => {
            tracing::error!(delivery = %id, %job, message, "notification given up");
        }
    }
}

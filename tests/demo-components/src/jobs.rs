//! Jobs that pretend to run: nothing works in the background, a job's state follows from the time
//! since its start, or from how often it was asked for.
//!
//! Each start makes a new job unless the caller asked for idempotence, so that a test sees a doubled
//! start as a second job. Jobs live as long as the process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

/// The status with which a job ends.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    #[default]
    Success,
    Warning,
    Error,
    Cancelled,
    Terminated,
}

impl Ending {
    fn status(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// That many answers say `processing`, the next one is final.
    Polled(u32),
}

/// What a poll of the job's address meets before it comes to the job's state.
#[derive(Clone, Debug)]
pub(crate) enum Obstacle {
    None,
    /// That many polls are answered with this code.
    Fails {
        times_left: u32,
        code: StatusCode,
    },
    /// Every poll is redirected: there, or to the job's true address.
    Redirects {
        to: Option<String>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub component: &'static str,
    pub ending: Ending,
    pub until: Until,
    pub obstacle: Obstacle,
    /// Whether the answers carry `isFinished`.
    pub tells_finished: bool,
    /// A second start of the same component with the same key is the same job.
    pub same_job_key: Option<String>,
}

/// A job as `GET /_jobs` lists it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    pub id: String,
    pub component: &'static str,
    pub status: &'static str,
    pub is_finished: bool,
    /// How often the job's state was answered; failed and redirected polls do not count.
    pub polls: u32,
}

pub(crate) enum Polled {
    State(Value),
    Fails(StatusCode),
    Redirects(String),
}

struct Job {
    plan: Plan,
    started: Instant,
    polls: u32,
    ended_by_hand: bool,
}

impl Job {
    fn is_finished(&self) -> bool {
        self.ended_by_hand
            || match self.plan.until {
                Until::Elapsed(time) => self.started.elapsed() >= time,
                Until::Polled(times) => self.polls > times,
            }
    }

    fn status(&self) -> &'static str {
        match (self.is_finished(), self.polls) {
            (true, _) => self.plan.ending.status(),
            (false, 0) => "waiting",
            (false, _) => "processing",
        }
    }

    fn shown(&self, id: &str, url: &str) -> Value {
        let status = self.status();
        let mut shown = json!({ "id": id, "url": url, "status": status });
        let Some(fields) = shown.as_object_mut() else {
            return shown;
        };
        if self.plan.tells_finished {
            fields.insert("isFinished".into(), self.is_finished().into());
        }
        let result = match self.is_finished() {
            true => json!({ "message": format!("the demo job ended with {status}") }),
            false => json!({}),
        };
        fields.insert("result".into(), result);
        shown
    }
}

#[derive(Default)]
pub(crate) struct Jobs(Mutex<Vec<Job>>);

impl Jobs {
    /// Answers the job's id and whether this call made the job.
    pub(crate) fn start(&self, plan: Plan) -> (String, bool) {
        let mut jobs = self.lock();
        let known = plan.same_job_key.as_ref().and_then(|key| {
            jobs.iter().position(|job| {
                job.plan.component == plan.component && job.plan.same_job_key.as_ref() == Some(key)
            })
        });
        if let Some(place) = known {
            return ((place + 1).to_string(), false);
        }
        jobs.push(Job {
            plan,
            started: Instant::now(),
            polls: 0,
            ended_by_hand: false,
        });
        (jobs.len().to_string(), true)
    }

    /// What the job's public address answers.
    pub(crate) fn poll(&self, id: &str, origin: &str) -> Option<Polled> {
        let mut jobs = self.lock();
        let job = find(&mut jobs, id)?;
        match &mut job.plan.obstacle {
            Obstacle::Fails { times_left, code } if *times_left > 0 => {
                *times_left -= 1;
                return Some(Polled::Fails(*code));
            }
            Obstacle::Redirects { to } => {
                let target = to
                    .clone()
                    .unwrap_or_else(|| format!("{}/state", address(origin, id)));
                return Some(Polled::Redirects(target));
            }
            Obstacle::None | Obstacle::Fails { .. } => {}
        }
        job.polls = job.polls.saturating_add(1);
        Some(Polled::State(job.shown(id, &address(origin, id))))
    }

    /// The job's state without its obstacle: where a redirected poll arrives.
    pub(crate) fn state(&self, id: &str, origin: &str) -> Option<Value> {
        let mut jobs = self.lock();
        let job = find(&mut jobs, id)?;
        job.polls = job.polls.saturating_add(1);
        Some(job.shown(id, &address(origin, id)))
    }

    pub(crate) fn end_all(&self) {
        for job in self.lock().iter_mut() {
            job.ended_by_hand = true;
        }
    }

    pub(crate) fn all(&self) -> Vec<JobSummary> {
        let summary = |(place, job): (usize, &Job)| JobSummary {
            id: (place + 1).to_string(),
            component: job.plan.component,
            status: job.status(),
            is_finished: job.is_finished(),
            polls: job.polls,
        };
        self.lock().iter().enumerate().map(summary).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn address(origin: &str, id: &str) -> String {
    format!("{origin}/jobs/{id}")
}

/// Ids count from 1, a job's place in the list from 0.
fn find<'a>(jobs: &'a mut [Job], id: &str) -> Option<&'a mut Job> {
    jobs.get_mut(id.parse::<usize>().ok()?.checked_sub(1)?)
}

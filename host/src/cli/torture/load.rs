//! The load: clients that make orchestrations, edit, pause, run and delete them, and remember what they were told.
//!
//! Each orchestration belongs to one client, so that the last acknowledged write is known. A job is asked for under an
//! `Idempotency-Key` until it is acknowledged, often at two hosts at once and sometimes once more much later. Other
//! writes are sent once: what was not answered may have happened.

use super::api::{Api, Call, Reply, id_of};
use super::dice::Dice;
use super::evidence::{Known, Told, ToldOrchestration};
use crate::clock::Clock;
use crate::domain::ids::{JobId, OrchestrationId};
use crate::wake::Stop;
use http::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Orchestrations that a client has at a time.
const MOST_OWN: usize = 8;
/// Jobs that a client remembers, to ask for them again.
const REMEMBERED: usize = 50;

/// What all clients write down.
#[derive(Clone, Debug, Default)]
pub(super) struct Notebook(Arc<Mutex<Told>>);

impl Notebook {
    pub(super) fn open(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    number: usize,
    api: Api,
    dice: Dice,
    clock: Clock,
    notebook: Notebook,
    own: Vec<Own>,
    asked: Vec<(String, String)>,
    counter: usize,
}

/// An orchestration of its own.
#[derive(Clone, Debug)]
struct Own {
    id: OrchestrationId,
    first_name: String,
    version: usize,
}

impl Client {
    pub(super) fn new(
        number: usize,
        api: Api,
        dice: Dice,
        clock: Clock,
        notebook: Notebook,
    ) -> Self {
        Self {
            number,
            api,
            dice,
            clock,
            notebook,
            own: Vec::new(),
            asked: Vec::new(),
            counter: 0,
        }
    }

    /// Acts until told to stop; what it has begun to ask for, it asks for to the end.
    pub(super) async fn run(mut self, stop: &Stop) {
        while !stop.is_stopped() {
            self.act().await;
            let pause = self.dice.between(50, 500);
            tokio::select! {
                () = stop.stopped() => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn act(&mut self) {
        if self.own.len() < MOST_OWN && self.dice.percent(60) {
            return self.create().await;
        }
        let Some(own) = self.dice.pick(&self.own).cloned() else {
            return;
        };
        match self.dice.number(100) {
            0..50 => self.ask_for_a_job(&own).await,
            50..60 => self.ask_again().await,
            60..75 => self.edit(own).await,
            75..88 => self.pause(&own).await,
            88..92 => self.delete(&own).await,
            _ => self.look(&own).await,
        }
    }

    /// A name that no other thing of this run has.
    fn new_name(&mut self) -> String {
        self.counter += 1;
        format!("torture-{}-{}", self.number, self.counter)
    }

    async fn send(&mut self, method: Method, path: &str, call: &Call) -> Reply {
        let reply = self.api.send(&mut self.dice, &method, path, call).await;
        if let Reply::Wrong(what) = &reply {
            self.notebook.open().wrong_answers.push(what.clone());
        }
        reply
    }

    async fn create(&mut self) {
        let first_name = self.new_name();
        let crontab = match self.dice.number(10) {
            0..5 => Value::from("* * * * *"),
            5 => Value::from("*/2 * * * *"),
            _ => Value::Null,
        };
        let mut body =
            json!({"name": first_name, "crontabRecord": crontab, "tasks": tasks(&mut self.dice)});
        if self.dice.percent(60)
            && let Some(body) = body.as_object_mut()
        {
            let address = format!("{first_name}@torture.example");
            body.insert(
                "notifications".into(),
                json!([{"email": address, "channel": "error"}]),
            );
        }
        self.notebook.open().names.insert(first_name.clone());
        let reply = self
            .send(Method::POST, "/orchestrations", &Call::with(body))
            .await;
        let Reply::Acknowledged(made) = reply else {
            return;
        };
        if let Some(id) = id_of(&made).map(OrchestrationId) {
            let told = ToldOrchestration {
                name: Known::new(first_name.clone()),
                active: Known::new(true),
                deleted: Known::new(false),
            };
            self.notebook.open().orchestrations.insert(id, told);
            self.own.push(Own {
                id,
                first_name,
                version: 1,
            });
        }
    }

    /// In one of the three ways; now and then at two hosts at once.
    async fn ask_for_a_job(&mut self, own: &Own) {
        let request = self.new_name();
        let path = match self.dice.number(3) {
            0 => "/run".to_owned(),
            1 => format!("/orchestrations/{}/trigger", own.id),
            _ => format!("/orchestrations/{}/jobs", own.id),
        };
        self.notebook
            .open()
            .jobs
            .insert(request.clone(), Vec::new());
        let mut other = self.dice.clone().of(1);
        let body = body_of(&path, own.id);
        let call = Call {
            body,
            request: Some(request.clone()),
        };
        if self.dice.percent(25) {
            let api = self.api.clone();
            let (reply, _) = tokio::join!(
                async { api.send(&mut other, &Method::POST, &path, &call).await },
                self.ask_until_answered(&request, &path, &call)
            );
            self.note_job(&request, &reply);
        } else {
            self.ask_until_answered(&request, &path, &call).await;
        }
        if self.asked.len() < REMEMBERED {
            self.asked.push((request, path));
        } else if let Some(one) = self.asked.get_mut(self.counter % REMEMBERED) {
            *one = (request, path);
        }
    }

    async fn ask_until_answered(&mut self, request: &str, path: &str, call: &Call) {
        loop {
            let reply = self.send(Method::POST, path, call).await;
            if !matches!(reply, Reply::NotSent | Reply::Unknown) {
                if let Some(id) = self.note_job(request, &reply)
                    && self.dice.percent(10)
                {
                    self.cancel(id).await;
                }
                return;
            }
            self.clock.sleep(Duration::from_millis(250)).await;
        }
    }

    /// The same request, long after it was answered.
    async fn ask_again(&mut self) {
        let Some((request, path)) = self.dice.pick(&self.asked).cloned() else {
            return;
        };
        let id = path.split('/').nth(2).and_then(|id| id.parse().ok());
        let Some(id) = id.map(OrchestrationId) else {
            return;
        };
        let call = Call {
            body: body_of(&path, id),
            request: Some(request.clone()),
        };
        let reply = self.send(Method::POST, &path, &call).await;
        self.note_job(&request, &reply);
    }

    fn note_job(&self, request: &str, reply: &Reply) -> Option<JobId> {
        let Reply::Acknowledged(job) = reply else {
            return None;
        };
        let mut told = self.notebook.open();
        match id_of(job).map(JobId) {
            Some(id) => told.jobs.entry(request.to_owned()).or_default().push(id),
            None => told
                .wrong_answers
                .push(format!("request {request} was answered with {job}")),
        }
        id_of(job).map(JobId)
    }

    async fn cancel(&mut self, id: JobId) {
        let path = format!("/jobs/{id}");
        if let Reply::Acknowledged(_) = self.send(Method::DELETE, &path, &Call::default()).await {
            self.notebook.open().cancelled.insert(id);
        }
    }

    async fn edit(&mut self, own: Own) {
        let version = own.version + 1;
        if let Some(own) = self.own.iter_mut().find(|one| one.id == own.id) {
            own.version = version;
        }
        let name = format!("{} v{version}", own.first_name);
        let body = json!({"name": name, "tasks": tasks(&mut self.dice)});
        let path = format!("/orchestrations/{}", own.id);
        let reply = self.send(Method::PUT, &path, &Call::with(body)).await;
        self.note(own.id, &reply, |told| &mut told.name, name);
    }

    async fn pause(&mut self, own: &Own) {
        let active = self.dice.percent(60);
        let path = format!("/orchestrations/{}", own.id);
        let reply = self
            .send(Method::PUT, &path, &Call::with(json!({"active": active})))
            .await;
        self.note(own.id, &reply, |told| &mut told.active, active);
    }

    async fn delete(&mut self, own: &Own) {
        self.own.retain(|one| one.id != own.id);
        let path = format!("/orchestrations/{}", own.id);
        let reply = self.send(Method::DELETE, &path, &Call::default()).await;
        self.note(own.id, &reply, |told| &mut told.deleted, true);
    }

    async fn look(&mut self, own: &Own) {
        let path = format!("/orchestrations/{}/jobs", own.id);
        if let Reply::Refused(status, json) = self.send(Method::GET, &path, &Call::default()).await
        {
            let what = format!("GET {path} was answered {status}: {json}");
            self.notebook.open().wrong_answers.push(what);
        }
    }

    fn note<T>(
        &self,
        id: OrchestrationId,
        reply: &Reply,
        field: impl Fn(&mut ToldOrchestration) -> &mut Known<T>,
        value: T,
    ) {
        note_write(&self.notebook, id, reply, field, value);
    }
}

/// Writes down what a client now knows of a field that it wanted to be `value`.
pub(super) fn note_write<T>(
    notebook: &Notebook,
    id: OrchestrationId,
    reply: &Reply,
    field: impl Fn(&mut ToldOrchestration) -> &mut Known<T>,
    value: T,
) {
    let mut told = notebook.open();
    let Some(one) = told.orchestrations.get_mut(&id) else {
        return;
    };
    match reply {
        Reply::Acknowledged(_) => field(one).acknowledged = value,
        Reply::Unknown | Reply::Wrong(_) => field(one).unanswered.push(value),
        Reply::NotSent => {}
        Reply::Refused(status, json) => {
            let what = format!("a change of orchestration {id} was answered {status}: {json}");
            told.wrong_answers.push(what);
        }
    }
}

fn body_of(path: &str, id: OrchestrationId) -> Option<Value> {
    (path == "/run").then(|| json!({"config": id}))
}

/// One to four tasks, some of them side by side.
fn tasks(dice: &mut Dice) -> Vec<Value> {
    let count = 1 + dice.number(4);
    let are_together = dice.percent(40);
    (0..count)
        .map(|number| {
            let (component, fails, to_ms) = match dice.number(100) {
                0..25 => ("sync", false, 300),
                25..45 => ("slow", false, 4_000),
                45..75 => ("job", false, 4_000),
                75..82 => ("job", true, 2_000),
                82..89 => ("sync", true, 200),
                89..97 => ("busy", false, 200),
                _ => ("mute", false, 0),
            };
            let millis = u64::try_from(dice.between(0, to_ms).as_millis()).unwrap_or(0);
            let phase = (are_together && number < 2).then_some("together");
            json!({
                "component": component,
                "actionParameters": {"millis": millis, "fails": fails},
                "continueOnFailure": dice.percent(60),
                "phase": phase,
            })
        })
        .collect()
}

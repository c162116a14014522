//! The runner on a clock that is moved by hand, with the plugins as shipped and a real component server.

mod events;
mod plugins;

use crate::support::database::Database;
use crate::support::process::{PATIENCE, until};
use crate::support::steps::{demo, plugins};
use crate::support::store::{NOON, TestStore, new_orchestration, task};
use demo_components::DemoServer;
use orchestrator::clock::{Clock, Random};
use orchestrator::domain::ids::JobId;
use orchestrator::domain::job::{Job, Status};
use orchestrator::domain::task::Task;
use orchestrator::lease::HostLease;
use orchestrator::metrics::Metrics;
use orchestrator::registry::Registry;
use orchestrator::runner::{Runner, RunnerSettings, StepUses};
use orchestrator::store::TokenChoice;
use orchestrator::tokens::{Keys, Tokens};
use orchestrator::traces::Tracer;
use orchestrator::wake::{Pause, Stop, Wake};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

struct Running {
    test: TestStore,
    clock: Clock,
    demo: DemoServer,
    runner: Runner,
}

impl Running {
    async fn start() -> Self {
        let test = TestStore::new(Database::Sqlite).await.unwrap();
        let (demo, clock) = (demo().await, Clock::manual(NOON));
        let random = Random::seeded(1);
        let keys = Keys::load(Some(&"ab".repeat(32)), test.path(), &random).unwrap();
        let tokens = Tokens::open(test.store.clone(), keys, clock.clone(), random)
            .await
            .unwrap();
        let runner = Runner {
            store: test.store.clone(),
            tokens,
            plugins: plugins().clone(),
            registry: Registry::new(test.store.clone(), plugins().clone()),
            lease: HostLease::take(test.store.clone(), clock.clone(), true)
                .await
                .unwrap(),
            pause: Pause {
                clock: clock.clone(),
                wake: Wake::default(),
                stop: Stop::default(),
            },
            notifier: Wake::default(),
            used: StepUses::default(),
            events: Wake::default(),
            metrics: Metrics::default(),
            tracer: Tracer::default(),
            settings: Arc::new(RunnerSettings {
                workers: 4,
                project_workers: 4,
                components_url: demo.base_url().to_owned(),
                public_url: None,
                installation: "test".into(),
            }),
        };
        tokio::spawn(runner.clone().run());
        Self {
            test,
            clock,
            demo,
            runner,
        }
    }

    /// A job of one orchestration with these tasks, made now.
    async fn job(&self, tasks: Vec<Task>) -> JobId {
        self.job_with(tasks, Vec::new()).await
    }

    /// The same with a token that is confined to these components.
    async fn job_with(&self, tasks: Vec<Task>, component_access: Vec<String>) -> JobId {
        let mut new = new_orchestration(self.test.project, tasks);
        let mut token = self
            .runner
            .tokens
            .new_token("its own".into(), None)
            .unwrap();
        token.rights.component_access = component_access;
        new.token = TokenChoice::Make(token);
        let of = self.test.create(new).await;
        let job = self.test.job(of.id, self.clock.now()).await;
        self.runner.pause.wake.poke();
        job.id
    }

    async fn finished(&self, id: JobId) -> Job {
        until("the job to finish", || async {
            let job = self
                .test
                .store
                .read_job(self.test.project, id)
                .await
                .unwrap()
                .unwrap();
            if job.status.is_finished() {
                Ok(job)
            } else {
                Err(format!("{job:?}"))
            }
        })
        .await
    }

    async fn called(&self, method: &str) {
        let seen = self
            .demo
            .wait_for(|all| all.iter().any(|one| one.method == method), PATIENCE);
        seen.await.unwrap();
    }
}

fn limited(component: &str, parameters: &Value) -> Task {
    let parameters: Map<String, Value> = parameters.as_object().unwrap().clone();
    Task {
        action_parameters: parameters,
        timeout_minutes: Some(1),
        ..task(component)
    }
}

#[tokio::test]
async fn a_task_that_polls_beyond_its_time_ends_in_error_and_its_remote_job_is_stopped() {
    let running = Running::start().await;
    let id = running
        .job(vec![limited("async", &json!({"seconds": 3600}))])
        .await;
    running.called("POST").await;
    until("the task to wait", || async {
        running
            .test
            .store
            .next_wake_time()
            .await
            .unwrap()
            .ok_or("it does not".to_owned())
    })
    .await;

    running.clock.advance(Duration::from_secs(61));
    let job = running.finished(id).await;

    assert_eq!(job.status, Status::Error);
    assert_eq!(job.task_runs[0].error_code.as_deref(), Some("TIMEOUT"));
    let message = job.task_runs[0].message.as_deref().unwrap_or_default();
    assert!(message.contains("timeoutMinutes of 1"), "{message}");
    running.called("DELETE").await;
}

#[tokio::test]
async fn a_step_that_hangs_beyond_the_tasks_time_is_cut_off() {
    let running = Running::start().await;
    let id = running.job(vec![limited("hang", &json!({}))]).await;
    running.called("POST").await;

    running.clock.advance(Duration::from_secs(60));
    let job = running.finished(id).await;

    assert_eq!(job.task_runs[0].error_code.as_deref(), Some("TIMEOUT"));
    assert_eq!(running.demo.requests().len(), 1);
}

#[tokio::test]
async fn polls_follow_the_clock_and_not_the_loop() {
    let running = Running::start().await;
    let id = running
        .job(vec![limited("async", &json!({"polls": 3}))])
        .await;
    running.called("POST").await;

    // A step's next time is known once it has ended: so each is waited for before the clock is moved to it.
    let mut polls = 0;
    while polls < 4 {
        let wake_at = until("the task to wait", || async {
            let next = running.test.store.next_wake_time().await.unwrap();
            next.filter(|next| *next > running.clock.now())
                .ok_or("it does not".to_owned())
        })
        .await;
        running.clock.set(wake_at);
        polls += 1;
        let seen = running.demo.wait_for(
            |all| all.iter().filter(|one| one.method == "GET").count() == polls,
            PATIENCE,
        );
        seen.await.unwrap();
    }
    let job = running.finished(id).await;

    assert_eq!(job.status, Status::Success);
    assert!(running.clock.now().since(NOON) > Duration::from_secs(3));
}

#[tokio::test]
async fn a_component_that_the_orchestrations_token_is_not_given_is_not_called() {
    let running = Running::start().await;
    let go_on = |component: &str| Task {
        continue_on_failure: true,
        ..task(component)
    };
    let tasks = vec![go_on("status"), go_on("sync")];

    let id = running.job_with(tasks, vec!["sync".into()]).await;
    let job = running.finished(id).await;

    let codes: Vec<_> = job
        .task_runs
        .iter()
        .map(|run| run.error_code.as_deref())
        .collect();
    assert_eq!(codes, [Some("COMPONENT_NOT_ALLOWED"), None]);
    let message = job.task_runs[0].message.as_deref().unwrap_or_default();
    assert!(message.contains("may not run status"), "{message}");
    assert_eq!(running.demo.requests().len(), 1);
}

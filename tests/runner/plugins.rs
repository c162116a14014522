//! Uploaded plugins as the runner runs them: their rights, their configuration, their versions.

use super::Running;
use crate::support::guests::{guest, with_manifest, with_text};
use crate::support::process::until;
use crate::support::store::{NOON, task};
use orchestrator::domain::ids::JobId;
use orchestrator::domain::job::{Job, Status};
use orchestrator::domain::plugin::{Capability, Grant, GrantedLimits};
use orchestrator::domain::task::Task;
use orchestrator::registry::{Granted, Uploaded};
use orchestrator::store::NewComponent;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn with(component: &str, parameters: &Value) -> Task {
    Task {
        action_parameters: parameters.as_object().unwrap().clone(),
        ..task(component)
    }
}

fn response(job: &Job, at: usize) -> Value {
    let run = &job.task_runs[at];
    let response = run.response.as_ref();
    response.map_or_else(
        || panic!("{:?}: {:?}", run.error_code, run.message),
        |json| serde_json::from_str(json.get()).unwrap(),
    )
}

fn failure(job: &Job, at: usize) -> (&str, &str) {
    let run = &job.task_runs[at];
    (
        run.error_code.as_deref().unwrap_or_default(),
        run.message.as_deref().unwrap_or_default(),
    )
}

impl Running {
    pub(super) async fn upload(&self, component: &[u8]) {
        let now = self.clock.now();
        let uploaded = self
            .runner
            .registry
            .upload(self.test.project, component.to_vec(), now)
            .await
            .unwrap();
        assert!(matches!(uploaded, Uploaded::Added(_)), "{uploaded:?}");
    }

    pub(super) async fn grant(&self, id: &str, grant: Grant) {
        let granted = self
            .runner
            .registry
            .grant(self.test.project, id, grant, None, NOON);
        let granted = granted.await.unwrap();
        assert!(matches!(granted, Granted::Done(_)), "{granted:?}");
    }

    async fn component(&self, name: &str, plugin: &str, config: &Value, url: Option<String>) {
        let new = NewComponent {
            name: name.into(),
            plugin: plugin.into(),
            config: config.as_object().unwrap().clone(),
            url,
        };
        let saved = self
            .test
            .store
            .save_component(self.test.project, new, self.clock.now());
        saved.await.unwrap().unwrap();
    }

    pub(super) async fn run(&self, tasks: Vec<Task>) -> Job {
        let id = self.job(tasks).await;
        self.finished(id).await
    }

    /// The job once that many of its tasks wait.
    async fn waiting(&self, id: JobId, tasks: i64) {
        until("all tasks to wait", || async {
            let waiting = self.test.count_waiting_runs(id).await;
            (waiting == tasks).then_some(()).ok_or(waiting.to_string())
        })
        .await;
    }
}

pub(super) fn caller(hosts: &[String]) -> Vec<u8> {
    let manifest = json!({
        "id": "caller", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "idempotent",
        "capabilities": ["http"], "hosts": hosts,
    });
    with_manifest(guest("calls-out"), Some(&manifest))
}

pub(super) fn http(hosts: &[String]) -> Grant {
    Grant {
        capabilities: vec![Capability::Http],
        hosts: hosts.to_vec(),
        credentials: Vec::new(),
        limits: GrantedLimits::default(),
    }
}

#[tokio::test]
async fn a_task_of_a_plugin_that_waits_for_a_grant_fails_and_says_so() {
    let running = Running::start().await;
    running.upload(&caller(&["https://a.example".into()])).await;

    let job = running.run(vec![task("caller")]).await;

    let (code, message) = failure(&job, 0);
    assert_eq!(code, "PLUGIN_AWAITS_GRANT");
    assert!(message.contains("PUT /plugins/caller/grant"), "{message}");
}

#[tokio::test]
async fn a_plugin_reaches_what_it_asks_for_and_is_granted_and_nothing_else() {
    let running = Running::start().await;
    let own = running.demo.base_url().to_owned();
    let parameters = json!({"url": format!("{own}/sync/run"), "method": "POST"});
    running
        .upload(&caller(&[own.clone(), "https://b.example".into()]))
        .await;
    let call = async || {
        let job = running.run(vec![with("caller", &parameters)]).await;
        response(&job, 0)["answers"][0].clone()
    };

    // What its project grants and it did not ask for is no more than what it asks for.
    running
        .grant(
            "caller",
            http(&["https://b.example".into(), "https://c.example".into()]),
        )
        .await;
    assert_eq!(call().await["kind"], "denied");
    running.grant("caller", Grant::default()).await;
    assert_eq!(call().await["kind"], "denied");
    assert!(running.demo.requests().is_empty());

    running.grant("caller", http(&[own])).await;
    assert_eq!(call().await["status"], 200);
    assert_eq!(running.demo.requests().len(), 1);
}

#[tokio::test]
async fn a_limit_that_is_granted_is_a_limit() {
    let running = Running::start().await;
    running.upload(guest("huge-output")).await;
    let limits = GrantedLimits {
        response_kibibytes: Some(16),
        ..GrantedLimits::default()
    };
    let grant = Grant {
        limits,
        ..Grant::default()
    };
    running.grant("huge-output", grant).await;

    let job = running
        .run(vec![with("huge-output", &json!({"mebibytes": 1}))])
        .await;

    let (code, message) = failure(&job, 0);
    assert_eq!(code, "RESPONSE_LIMIT");
    assert!(message.contains("limit is 16384"), "{message}");
}

#[tokio::test]
async fn a_component_is_looked_for_in_the_registry_then_among_plugins_then_at_the_default_address()
{
    let running = Running::start().await;
    running.upload(guest("echoes")).await;
    let config = json!({"greeting": "hello"});
    running.component("speaks", "echoes", &config, None).await;
    // An entry comes before what would be at the default address.
    running
        .component("status", "echoes", &json!({}), None)
        .await;
    let at = format!("{}/", running.demo.base_url())
        .trim_end_matches('/')
        .to_owned();
    running
        .component("sync", "http-component", &json!({}), Some(at))
        .await;
    let go_on = |component: &str| Task {
        continue_on_failure: true,
        ..task(component)
    };
    let tasks = ["speaks", "echoes", "status", "sync", "error"].map(go_on);

    let job = running.run(tasks.to_vec()).await;

    assert_eq!(response(&job, 0)["config"], config);
    assert_eq!(response(&job, 0)["component"], "speaks");
    assert_eq!(response(&job, 1)["config"], json!({}));
    assert_eq!(response(&job, 2)["component"], "status");
    assert_eq!(job.task_runs[3].status, Status::Success);
    let called: Vec<_> = running
        .demo
        .requests()
        .into_iter()
        .map(|one| one.path)
        .collect();
    assert_eq!(called.len(), 2, "{called:?}");
    assert!(
        called[0].starts_with("/sync/run") && called[1].starts_with("/error/run"),
        "{called:?}"
    );
}

#[tokio::test]
async fn tasks_that_wait_end_on_the_version_that_they_began_with() {
    const TASKS: usize = 100;
    let running = Running::start().await;
    let manifest = |version: &str| json!({"id": "waits", "version": version, "kind": "task", "contract": "0.1", "restart": "idempotent"});
    running
        .upload(&with_manifest(guest("waits"), Some(&manifest("1.0.0"))))
        .await;
    let in_one_phase = |task: Task| Task {
        phase: Some("all".into()),
        ..task
    };
    let parameters = json!({"times": 1, "afterMs": 60_000});
    let tasks = vec![in_one_phase(with("waits", &parameters)); TASKS];
    let old = running.job(tasks).await;
    running.waiting(old, TASKS as i64).await;

    // Its answers can be told from those of the old one.
    let changed = with_text(guest("waits"), "{\"steps\":", "{\"newer\":");
    running
        .upload(&with_manifest(&changed, Some(&manifest("2.0.0"))))
        .await;
    let used = running
        .runner
        .registry
        .delete(running.test.project, "waits", NOON)
        .await
        .unwrap();
    let new = running.run(vec![with("waits", &json!({"times": 0}))]).await;
    running.clock.advance(Duration::from_secs(70));
    running.runner.pause.wake.poke();
    let old = running.finished(old).await;

    assert!(format!("{used:?}").contains("InUse"), "{used:?}");
    assert_eq!(response(&new, 0), json!({"newer": 0}));
    assert_eq!(old.task_runs.len(), TASKS);
    for at in 0..TASKS {
        assert_eq!(response(&old, at), json!({"steps": 1}));
    }
}

#[tokio::test]
async fn what_the_steps_of_a_task_used_is_added_up_on_its_run() {
    let running = Running::start().await;
    let own = running.demo.base_url().to_owned();
    running.upload(&caller(std::slice::from_ref(&own))).await;
    running
        .grant("caller", http(std::slice::from_ref(&own)))
        .await;
    let call =
        json!({"url": format!("{own}/sync/run"), "method": "POST", "body": "{}", "times": 3});

    let job = running.run(vec![with("caller", &call)]).await;

    let usage = job.task_runs[0].usage;
    assert_eq!(usage.sent_bytes, 6);
    assert!(
        usage.received_bytes > 6 && usage.cpu_micros > 0,
        "{usage:?}"
    );
}

//! The calls of the API.

use crate::error::ClientError;
use crate::events::EventStream;
use crate::nouns::{
    Component, Crontab, Event, Job, Orchestration, OrchestrationBody, RunWish, Token, Usage,
};
use crate::pages::JobPages;
use crate::request::{Call, Client, Method};
use serde_json::Value;
use url::form_urlencoded;

/// # Errors
/// Each call: [`ClientError`].
impl Client {
    /// All of the project, by ascending id, without their tasks.
    pub async fn orchestrations(&self) -> Result<Vec<Orchestration>, ClientError> {
        self.get("/orchestrations").await
    }

    pub async fn orchestration(&self, id: i64) -> Result<Orchestration, ClientError> {
        self.get(&format!("/orchestrations/{id}")).await
    }

    /// Not repeated when it is not known whether it was made: list them then.
    pub async fn create_orchestration(
        &self,
        body: &OrchestrationBody,
    ) -> Result<Orchestration, ClientError> {
        let call = Call::new(Method::POST, "/orchestrations").json(body);
        self.send(&call).await?.read()
    }

    /// What the body leaves out stays as it is.
    pub async fn update_orchestration(
        &self,
        id: i64,
        body: &OrchestrationBody,
    ) -> Result<Orchestration, ClientError> {
        let call = Call::new(Method::PUT, format!("/orchestrations/{id}")).json(body);
        self.send(&call).await?.read()
    }

    /// Its jobs stay readable.
    pub async fn delete_orchestration(&self, id: i64) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, format!("/orchestrations/{id}"));
        self.send(&call).await.map(drop)
    }

    /// Runs an orchestration by hand. `key` is this wish's own, 1 to 255 visible ASCII characters: the same one makes the
    /// same job, so the request is repeated without fear.
    pub async fn run(
        &self,
        orchestration: i64,
        wish: &RunWish,
        key: &str,
    ) -> Result<Job, ClientError> {
        let path = format!("/orchestrations/{orchestration}/jobs");
        let call = Call::new(Method::POST, path).json(wish).keyed(key);
        self.send(&call).await?.read()
    }

    /// The jobs of an orchestration, newest first.
    #[must_use]
    pub fn jobs(&self, orchestration: i64) -> JobPages {
        JobPages::new(self.clone(), orchestration)
    }

    pub async fn job(&self, id: i64) -> Result<Job, ClientError> {
        self.get(&format!("/jobs/{id}")).await
    }

    /// Cancels a job that waits.
    pub async fn cancel_job(&self, id: i64) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, format!("/jobs/{id}"));
        self.send(&call).await.map(drop)
    }

    /// What the tasks of a job have used so far.
    pub async fn usage(&self, job: i64) -> Result<Usage, ClientError> {
        self.get(&format!("/jobs/{job}/usage")).await
    }

    /// One page of what happened to a job, oldest first: at most `limit` (up to 500), of some kinds or of all, after the
    /// event of that id.
    pub async fn job_events(
        &self,
        job: i64,
        kinds: &[&str],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Event>, ClientError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string());
        if !kinds.is_empty() {
            query.append_pair("kinds", &kinds.join(","));
        }
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        let query = query.finish();
        self.get(&format!("/jobs/{job}/events?{query}")).await
    }

    /// What happens to a job, live, from its first event (or the one after `after`) to its end.
    #[must_use]
    pub fn follow_job(&self, job: i64, after: Option<&str>) -> EventStream {
        EventStream::new(self.clone(), format!("/jobs/{job}/events"), after)
    }

    /// Whether the server lives, or, its database and schedules included, is ready; refused (503) where it is not.
    pub async fn health(&self, is_ready: bool) -> Result<(), ClientError> {
        let path = if is_ready {
            "/health/ready"
        } else {
            "/health/live"
        };
        self.send(&Call::new(Method::GET, path)).await.map(drop)
    }

    /// What the client's token is.
    pub async fn verify_token(&self) -> Result<Token, ClientError> {
        self.get("/v2/storage/tokens/verify").await
    }

    /// What a crontab expression says; refused where it is none.
    pub async fn explain_crontab(&self, expression: &str) -> Result<Crontab, ClientError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("expression", expression).finish();
        self.get(&format!("/crontab?{query}")).await
    }

    /// The project's component registry.
    pub async fn components(&self) -> Result<Vec<Component>, ClientError> {
        self.get("/components").await
    }

    /// Ids of the plugins that the project can name, with whatever the server says of them.
    pub async fn plugins(&self) -> Result<Vec<Value>, ClientError> {
        self.get("/plugins").await
    }

    /// Uploads a plugin's component; the answer is the plugin. The same component twice is one version.
    pub async fn upload_plugin(&self, component: Vec<u8>) -> Result<Value, ClientError> {
        let call = Call::new(Method::POST, "/plugins").bytes("application/wasm", component);
        self.send(&call).await?.read()
    }
}

//! The REST API on loopback, with a database of its own, a clock that is moved by hand and known random bytes.
//!
//! Nothing runs jobs here: a test that needs a job to get on does so through the store, as a runner would.

use super::client::Client;
use super::database::Database;
use super::steps::plugins;
use futures_util::FutureExt;
use orchestrator::api::{
    Api, ApiParts, ApiSettings, Limiter, ListenerSettings, RateLimits, Streams, serve,
};
use orchestrator::clock::{Clock, Random};
use orchestrator::domain::ids::{HostId, ProjectId};
use orchestrator::domain::job::Status;
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::role::Roles;
use orchestrator::domain::time::Timestamp;
use orchestrator::domain::token::Rights;
use orchestrator::metrics::Metrics;
use orchestrator::registry::Registry;
use orchestrator::store::{Capacity, LeasedStep, NewToken, StepEnd, Store};
use orchestrator::tokens::{Keys, RemoteSettings, Tokens};
use orchestrator::traces::Tracer;
use orchestrator::wake::{Stop, Wake};
use sqlx::Connection;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// 2013-03-02T10:11:24+00:00
pub const START: Timestamp = Timestamp(1_362_219_084_000_000);
/// The secret of project 1's master token.
pub const MASTER: &str = "master-token-of-project-1";

/// The running server; dropping it stops it.
pub struct Server {
    pub address: SocketAddr,
    pub store: Store,
    pub tokens: Tokens,
    pub clock: Clock,
    pub runner: Wake,
    pub scheduler: Wake,
    /// Poked where something was told of a job.
    pub events: Wake,
    /// Ends the streams.
    pub stop: Stop,
    pub streams: Streams,
    pub metrics: Metrics,
    listening: JoinHandle<()>,
    url: String,
    _dir: TempDir,
}

impl Server {
    /// A server with project 1; `None` where the database is not installed.
    pub async fn start(database: Database) -> Option<Self> {
        Self::start_with(database, default_settings()).await
    }

    pub async fn start_with(database: Database, settings: ApiSettings) -> Option<Self> {
        Self::start_limited(database, settings, RateLimits::default()).await
    }

    pub async fn start_limited(
        database: Database,
        settings: ApiSettings,
        limits: RateLimits,
    ) -> Option<Self> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let url = database.fresh_url(dir.path())?;
        Some(Self::launch(url, dir, settings, limits, None).await)
    }

    /// A server without projects, whose tokens are kept by that service.
    pub async fn start_elsewhere(
        database: Database,
        settings: ApiSettings,
        elsewhere: RemoteSettings,
    ) -> Option<Self> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let url = database.fresh_url(dir.path())?;
        Some(Self::launch(url, dir, settings, RateLimits::default(), Some(elsewhere)).await)
    }

    /// On a database that may hold something already; `dir` is the data directory.
    pub async fn start_on(url: String, dir: TempDir, settings: ApiSettings) -> Self {
        Self::launch(url, dir, settings, RateLimits::default(), None).await
    }

    async fn launch(
        url: String,
        dir: TempDir,
        settings: ApiSettings,
        limits: RateLimits,
        elsewhere: Option<RemoteSettings>,
    ) -> Self {
        let store = Store::open(&url).await.expect("store");
        let clock = Clock::manual(START);
        let random = Random::seeded(1);
        let keys = Keys::load(None, dir.path(), &random).expect("keys");
        let tokens = Tokens::open(store.clone(), keys, clock.clone(), random)
            .await
            .expect("tokens");
        let tokens = match elsewhere {
            Some(elsewhere) => tokens.with_remote(elsewhere).expect("client"),
            None => {
                let made = tokens.make_first_project(Some(MASTER), dir.path());
                made.await.expect("first project");
                tokens
            }
        };
        let runner = Wake::default();
        let scheduler = Wake::default();
        let events = Wake::default();
        let stop = Stop::default();
        let streams = Streams::new(stop.clone());
        let metrics = Metrics::default();
        let store = store.with_metrics(metrics.clone());
        let state = ApiParts {
            store: store.clone(),
            registry: Registry::new(store.clone(), plugins().clone()),
            tokens: tokens.clone(),
            clock: clock.clone(),
            random: Random::seeded(2),
            settings,
            limiter: Limiter::new(limits),
            runner: runner.clone(),
            scheduler: scheduler.clone(),
            deliverer: Wake::default(),
            events: events.clone(),
            streams: streams.clone(),
            metrics: metrics.clone(),
            tracer: Tracer::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let listening = tokio::spawn(serve(
            listener,
            ListenerSettings::default(),
            Api::new(state.into()),
            std::future::pending(),
        ));
        Self {
            address,
            store,
            tokens,
            clock,
            runner,
            scheduler,
            events,
            stop,
            streams,
            metrics,
            listening,
            url,
            _dir: dir,
        }
    }

    /// Bearer of project 1's master token.
    pub fn client(&self) -> Client {
        self.bearer(MASTER)
    }

    /// Bearer of any secret.
    pub fn bearer(&self, secret: &str) -> Client {
        Client::new(format!("http://{}", self.address), Some(secret.to_owned()))
    }

    pub fn nobody(&self) -> Client {
        Client::new(format!("http://{}", self.address), None)
    }

    /// Another project, and the bearer of its master token.
    pub async fn add_project(&self, name: &str) -> Client {
        let first = self.tokens.new_token("Unused".into(), None).expect("token");
        let project = self
            .store
            .create_project(name.to_owned(), first, self.clock.now())
            .await
            .expect("project");
        self.add_token(project, "Master token", true).await.0
    }

    /// The bearer of a token of project 1 that is no master, and its id.
    pub async fn add_plain_token(&self, description: &str) -> (Client, i64) {
        self.add_token(ProjectId(1), description, false).await
    }

    pub async fn add_token(
        &self,
        project: ProjectId,
        description: &str,
        is_master: bool,
    ) -> (Client, i64) {
        let (kept, secret) = self.tokens.new_secret().expect("random bytes");
        let rights = if is_master {
            Rights::of_master()
        } else {
            Rights::of_orchestration()
        };
        let token = NewToken {
            description: description.into(),
            secret: kept,
            rights,
            creator: None,
        };
        let made = self
            .store
            .create_token(project, token, self.clock.now())
            .await;
        (self.bearer(&secret), made.expect("store").id.0)
    }

    /// The next token gets this id.
    pub async fn number_tokens_from(&self, id: i64) {
        self.number("tokens", id).await;
    }

    /// The next orchestration gets this id.
    pub async fn number_orchestrations_from(&self, id: i64) {
        self.number("orchestrations", id).await;
    }

    /// The next job gets this id.
    pub async fn number_jobs_from(&self, id: i64) {
        self.number("jobs", id).await;
    }

    /// Of somebody else to the same database.
    pub async fn connection(&self) -> sqlx::AnyConnection {
        let connecting = sqlx::AnyConnection::connect(&self.url);
        connecting.await.expect("database")
    }

    async fn number(&self, table: &str, next: i64) {
        let mut connection = self.connection().await;
        let statements = if Store::is_embedded(&self.url) {
            vec![
                format!("DELETE FROM sqlite_sequence WHERE name = '{table}'"),
                format!("INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {next} - 1)"),
            ]
        } else {
            vec![format!(
                "ALTER TABLE {table} ALTER COLUMN id RESTART WITH {next}"
            )]
        };
        for sql in statements {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("numbered");
        }
    }

    /// Does what a runner would: starts what is ready and returns its steps.
    pub async fn claim(&self) -> Vec<LeasedStep> {
        let now = self.clock.now();
        let host: HostId = self
            .store
            .register_host(now, now.plus(Duration::from_secs(10)))
            .await
            .expect("host");
        let capacity = Capacity {
            free: 100,
            per_project: 100,
            running: HashMap::new(),
        };
        self.store
            .claim_steps(host, capacity, now)
            .await
            .expect("claimed")
    }

    /// Ends a task.
    pub async fn end(
        &self,
        step: &LeasedStep,
        status: Status,
        response: Option<&str>,
        message: Option<&str>,
    ) {
        let end = StepEnd::Done {
            status,
            response: response.map(str::to_owned),
            error_code: message.map(|_| "REMOTE_ERROR".to_owned()),
            message: message.map(str::to_owned),
        };
        self.store
            .end_step(step.lease, end, Usage::default(), self.clock.now())
            .await
            .expect("ended");
    }

    /// Waits until all that was told of jobs can be read.
    pub async fn settled(&self) {
        super::store::settled(&self.url).await;
    }

    /// Sends bytes as they are and returns all that comes back until the server closes.
    pub async fn send_raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

pub fn default_settings() -> ApiSettings {
    ApiSettings {
        roles: Roles::all(),
        public_url: None,
        trusted_proxies: Vec::new(),
        body_limit: 1 << 20,
        plugin_limit: 4 << 20,
        operator_token: None,
    }
}

/// Whether a loop has been poked since this was asked last.
pub fn was_poked(wake: &Wake) -> bool {
    wake.poked().now_or_never().is_some()
}

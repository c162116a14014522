//! The REST API on loopback, with a database of its own, a clock that is moved by hand and known random bytes.
//!
//! Nothing runs jobs here: a test that needs a job to get on does so through the store, as a runner would.

use super::client::Client;
use orchestrator::api::{ApiSettings, ApiState, Wakes, router, serve};
use orchestrator::clock::{Clock, Random};
use orchestrator::domain::ids::{HostId, ProjectId};
use orchestrator::domain::job::Status;
use orchestrator::domain::time::Timestamp;
use orchestrator::store::{
    Capacity, LeasedStep, NewOrchestration, NewToken, StepEnd, Store, TokenChoice,
};
use orchestrator::tokens::Tokens;
use sqlx::Connection;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    pub runner_pokes: Arc<AtomicUsize>,
    pub scheduler_pokes: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
    dir: TempDir,
}

impl Server {
    /// A server with project 1.
    pub async fn start() -> Self {
        Self::start_with(default_settings()).await
    }

    pub async fn start_with(settings: ApiSettings) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&Store::embedded_url(dir.path()))
            .await
            .expect("store");
        let clock = Clock::manual(START);
        let tokens = open_tokens(&store, &clock);
        let runner_pokes = Arc::new(AtomicUsize::new(0));
        let scheduler_pokes = Arc::new(AtomicUsize::new(0));
        let state = ApiState {
            store: store.clone(),
            tokens: tokens.clone(),
            clock: clock.clone(),
            random: Random::seeded(2),
            settings: Arc::new(settings),
            wakes: Wakes {
                poke_runner: count(&runner_pokes),
                poke_scheduler: count(&scheduler_pokes),
            },
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let listening = tokio::spawn(async move {
            serve(listener, router(state), std::future::pending())
                .await
                .expect("served");
        });
        let server = Self {
            address,
            store,
            tokens,
            clock,
            runner_pokes,
            scheduler_pokes,
            listening,
            dir,
        };
        server.add_project("First", MASTER).await;
        server
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
    pub async fn add_project(&self, name: &str, secret: &str) -> Client {
        let token = self.new_token("Master", secret, true);
        self.store
            .create_project(name.to_owned(), token, self.clock.now())
            .await
            .expect("project");
        self.bearer(secret)
    }

    /// The bearer of a token of project 1 that is no master, and its id.
    pub async fn add_plain_token(&self, secret: &str, description: &str) -> (Client, i64) {
        let new = NewOrchestration {
            project_id: ProjectId(1),
            name: "Holder of a token".into(),
            crontab_record: None,
            active: false,
            token: TokenChoice::Make(self.new_token(description, secret, false)),
            tasks: Vec::new(),
            notifications: Vec::new(),
        };
        let holder = self
            .store
            .create_orchestration(new, self.clock.now())
            .await
            .expect("store");
        (self.bearer(secret), holder.expect("token made").token.id.0)
    }

    fn new_token(&self, description: &str, secret: &str, is_master: bool) -> NewToken {
        NewToken {
            description: description.into(),
            secret: self.tokens.seal(secret),
            is_master,
            creator: None,
            is_made: false,
        }
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

    async fn number(&self, table: &str, next: i64) {
        let mut connection = sqlx::AnyConnection::connect(&Store::embedded_url(self.dir.path()))
            .await
            .expect("database");
        for sql in [
            "DELETE FROM sqlite_sequence WHERE name = $1",
            "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)",
        ] {
            sqlx::query(sql)
                .bind(table)
                .bind(next - 1)
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
            .end_step(step.lease, end, self.clock.now())
            .await
            .expect("ended");
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
        public_url: None,
        trusted_proxies: Vec::new(),
        body_limit: 1 << 20,
    }
}

fn open_tokens(store: &Store, clock: &Clock) -> Tokens {
    Tokens {
        store: store.clone(),
        random: Random::seeded(1),
        clock: clock.clone(),
    }
}

fn count(pokes: &Arc<AtomicUsize>) -> Arc<dyn Fn() + Send + Sync> {
    let pokes = pokes.clone();
    Arc::new(move || {
        pokes.fetch_add(1, Ordering::Relaxed);
    })
}

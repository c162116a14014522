//! The database: the only room that speaks SQL.
//!
//! A method reads like a sentence and is one transaction; whatever a request promises is true when its method returns.
//! State changes are compare-and-set: they say which state they expect, and tell the caller when it was another. Every
//! row belongs to a project and every query on behalf of a project says so; what is not found is an `Option`, not an
//! error. Times are handed in.
//!
//! SQLite or PostgreSQL, by the address: queries are one text for both, [`dialect`] has what differs, [`locks`] the order
//! of locks. Reads run side by side on a pool; how writes are committed is in [`mod@write`].

mod advances;
mod alarms;
mod audit;
mod backlog;
mod backup;
mod bounds;
mod claims;
mod components;
mod connections;
mod credentials;
mod deliveries;
mod delivery_list;
mod dialect;
mod fail_points;
mod firings;
mod forget;
mod found_jobs;
mod gather;
mod history;
mod hosts;
mod idempotency;
mod inspect;
mod job_events;
mod job_rows;
mod jobs;
mod locks;
mod lookups;
mod master_keys;
mod new_jobs;
mod new_runs;
mod orchestration_rows;
mod orchestration_tokens;
mod orchestrations;
mod pages;
mod plugin_users;
mod plugin_versions;
mod plugins;
mod projects;
mod promises;
mod purge;
mod quotas;
mod revisions;
mod rows;
mod runs;
mod said;
mod sessions;
mod settings;
mod starts;
mod tenants;
mod ticks;
mod token_changes;
mod tokens;
mod wakes;
mod write;

pub use audit::AuditPage;
pub use claims::{Capacity, Lease, LeasedStep};
pub use components::NewComponent;
pub use credentials::{KeptCredential, NewCredential, PutCredential, SealedCredential};
pub use deliveries::{AttemptEnd, DeliveryLease, LeasedDelivery};
pub use delivery_list::{Attempt, Delivery, DeliveryPage, Redelivered};
pub use fail_points::{Border, FailPoints};
pub use found_jobs::{FoundJob, FoundJobs, JobSearch};
pub use history::{History, KeptOrchestration, OpenWork};
pub use idempotency::{CreatedOnce, IdempotencyKey, KEY_LIFE};
pub use inspect::Schema;
pub use job_events::EventsOf;
pub use jobs::{Cancelled, JobPage};
pub use master_keys::{KeyState, MasterKey, SEALED_COLUMNS, SealedColumn, SealedPlace};
pub use new_jobs::{CreatedJob, NewJob};
pub use orchestration_tokens::TokenChoice;
pub use orchestrations::{NewOrchestration, OrchestrationChange, Updated};
pub use plugin_users::PluginUse;
pub use plugin_versions::{AddedVersion, NewVersion};
pub use plugins::{DeletedPlugin, OPERATOR, Pinned, ServingPlugin, StoredPlugin, StoredVersion};
pub use projects::Project;
pub use purge::{Chore, Purged};
pub use quotas::{ProjectUse, StepUse};
pub use runs::{Accepted, StepEnd};
pub use said::StepReport;
pub use sessions::Session;
pub use tenants::{ProjectChange, Tenant};
pub use ticks::Tick;
pub use token_changes::{ChangedToken, DeletedToken, TokenChange, TokenUse};
pub use tokens::{NewToken, Token, TokenSecret};
pub use wakes::{WakeChannel, WakeListener};

use crate::domain::audit::Actor;
use crate::domain::ids::{OrchestrationId, ProjectId, TokenId};
use crate::domain::plugin::Component;
use crate::domain::quota::{Limits, OverQuota};
use crate::metrics::{Metrics, PoolUse};
use connections::Connections;
use dialect::Dialect;
use gather::Gather;
use lookups::Lookups;
use orchestration_rows::OrchestrationRow;
use sqlx::any::AnyPoolOptions;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A transaction's connection.
type Tx = sqlx::AnyConnection;

/// Handle to the database; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    opened: Arc<Opened>,
    is_fenced: bool,
    /// Of projects that have none of their own.
    limits: Arc<Limits>,
    /// On whose behalf changes are made, for the audit log.
    actor: Option<Arc<Actor>>,
    /// Counts what has become true here.
    metrics: Metrics,
}

/// What all handles to a database that was opened once share.
#[derive(Debug)]
pub struct Opened {
    dialect: Dialect,
    read: Connections,
    writer: write::Writer,
    revisions: revisions::Cache,
    marks: pages::Marks,
    /// Jobs that are wished for at the same time.
    new_jobs: Gather<new_jobs::Wish, Result<CreatedJob>>,
    /// Steps that end at the same time.
    ended_steps: Gather<runs::EndedStep, runs::Recorded>,
    looked_up: LookedUp,
}

impl Deref for Store {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}

/// What many ask for at the same time.
#[derive(Debug)]
struct LookedUp {
    tokens_by_secret: Lookups<Vec<u8>, Option<Token>>,
    tokens: Lookups<(ProjectId, TokenId), Option<Token>>,
    components: Lookups<(ProjectId, String), Option<Component>>,
    serving_plugins: Lookups<(ProjectId, String, &'static str), Option<ServingPlugin>>,
    orchestrations: Lookups<(ProjectId, OrchestrationId), Option<OrchestrationRow>>,
}

impl Default for LookedUp {
    fn default() -> Self {
        Self {
            tokens_by_secret: Lookups::new(|store, keys| {
                Box::pin(tokens::find_tokens(store, keys))
            }),
            tokens: Lookups::new(|store, keys| Box::pin(tokens::read_tokens(store, keys))),
            components: Lookups::new(|store, keys| {
                Box::pin(components::read_components(store, keys))
            }),
            serving_plugins: Lookups::new(|store, keys| {
                Box::pin(plugins::find_plugins(store, keys))
            }),
            orchestrations: Lookups::new(|store, keys| {
                Box::pin(orchestration_rows::find_rows(store, keys))
            }),
        }
    }
}

/// What the database cannot do for us.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or gave the transaction up. Nothing was written; another attempt could help.
    #[error("the database does not answer: {0}")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The write was not begun: the server is stopping, or no connection could be had.
    #[error("the database is closing or out of reach")]
    Closing,
    /// A row holds what this version cannot have written. Another attempt will not help.
    #[error("row of {table} is damaged: {reason}")]
    Damaged { table: &'static str, reason: String },
    /// The database cannot be opened or brought up to date.
    #[error("cannot migrate the database: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The address of the database is not one that this version speaks.
    #[error("cannot use the database address: {0}")]
    Address(String),
    /// The project has used up what it may use. Nothing was written.
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    /// The project is disabled or deleted. Nothing was written.
    #[error("the project is disabled")]
    ProjectClosed,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

impl StoreError {
    /// The same for one more caller, of those whose statements were one; a migration is nobody's statement.
    fn again(&self) -> Self {
        match self {
            Self::Unavailable(source) => Self::Unavailable(Arc::clone(source)),
            Self::Damaged { table, reason } => Self::Damaged {
                table,
                reason: reason.clone(),
            },
            Self::Address(reason) => Self::Address(reason.clone()),
            Self::OverQuota(over) => Self::OverQuota(*over),
            Self::ProjectClosed => Self::ProjectClosed,
            Self::Closing | Self::Migration(_) => Self::Closing,
        }
    }
}

type Result<T> = std::result::Result<T, StoreError>;

/// The embedded database's file in the data directory.
pub const DATABASE_FILE: &str = "orchestrator.sqlite";

/// Connections that only read: beside the writers, in SQLite thanks to its WAL.
const READ_CONNECTIONS: u32 = 8;
/// Writes that run side by side on PostgreSQL.
const WRITE_CONNECTIONS: u32 = 8;

impl Store {
    /// The address of the embedded database in a data directory, whatever characters its path has.
    #[must_use]
    pub fn embedded_url(data_dir: &Path) -> String {
        file_url(&data_dir.join(DATABASE_FILE))
    }

    /// Whether the database at this address is one file of one host, and not a server that hosts may share.
    #[must_use]
    pub fn is_embedded(url: &str) -> bool {
        matches!(Dialect::of_url(url), Ok(Dialect::Sqlite))
    }

    /// Opens the database and brings its schema up to date. An SQLite file is made where there is none.
    ///
    /// # Errors
    /// An address other than `sqlite://<path>` or `postgres://…`, a file that cannot be opened, a server that does not
    /// answer, or a schema newer than this version.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, FailPoints::NONE).await
    }

    /// The same, with places at which the host dies.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(url: &str, fail_points: FailPoints) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of_url(url)?;
        let options = dialect.options(url)?;
        let writers = match dialect {
            Dialect::Sqlite => 1,
            Dialect::Postgres => WRITE_CONNECTIONS,
        };
        let write = pool(dialect, writers).connect_with(options.clone()).await?;
        dialect.migrate(&write).await?;
        job_events::settle_moved(&mut *write.acquire().await?).await?;
        let write = Connections::new(write, dialect.forget_plans());
        let read = pool(dialect, READ_CONNECTIONS)
            .connect_with(options)
            .await?;
        let read = Connections::new(read, dialect.forget_plans());
        let opened = Opened {
            dialect,
            read,
            writer: write::Writer::start(dialect, write, fail_points),
            revisions: revisions::Cache::default(),
            marks: pages::Marks::default(),
            new_jobs: Gather::new(|store, tx, wishes| {
                Box::pin(new_jobs::create_jobs_in(store, tx, wishes))
            }),
            ended_steps: Gather::new(|store, tx, ended| {
                Box::pin(runs::end_steps_in(store, tx, ended))
            }),
            looked_up: LookedUp::default(),
        };
        Ok(Self {
            opened: Arc::new(opened),
            is_fenced: true,
            limits: Arc::default(),
            actor: None,
            metrics: Metrics::default(),
        })
    }

    /// Breaks promise 3: results are accepted whoever holds the lease. For the proof that the torture notices.
    #[doc(hidden)]
    #[must_use]
    pub fn without_fencing(self) -> Self {
        Self {
            is_fenced: false,
            ..self
        }
    }

    /// The same with limits for all projects that have none of their own.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self {
            limits: Arc::new(limits),
            ..self
        }
    }

    /// The same, counting here.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Waits for queued writes to be committed and closes all connections. Later writes are refused.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.read.close().await;
    }
}

fn file_url(path: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(*byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

fn pool_use(connections: &Connections) -> PoolUse {
    let (open, idle) = connections.count();
    PoolUse {
        idle,
        in_use: open.saturating_sub(idle),
    }
}

fn pool(dialect: Dialect, connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(connections::PATIENCE)
        .after_connect(move |connection, _| Box::pin(dialect.greet(connection)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_data_directory_may_have_any_name() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a b?c%20d#e:f");
        std::fs::create_dir(&dir).unwrap();

        Store::open(&Store::embedded_url(&dir)).await.unwrap();

        assert!(dir.join("orchestrator.sqlite").is_file());
        let relative = Store::embedded_url(Path::new("my data"));
        assert_eq!(relative, "sqlite://my%20data/orchestrator.sqlite");
    }
}

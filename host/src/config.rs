//! Configuration: the only reader of the environment and of the configuration file.
//!
//! Every setting has one name, in three spellings: `--data-dir`, `ORCHESTRATOR_DATA_DIR`, and `data-dir` in a TOML file.
//! A flag counts before the environment, that before the file, and the file before the default. Values are checked
//! here, at start, and a wrong one is refused by name. Secrets are no flags: those show in the process list.

mod check;
mod log;

pub use log::LogSource;

use crate::api::{ListenerSettings, RateLimits};
use crate::domain::quota::Limits;
use crate::domain::role::Roles;
use crate::plugins::{MailSettings, OutboundAllow, StepLimits};
use crate::tokens::{KeySource, RemoteSettings};
use ipnet::IpNet;
use serde::Deserialize;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Settings as they are given, by flags, environment or file.
#[expect(
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "these texts are the command's help, printed as they stand"
)]
#[derive(Clone, Default, clap::Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// TOML file with settings under the names of these flags
    #[arg(long, env = "ORCHESTRATOR_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "ORCHESTRATOR_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Address and port at which Prometheus finds /metrics; open to whoever reaches it [default: none]
    #[arg(long, env = "ORCHESTRATOR_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<String>,
    /// Folder for the database, keys and compiled plugins; made if it is missing [default: ./data]
    #[arg(long, env = "ORCHESTRATOR_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database: sqlite://, or postgres:// where several servers share it [default: sqlite://<data-dir>/orchestrator.sqlite]
    #[arg(
        long,
        env = "ORCHESTRATOR_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_url: Option<String>,
    /// What this server does, of api, scheduler, runner and notifier; fewer only where several servers share a database;
    /// repeatable or comma-separated [default: all four]
    #[arg(
        long,
        env = "ORCHESTRATOR_ROLES",
        value_name = "ROLE",
        value_delimiter = ','
    )]
    pub roles: Option<Vec<String>>,
    /// Address under which clients reach this server, with its path if it has one [default: as each request says]
    #[arg(long, env = "ORCHESTRATOR_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Where tasks that name a `component` find it; https only [default: https://syrup.keboola.com]
    #[arg(long, env = "ORCHESTRATOR_COMPONENTS_URL", value_name = "URL")]
    pub components_url: Option<String>,
    /// Mail server, smtp:// or smtps://, with user:password@ if it wants them [default: none, mail goes to the log]
    #[arg(
        long,
        env = "ORCHESTRATOR_SMTP_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub smtp_url: Option<String>,
    /// Sender of mail [default: orchestrator@localhost]
    #[arg(long, env = "ORCHESTRATOR_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// Address ranges or hosts that plugins may call although they are private, such as 127.0.0.1/32; repeatable or
    /// comma-separated [default: none]
    #[arg(
        long,
        env = "ORCHESTRATOR_OUTBOUND_ALLOW",
        value_name = "RANGE|HOST",
        value_delimiter = ','
    )]
    pub outbound_allow: Vec<String>,
    /// PEM file with an authority to trust in plugins' calls and in those of the Storage API, beside the public ones [default: none]
    #[arg(long, env = "ORCHESTRATOR_OUTBOUND_CA", value_name = "FILE")]
    pub outbound_ca: Option<PathBuf>,
    /// Address ranges of proxies whose X-Forwarded-Proto, -Host and -For are believed; repeatable or
    /// comma-separated [default: none]
    #[arg(
        long,
        env = "ORCHESTRATOR_TRUSTED_PROXIES",
        value_name = "RANGE",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<String>,
    /// Most task steps that run at once, 1 to 1024 [default: 64]
    #[arg(long, env = "ORCHESTRATOR_WORKERS", value_name = "N")]
    pub workers: Option<u64>,
    /// Most task steps of one project that run at once, 1 to 1024 [default: 32]
    #[arg(long, env = "ORCHESTRATOR_PROJECT_WORKERS", value_name = "N")]
    pub project_workers: Option<u64>,
    /// Computing time of one step, in seconds, 1 to 3600 [default: 10]
    #[arg(long, env = "ORCHESTRATOR_STEP_CPU_SECONDS", value_name = "N")]
    pub step_cpu_seconds: Option<u64>,
    /// Time of one step, in seconds, 1 to 86400; a component that answers later is not waited for [default: 900]
    #[arg(long, env = "ORCHESTRATOR_STEP_WALL_SECONDS", value_name = "N")]
    pub step_wall_seconds: Option<u64>,
    /// Memory of one step, in MiB, 1 to 1024 [default: 128]
    #[arg(long, env = "ORCHESTRATOR_STEP_MEMORY_MIB", value_name = "N")]
    pub step_memory_mib: Option<u64>,
    /// Largest body of an API request, in KiB, 1 to 65536 [default: 1024]
    #[arg(long, env = "ORCHESTRATOR_BODY_LIMIT_KIB", value_name = "N")]
    pub body_limit_kib: Option<u64>,
    /// Largest component that a project may upload, in MiB, 1 to 256 [default: 32]
    #[arg(long, env = "ORCHESTRATOR_PLUGIN_LIMIT_MIB", value_name = "N")]
    pub plugin_limit_mib: Option<u64>,
    /// Folder with plugins (*.wasm) that are shared with all projects [default: none]
    #[arg(long, env = "ORCHESTRATOR_SHARED_PLUGINS", value_name = "DIR")]
    pub shared_plugins: Option<PathBuf>,
    /// Who keeps tokens and projects: embedded, or storage-api for a service elsewhere [default: embedded]
    #[arg(
        long,
        env = "ORCHESTRATOR_TOKEN_BACKEND",
        value_name = "embedded|storage-api"
    )]
    pub token_backend: Option<String>,
    /// Where that service is; https only [default: https://connection.keboola.com]
    #[arg(long, env = "ORCHESTRATOR_STORAGE_API_URL", value_name = "URL")]
    pub storage_api_url: Option<String>,
    /// How long a token is taken for valid once that service said so, in seconds, 0 to 3600 [default: 60]
    #[arg(long, env = "ORCHESTRATOR_TOKEN_CACHE_SECONDS", value_name = "N")]
    pub token_cache_seconds: Option<u64>,
    /// Most orchestrations of a project [default: unlimited]
    #[arg(long, env = "ORCHESTRATOR_QUOTA_ORCHESTRATIONS", value_name = "N")]
    pub quota_orchestrations: Option<u64>,
    /// Most jobs of a project in a UTC day [default: unlimited]
    #[arg(long, env = "ORCHESTRATOR_QUOTA_JOBS_PER_DAY", value_name = "N")]
    pub quota_jobs_per_day: Option<u64>,
    /// Most jobs of a project that run a step at the same time, over all servers; others wait [default: unlimited]
    #[arg(long, env = "ORCHESTRATOR_QUOTA_CONCURRENT_JOBS", value_name = "N")]
    pub quota_concurrent_jobs: Option<u64>,
    /// Computing time of a project's steps in a UTC day, in seconds [default: unlimited]
    #[arg(long, env = "ORCHESTRATOR_QUOTA_CPU_SECONDS_PER_DAY", value_name = "N")]
    pub quota_cpu_seconds_per_day: Option<u64>,
    /// Most plugins of a project's own [default: 100]
    #[arg(long, env = "ORCHESTRATOR_QUOTA_PLUGINS", value_name = "N")]
    pub quota_plugins: Option<u64>,
    /// What is kept of a project's configurations, plugins and answers, in MiB [default: unlimited]
    #[arg(long, env = "ORCHESTRATOR_QUOTA_STORAGE_MIB", value_name = "N")]
    pub quota_storage_mib: Option<u64>,
    /// PEM file with the certificate chain: the API is served over TLS [default: none, plain HTTP]
    #[arg(long, env = "ORCHESTRATOR_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key [default: none]
    #[arg(long, env = "ORCHESTRATOR_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Most connections of clients at once, 16 to 1000000; beyond, the longest idle one is closed [default: 16384]
    #[arg(long, env = "ORCHESTRATOR_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<u64>,
    /// Requests per second of one token, those of 20 seconds at once; 0: no limit [default: 300]
    #[arg(long, env = "ORCHESTRATOR_TOKEN_RATE", value_name = "N")]
    pub token_rate: Option<u64>,
    /// Requests per second of one client address, those of 20 seconds at once; 0: no limit [default: 600]
    #[arg(long, env = "ORCHESTRATOR_ADDRESS_RATE", value_name = "N")]
    pub address_rate: Option<u64>,
    /// Requests per minute of one client address without a valid token; 0: no limit [default: 60]
    #[arg(long, env = "ORCHESTRATOR_REFUSED_RATE", value_name = "N")]
    pub refused_rate: Option<u64>,
    /// How long entries of the audit log are kept, in days, 1 to 36500 [default: 365]
    #[arg(long, env = "ORCHESTRATOR_AUDIT_DAYS", value_name = "N")]
    pub audit_days: Option<u64>,
    /// What is logged: error, warn, info, debug, or a filter such as info,plugin=debug [default: info]
    #[arg(long, env = "ORCHESTRATOR_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// How lines of the log look: text, or json, one object a line [default: text]
    #[arg(long, env = "ORCHESTRATOR_LOG_FORMAT", value_name = "text|json")]
    pub log_format: Option<String>,
    /// Collector of OpenTelemetry that traces are sent to, by OTLP over HTTP, such as http://127.0.0.1:4318 [default: none]
    #[arg(
        long,
        env = "ORCHESTRATOR_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otlp_endpoint: Option<String>,
    /// File with the master key, made if it is missing; 0600 [default: <data-dir>/master.key]
    #[arg(long, env = "ORCHESTRATOR_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Command that prints the master key, run by /bin/sh at start [default: none]
    #[arg(
        long,
        env = "ORCHESTRATOR_MASTER_KEY_COMMAND",
        value_name = "COMMAND",
        hide_env_values = true
    )]
    pub master_key_command: Option<String>,
    /// 32 bytes as base64 or 64 hexadecimal digits; several, newest first, while they take turns. Environment or file
    /// only.
    #[arg(skip)]
    pub master_key: Option<String>,
    /// Master token of project 1, made at the first start; environment or file only.
    #[arg(skip)]
    pub master_token: Option<String>,
    /// Opens the calls for operators; environment or file only.
    #[arg(skip)]
    pub operator_token: Option<String>,
}

/// Checked settings.
#[derive(Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// Where what is counted is shown.
    pub metrics_listen: Option<SocketAddr>,
    pub data_dir: PathBuf,
    pub database_url: String,
    pub roles: Roles,
    /// Without a trailing slash.
    pub public_url: Option<String>,
    /// Without a trailing slash.
    pub components_url: String,
    pub mail: Option<MailSettings>,
    pub outbound_allow: Vec<OutboundAllow>,
    pub outbound_ca_pem: Option<Vec<u8>>,
    pub trusted_proxies: Vec<IpNet>,
    pub workers: usize,
    pub project_workers: usize,
    pub step_limits: StepLimits,
    pub body_limit_bytes: usize,
    pub plugin_limit_bytes: usize,
    pub shared_plugins: Option<PathBuf>,
    pub listener: ListenerSettings,
    pub rate_limits: RateLimits,
    pub audit_retention: Duration,
    pub log: LogSource,
    /// Without a trailing slash.
    pub otlp_endpoint: Option<String>,
    pub master_key: KeySource,
    pub master_token: Option<String>,
    /// True, but in the build that is broken on purpose; no setting.
    #[doc(hidden)]
    pub is_fenced: bool,
    pub operator_token: Option<String>,
    /// Of projects that have none of their own.
    pub quotas: Limits,
    /// `None`: tokens are kept here.
    pub storage_api: Option<RemoteSettings>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {why}")]
pub struct ConfigError {
    pub setting: &'static str,
    /// Reads on from the name.
    pub why: String,
}

fn wrong(setting: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError {
        setting,
        why: why.into(),
    }
}

impl Settings {
    /// Adds what the environment and the file say where no flag did, and checks everything.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn load(mut self) -> Result<Config, ConfigError> {
        self.master_key = environment("ORCHESTRATOR_MASTER_KEY");
        self.master_token = environment("ORCHESTRATOR_MASTER_TOKEN");
        self.operator_token = operator_token();
        if let Some(path) = self.config.clone() {
            let text = fs::read_to_string(&path).map_err(|error| {
                wrong("config", format!("cannot read {}: {error}", path.display()))
            })?;
            let file = parse_file(&text)
                .map_err(|why| wrong("config", format!("{} is wrong: {why}", path.display())))?;
            let is_of_file = self.log.is_none() && file.log.is_some();
            let mut config = self.or(file).check()?;
            config.log.file = is_of_file.then_some(path);
            return Ok(config);
        }
        self.check()
    }

    /// These settings, and where one is not given the other's.
    fn or(self, other: Self) -> Self {
        let list = |mine: Vec<String>, others| if mine.is_empty() { others } else { mine };
        Self {
            config: self.config,
            listen: self.listen.or(other.listen),
            metrics_listen: self.metrics_listen.or(other.metrics_listen),
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            roles: self.roles.or(other.roles),
            public_url: self.public_url.or(other.public_url),
            components_url: self.components_url.or(other.components_url),
            smtp_url: self.smtp_url.or(other.smtp_url),
            mail_from: self.mail_from.or(other.mail_from),
            outbound_allow: list(self.outbound_allow, other.outbound_allow),
            outbound_ca: self.outbound_ca.or(other.outbound_ca),
            trusted_proxies: list(self.trusted_proxies, other.trusted_proxies),
            workers: self.workers.or(other.workers),
            project_workers: self.project_workers.or(other.project_workers),
            step_cpu_seconds: self.step_cpu_seconds.or(other.step_cpu_seconds),
            step_wall_seconds: self.step_wall_seconds.or(other.step_wall_seconds),
            step_memory_mib: self.step_memory_mib.or(other.step_memory_mib),
            body_limit_kib: self.body_limit_kib.or(other.body_limit_kib),
            plugin_limit_mib: self.plugin_limit_mib.or(other.plugin_limit_mib),
            shared_plugins: self.shared_plugins.or(other.shared_plugins),
            token_backend: self.token_backend.or(other.token_backend),
            storage_api_url: self.storage_api_url.or(other.storage_api_url),
            token_cache_seconds: self.token_cache_seconds.or(other.token_cache_seconds),
            quota_orchestrations: self.quota_orchestrations.or(other.quota_orchestrations),
            quota_jobs_per_day: self.quota_jobs_per_day.or(other.quota_jobs_per_day),
            quota_concurrent_jobs: self.quota_concurrent_jobs.or(other.quota_concurrent_jobs),
            quota_cpu_seconds_per_day: self
                .quota_cpu_seconds_per_day
                .or(other.quota_cpu_seconds_per_day),
            quota_plugins: self.quota_plugins.or(other.quota_plugins),
            quota_storage_mib: self.quota_storage_mib.or(other.quota_storage_mib),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            max_connections: self.max_connections.or(other.max_connections),
            token_rate: self.token_rate.or(other.token_rate),
            address_rate: self.address_rate.or(other.address_rate),
            refused_rate: self.refused_rate.or(other.refused_rate),
            audit_days: self.audit_days.or(other.audit_days),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
            master_key_file: self.master_key_file.or(other.master_key_file),
            master_key_command: self.master_key_command.or(other.master_key_command),
            master_key: self.master_key.or(other.master_key),
            master_token: self.master_token.or(other.master_token),
            operator_token: self.operator_token.or(other.operator_token),
        }
    }
}

/// The parser's own text quotes the line, which may hold a secret: told are its number and what is wrong with it.
fn parse_file(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count();
        format!("line {line}: {}", error.message())
    })
}

/// What the environment says to commands that call a server.
#[derive(Default)]
pub(crate) struct CallerSettings {
    pub(crate) url: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) profile: Option<String>,
    /// The user's folder for settings of all programs.
    pub(crate) config_home: Option<PathBuf>,
}

impl CallerSettings {
    pub(crate) fn of_environment() -> Self {
        let home = || Some(PathBuf::from(environment("HOME")?).join(".config"));
        let config_home = environment("XDG_CONFIG_HOME").map(PathBuf::from);
        Self {
            url: environment("ORCHESTRATOR_URL"),
            token: environment("ORCHESTRATOR_TOKEN"),
            profile: environment("ORCHESTRATOR_PROFILE"),
            config_home: config_home.filter(|path| path.is_absolute()).or_else(home),
        }
    }
}

/// The operator's token as commands have it: from the environment, never from an argument.
#[must_use]
pub fn operator_token() -> Option<String> {
    environment("ORCHESTRATOR_OPERATOR_TOKEN")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;

//! Configuration: the only reader of the environment and of the configuration file.
//!
//! Every setting has one name, in three spellings: `--data-dir`, `ORCHESTRATOR_DATA_DIR`, and `data-dir` in a TOML file.
//! A flag counts before the environment, that before the file, and the file before the default. Values are checked
//! here, at start, and a wrong one is refused by name. The two secrets are no flags: those show in the process list.

use crate::plugins::{MailSettings, OutboundAllow, StepLimits};
use crate::tokens::{SECRET_BYTES, is_secret};
use ipnet::IpNet;
use serde::Deserialize;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use url::Url;

/// Settings as they are given, by flags, environment or file.
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
    /// Folder for the database, keys and compiled plugins; made if it is missing [default: ./data]
    #[arg(long, env = "ORCHESTRATOR_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database [default: sqlite://<data-dir>/orchestrator.sqlite]
    #[arg(
        long,
        env = "ORCHESTRATOR_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_url: Option<String>,
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
    /// PEM file with an authority to trust in plugins' calls, beside the public ones [default: none]
    #[arg(long, env = "ORCHESTRATOR_OUTBOUND_CA", value_name = "FILE")]
    pub outbound_ca: Option<PathBuf>,
    /// Address ranges of proxies whose X-Forwarded-Proto and X-Forwarded-Host are believed; repeatable or
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
    /// What is logged: error, warn, info, debug, or a filter such as info,plugin=debug [default: info]
    #[arg(long, env = "ORCHESTRATOR_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// 32 bytes as base64 or 64 hexadecimal digits; environment or file only.
    #[arg(skip)]
    pub master_key: Option<String>,
    /// Master token of project 1, made at the first start; environment or file only.
    #[arg(skip)]
    pub master_token: Option<String>,
}

/// Checked settings.
#[derive(Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub database_url: String,
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
    pub log: String,
    pub master_key: Option<String>,
    pub master_token: Option<String>,
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
        if let Some(path) = self.config.clone() {
            let text = fs::read_to_string(&path).map_err(|error| {
                wrong("config", format!("cannot read {}: {error}", path.display()))
            })?;
            let file: Self = toml::from_str(&text).map_err(|error| {
                wrong("config", format!("{} is wrong: {error}", path.display()))
            })?;
            self = self.or(file);
        }
        self.check()
    }

    /// These settings, and where one is not given the other's.
    fn or(self, other: Self) -> Self {
        let list = |mine: Vec<String>, others| if mine.is_empty() { others } else { mine };
        Self {
            config: self.config,
            listen: self.listen.or(other.listen),
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
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
            log: self.log.or(other.log),
            master_key: self.master_key.or(other.master_key),
            master_token: self.master_token.or(other.master_token),
        }
    }

    fn check(self) -> Result<Config, ConfigError> {
        let listen = self.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen = listen.parse().map_err(|_| {
            wrong(
                "listen",
                format!("must be an address and a port such as 127.0.0.1:8080, not {listen:?}"),
            )
        })?;
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("data"));
        let database_url = match self.database_url {
            None => crate::store::Store::embedded_url(&data_dir),
            Some(url) if url.starts_with("sqlite://") => url,
            // Not shown: it may hold a password.
            Some(_) => {
                let why = "must start with sqlite://: this version speaks to no other database";
                return Err(wrong("database-url", why));
            }
        };
        let components_url = self
            .components_url
            .as_deref()
            .unwrap_or("https://syrup.keboola.com");
        let defaults = StepLimits::default();
        let seconds =
            |value: Option<u64>, default: Duration| value.map_or(default, Duration::from_secs);
        let cpu = within("step-cpu-seconds", self.step_cpu_seconds, 1..=3_600)?;
        let wall = within("step-wall-seconds", self.step_wall_seconds, 1..=86_400)?;
        let memory = within("step-memory-mib", self.step_memory_mib, 1..=1_024)?;
        let step_limits = StepLimits {
            cpu: seconds(cpu, defaults.cpu),
            wall: seconds(wall, defaults.wall),
            memory_bytes: memory.map_or(defaults.memory_bytes, |mib| size(mib) << 20),
            ..defaults
        };
        Ok(Config {
            listen,
            database_url,
            public_url: self
                .public_url
                .as_deref()
                .map(|url| base_address("public-url", url, &["http", "https"]))
                .transpose()?,
            components_url: base_address("components-url", components_url, &["https"])?,
            mail: mail(self.smtp_url, self.mail_from)?,
            outbound_allow: list("outbound-allow", &self.outbound_allow)?,
            outbound_ca_pem: self.outbound_ca.as_deref().map(authority).transpose()?,
            trusted_proxies: networks("trusted-proxies", &self.trusted_proxies)?,
            workers: size(within("workers", self.workers, 1..=1_024)?.unwrap_or(64)),
            project_workers: size(
                within("project-workers", self.project_workers, 1..=1_024)?.unwrap_or(32),
            ),
            step_limits,
            body_limit_bytes: size(
                within("body-limit-kib", self.body_limit_kib, 1..=65_536)?.unwrap_or(1_024),
            ) << 10,
            log: log(self.log.as_deref())?,
            master_key: self.master_key,
            master_token: master_token(self.master_token)?,
            data_dir,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn within(
    setting: &'static str,
    value: Option<u64>,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, ConfigError> {
    match value {
        Some(value) if !range.contains(&value) => {
            let why = format!("must be {} to {}, not {value}", range.start(), range.end());
            Err(wrong(setting, why))
        }
        value => Ok(value),
    }
}

/// An address that others are appended to: no query, no fragment, no trailing slash.
fn base_address(
    setting: &'static str,
    text: &str,
    schemes: &[&str],
) -> Result<String, ConfigError> {
    let schemes_named = schemes.join(":// or ");
    let refused = |why: &str| wrong(setting, format!("{why}, not {text:?}"));
    let url = Url::parse(text).map_err(|_| {
        refused(&format!(
            "must be an address that starts with {schemes_named}://"
        ))
    })?;
    if !schemes.contains(&url.scheme()) {
        return Err(refused(&format!("must start with {schemes_named}://")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("must have no query and no fragment"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(setting, "must hold no user and no password"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn mail(
    smtp_url: Option<String>,
    from: Option<String>,
) -> Result<Option<MailSettings>, ConfigError> {
    let from = from.unwrap_or_else(|| "orchestrator@localhost".into());
    if let Err(error) = lettre::message::Mailbox::from_str(&from) {
        return Err(wrong(
            "mail-from",
            format!("must be a mail address: {error}"),
        ));
    }
    let Some(smtp_url) = smtp_url else {
        return Ok(None);
    };
    let scheme = Url::parse(&smtp_url)
        .ok()
        .map(|url| url.scheme().to_owned());
    if !matches!(scheme.as_deref(), Some("smtp" | "smtps")) {
        return Err(wrong(
            "smtp-url",
            "must be an address that starts with smtp:// or smtps://",
        ));
    }
    Ok(Some(MailSettings { smtp_url, from }))
}

fn list<T: FromStr>(setting: &'static str, texts: &[String]) -> Result<Vec<T>, ConfigError>
where
    T::Err: fmt::Display,
{
    let given = texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    given
        .map(|text| {
            text.parse()
                .map_err(|error| wrong(setting, format!("holds {text:?}: {error}")))
        })
        .collect()
}

/// Address ranges; a bare address is a range of one.
fn networks(setting: &'static str, texts: &[String]) -> Result<Vec<IpNet>, ConfigError> {
    let whole: Vec<String> = texts
        .iter()
        .map(|text| match text.trim().parse::<std::net::IpAddr>() {
            Ok(address) => IpNet::from(address).to_string(),
            Err(_) => text.clone(),
        })
        .collect();
    list(setting, &whole)
}

fn authority(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let pem = fs::read(path).map_err(|error| {
        wrong(
            "outbound-ca",
            format!("cannot be read at {}: {error}", path.display()),
        )
    })?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map(|list| list.len());
    match certificates {
        Ok(1..) => Ok(pem),
        _ => Err(wrong(
            "outbound-ca",
            format!("must be a PEM file with a certificate: {}", path.display()),
        )),
    }
}

fn log(filter: Option<&str>) -> Result<String, ConfigError> {
    let filter = filter.unwrap_or("info");
    match tracing_subscriber::EnvFilter::try_new(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(wrong(
            "log",
            format!("must be a level or a filter: {error}"),
        )),
    }
}

fn master_token(token: Option<String>) -> Result<Option<String>, ConfigError> {
    match token {
        Some(token) if !is_secret(&token) => {
            let why = format!(
                "must be {} to {} visible ASCII characters",
                SECRET_BYTES.start(),
                SECRET_BYTES.end()
            );
            Err(wrong("master-token (ORCHESTRATOR_MASTER_TOKEN)", why))
        }
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(settings: Settings) -> String {
        settings.check().unwrap_err().to_string()
    }

    fn given() -> Settings {
        Settings::default()
    }

    #[test]
    fn nothing_has_to_be_configured() {
        let config = given().check().unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database_url, "sqlite://data/orchestrator.sqlite");
        assert_eq!(config.components_url, "https://syrup.keboola.com");
        assert_eq!((config.workers, config.project_workers), (64, 32));
    }

    #[test]
    fn what_a_flag_says_counts_before_the_file() {
        let file: Settings =
            toml::from_str("workers = 5\nlisten = \"0.0.0.0:1\"\noutbound-allow = [\"127.0.0.1\"]")
                .unwrap();
        let flags = Settings {
            workers: Some(7),
            ..given()
        };
        let config = flags.or(file).check().unwrap();
        assert_eq!((config.workers, config.listen.port()), (7, 1));
        assert_eq!(config.outbound_allow.len(), 1);
    }

    #[test]
    fn a_wrong_value_is_refused_by_the_name_of_its_setting() {
        let text = |text: &str| Some(text.to_owned());
        let refusals = [
            refusal(Settings {
                listen: text("8080"),
                ..given()
            }),
            refusal(Settings {
                workers: Some(0),
                ..given()
            }),
            refusal(Settings {
                public_url: text("ftp://x"),
                ..given()
            }),
            refusal(Settings {
                components_url: text("http://x"),
                ..given()
            }),
            refusal(Settings {
                smtp_url: text("mail.example.com"),
                ..given()
            }),
            refusal(Settings {
                mail_from: text("nobody"),
                ..given()
            }),
            refusal(Settings {
                outbound_allow: vec!["127.0.0.1/99".into()],
                ..given()
            }),
            refusal(Settings {
                outbound_ca: Some("/no/such/file".into()),
                ..given()
            }),
            refusal(Settings {
                trusted_proxies: vec!["proxy".into()],
                ..given()
            }),
            refusal(Settings {
                database_url: text("mysql://x"),
                ..given()
            }),
            refusal(Settings {
                log: text("a=b=c"),
                ..given()
            }),
            refusal(Settings {
                master_token: text("short"),
                ..given()
            }),
        ];
        let names = [
            "listen",
            "workers",
            "public-url",
            "components-url",
            "smtp-url",
            "mail-from",
            "outbound-allow",
            "outbound-ca",
            "trusted-proxies",
            "database-url",
            "log",
            "master-token",
        ];
        for (refusal, name) in refusals.iter().zip(names) {
            assert!(refusal.starts_with(name), "{refusal}");
        }
    }

    #[test]
    fn a_file_with_an_unknown_setting_is_refused() {
        let error = toml::from_str::<Settings>("wokers = 5")
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("wokers") && error.contains("workers"),
            "{error}"
        );
    }

    #[test]
    fn base_addresses_lose_their_trailing_slash_and_keep_their_path() {
        let settings = Settings {
            public_url: Some("https://example.com/orchestrator/".into()),
            ..given()
        };
        let config = settings.check().unwrap();
        assert_eq!(
            config.public_url.as_deref(),
            Some("https://example.com/orchestrator")
        );
    }
}

//! From settings as they are given to settings that can be used: every value is judged here, and a refusal names it.
//!
//! What a value is for is checked as far as that goes without acting: an authority's certificate is decoded, the mail
//! server's address is understood, but nobody is called. Settings that are meant to hold a secret are never quoted.

use super::{Config, ConfigError, LogSource, Settings, wrong};
use crate::api::{ListenerSettings, Rate, RateLimits, Tls, TlsError};
use crate::domain::quota::{Limits, Quota};
use crate::domain::role::Roles;
use crate::plugins::{MailSettings, StepLimits};
use crate::store::Store;
use crate::tokens::{KEY_FILE, KeySource, RemoteSettings, SECRET_BYTES, is_master_key, is_secret};
use ipnet::IpNet;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;
use url::Url;

/// Plugins that a project may have where nothing else is said.
const MOST_PLUGINS: u64 = 100;

impl Settings {
    pub(super) fn check(self) -> Result<Config, ConfigError> {
        let listen = self.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen = listen_at("listen", listen)?;
        let metrics_listen = self.metrics_listen.as_deref();
        let metrics_listen = metrics_listen
            .map(|text| listen_at("metrics-listen", text))
            .transpose()?;
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("data"));
        let database_url = match self.database_url {
            None => Store::embedded_url(&data_dir),
            Some(url)
                if ["sqlite://", "postgres://", "postgresql://"]
                    .iter()
                    .any(|scheme| url.starts_with(scheme)) =>
            {
                url
            }
            // Not shown: it may hold a password.
            Some(_) => {
                let why = "must start with sqlite:// or postgres://";
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
        let quotas = [
            (Quota::Orchestrations, self.quota_orchestrations),
            (Quota::JobsPerDay, self.quota_jobs_per_day),
            (Quota::ConcurrentJobs, self.quota_concurrent_jobs),
            (Quota::CpuSecondsPerDay, self.quota_cpu_seconds_per_day),
            (
                Quota::Plugins,
                Some(self.quota_plugins.unwrap_or(MOST_PLUGINS)),
            ),
            (
                Quota::StorageBytes,
                within("quota-storage-mib", self.quota_storage_mib, 0..=1 << 40)?
                    .map(|mib| mib << 20),
            ),
        ];
        let quotas = quotas.map(|(quota, limit)| Some((quota, limit?)));
        let quotas = Limits::new(quotas.into_iter().flatten());
        let outbound_ca_pem = self.outbound_ca.as_deref().map(authority).transpose()?;
        let cache = within("token-cache-seconds", self.token_cache_seconds, 0..=3_600)?;
        let storage_api_url = self
            .storage_api_url
            .as_deref()
            .unwrap_or("https://connection.keboola.com");
        let storage_api = RemoteSettings {
            url: base_address("storage-api-url", storage_api_url, &["https"])?,
            extra_ca_pem: outbound_ca_pem.clone(),
            cache_for: Duration::from_secs(cache.unwrap_or(60)),
        };
        let storage_api = match self.token_backend.as_deref() {
            None | Some("embedded") => None,
            Some("storage-api") => Some(storage_api),
            Some(other) => {
                let why = format!("must be embedded or storage-api, not {other:?}");
                return Err(wrong("token-backend", why));
            }
        };
        Ok(Config {
            listen,
            metrics_listen,
            roles: roles(self.roles.as_deref(), &database_url)?,
            database_url,
            public_url: self
                .public_url
                .as_deref()
                .map(|url| base_address("public-url", url, &["http", "https"]))
                .transpose()?,
            components_url: base_address("components-url", components_url, &["https"])?,
            mail: mail(self.smtp_url, self.mail_from)?,
            outbound_allow: list("outbound-allow", &self.outbound_allow)?,
            outbound_ca_pem,
            trusted_proxies: networks("trusted-proxies", &self.trusted_proxies)?,
            workers: size(within("workers", self.workers, 1..=1_024)?.unwrap_or(64)),
            project_workers: size(
                within("project-workers", self.project_workers, 1..=1_024)?.unwrap_or(32),
            ),
            step_limits,
            body_limit_bytes: size(
                within("body-limit-kib", self.body_limit_kib, 1..=65_536)?.unwrap_or(1_024),
            ) << 10,
            plugin_limit_bytes: size(
                within("plugin-limit-mib", self.plugin_limit_mib, 1..=256)?.unwrap_or(32),
            ) << 20,
            shared_plugins: self.shared_plugins.map(folder).transpose()?,
            listener: ListenerSettings {
                tls: tls(self.tls_cert.as_deref(), self.tls_key.as_deref())?,
                most_connections: size(
                    within("max-connections", self.max_connections, 16..=1_000_000)?
                        .unwrap_or(16_384),
                ),
                ..ListenerSettings::default()
            },
            rate_limits: RateLimits {
                token: Rate::per_second(rate("token-rate", self.token_rate)?.unwrap_or(300)),
                address: Rate::per_second(rate("address-rate", self.address_rate)?.unwrap_or(600)),
                refused: Rate::per_minute(rate("refused-rate", self.refused_rate)?.unwrap_or(60)),
            },
            audit_retention: Duration::from_secs(
                within("audit-days", self.audit_days, 1..=36_500)?.unwrap_or(365) * 24 * 60 * 60,
            ),
            log: LogSource::new(self.log.as_deref(), self.log_format.as_deref())?,
            otlp_endpoint: self
                .otlp_endpoint
                .as_deref()
                .map(|url| base_address("otlp-endpoint", url, &["http", "https"]))
                .transpose()?,
            master_key: master_key(
                self.master_key,
                self.master_key_command.as_deref(),
                self.master_key_file
                    .unwrap_or_else(|| data_dir.join(KEY_FILE)),
            )?,
            is_fenced: true,
            master_token: secret(
                "master-token (ORCHESTRATOR_MASTER_TOKEN)",
                self.master_token,
            )?,
            operator_token: secret(
                "operator-token (ORCHESTRATOR_OPERATOR_TOKEN)",
                self.operator_token,
            )?,
            quotas,
            storage_api,
            data_dir,
        })
    }
}

fn folder(path: PathBuf) -> Result<PathBuf, ConfigError> {
    if path.is_dir() {
        Ok(path)
    } else {
        Err(wrong(
            "shared-plugins",
            format!("must be a folder, which {} is not", path.display()),
        ))
    }
}

/// An embedded database has one server: what that leaves out would be done by nobody.
fn roles(given: Option<&[String]>, database_url: &str) -> Result<Roles, ConfigError> {
    let Some(given) = given else {
        return Ok(Roles::all());
    };
    let roles = Roles::of(list("roles", given)?).ok_or_else(|| {
        let why = "must name one at least of api, scheduler, runner and notifier";
        wrong("roles", why)
    })?;
    if let [left_out, ..] = roles.left_out().as_slice()
        && Store::is_embedded(database_url)
    {
        let why = format!(
            "must be all four where the database is embedded: it has one server, and nobody else would be its {}",
            left_out.as_str()
        );
        return Err(wrong("roles", why));
    }
    Ok(roles)
}

fn listen_at(setting: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| {
        let why = format!("must be an address and a port such as 127.0.0.1:8080, not {text:?}");
        wrong(setting, why)
    })
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

fn rate(setting: &'static str, value: Option<u64>) -> Result<Option<u64>, ConfigError> {
    within(setting, value, 0..=1_000_000)
}

/// The pair is read, so that a wrong one is refused at start.
fn tls(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<Tls>, ConfigError> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(wrong("tls-key", "must be given with tls-cert")),
        (None, Some(_)) => Err(wrong("tls-cert", "must be given with tls-key")),
        (Some(cert), Some(key)) => match Tls::load(cert, key) {
            Ok(tls) => Ok(Some(tls)),
            Err(error @ TlsError::NoKey { .. }) => {
                Err(wrong("tls-key", format!("cannot be used: {error}")))
            }
            Err(error) => Err(wrong("tls-cert", format!("cannot be used: {error}"))),
        },
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
    // Its error could quote the address with its password.
    if AsyncSmtpTransport::<Tokio1Executor>::from_url(&smtp_url).is_err() {
        let why = "must be smtp://[user:password@]host[:port] or smtps://…";
        return Err(wrong("smtp-url", why));
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
    match count_certificates(&pem) {
        Ok(1..) => Ok(pem),
        Ok(0) => Err(wrong(
            "outbound-ca",
            format!("holds no PEM certificate: {}", path.display()),
        )),
        Err(error) => Err(wrong(
            "outbound-ca",
            format!("holds what is no certificate ({error}): {}", path.display()),
        )),
    }
}

fn count_certificates(pem: &[u8]) -> Result<usize, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    Ok(roots.len())
}

/// The key itself counts before the command, that before the file.
fn master_key(
    key: Option<String>,
    command: Option<&str>,
    file: PathBuf,
) -> Result<KeySource, ConfigError> {
    const SHAPE: &str = "must be 32 bytes, as base64 or as 64 hexadecimal digits";
    let setting = "master-key (ORCHESTRATOR_MASTER_KEY)";
    match (key, command) {
        (Some(key), _) if is_master_key(&key) => Ok(KeySource::Given(key)),
        (Some(_), _) => Err(wrong(setting, SHAPE)),
        (None, Some(command)) => printed_key(command).map(KeySource::Given),
        (None, None) => Ok(KeySource::File(file)),
    }
}

/// What the command prints is never shown.
fn printed_key(command: &str) -> Result<String, ConfigError> {
    let setting = "master-key-command";
    let output = Command::new("/bin/sh").args(["-c", command]).output();
    let output = output.map_err(|error| wrong(setting, format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(wrong(setting, format!("failed: {}", output.status)));
    }
    let printed = String::from_utf8(output.stdout).unwrap_or_default();
    if is_master_key(&printed) {
        Ok(printed)
    } else {
        Err(wrong(
            setting,
            "must print 32 bytes, as base64 or as 64 hexadecimal digits",
        ))
    }
}

fn secret(setting: &'static str, token: Option<String>) -> Result<Option<String>, ConfigError> {
    match token {
        Some(token) if !is_secret(&token) => {
            let why = format!(
                "must be {} to {} visible ASCII characters",
                SECRET_BYTES.start(),
                SECRET_BYTES.end()
            );
            Err(wrong(setting, why))
        }
        token => Ok(token),
    }
}

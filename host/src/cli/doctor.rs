//! `orchestrator doctor`: looks at what a server would need, and says what to mend.
//!
//! Nothing is changed. Each finding is a line; the command ends with 0 where all is well, 1 where something keeps a
//! server from working or is unsafe, and 2 where a setting cannot be used.

use crate::clock::{Clock, Random};
use crate::config::{Config, Settings};
use crate::store::Store;
use crate::tokens::{KeySource, Keys, opens_all};
use std::fs;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const EXIT_BAD_SETTING: u8 = 2;
/// Before this no server of this version can have run, in seconds since 1970: the clock is wrong.
const RELEASED: i64 = 1_760_000_000;

/// For the mail server.
const LONGEST_CONNECT: Duration = Duration::from_secs(5);

/// What was looked at, and what came of it.
enum Finding {
    Fine(String),
    /// Works, but is better known.
    Note(String),
    /// What is wrong and what mends it.
    Wrong(String),
}

/// Prints the findings.
///
/// # Errors
/// Where nothing can be printed.
pub async fn run(settings: Settings, out: &mut (dyn Write + Send)) -> io::Result<ExitCode> {
    let config = match settings.load() {
        Ok(config) => config,
        Err(error) => {
            writeln!(out, "WRONG  setting {error}")?;
            return Ok(ExitCode::from(EXIT_BAD_SETTING));
        }
    };
    let mut findings = vec![Finding::Fine("settings can be used".into())];
    findings.extend(look_at_files(&config));
    findings.push(look_at_key(&config));
    findings.push(look_at_clock(&Clock::system()));
    findings.extend(look_at_database(&config).await);
    findings.extend(look_at_edges(&config));
    let mut is_well = true;
    for finding in findings {
        match finding {
            Finding::Fine(text) => writeln!(out, "ok     {text}")?,
            Finding::Note(text) => writeln!(out, "note   {text}")?,
            Finding::Wrong(text) => {
                is_well = false;
                writeln!(out, "WRONG  {text}")?;
            }
        }
    }
    out.flush()?;
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is in the data directory is this user's only.
fn look_at_files(config: &Config) -> Vec<Finding> {
    let dir = &config.data_dir;
    let shown = dir.display();
    if !dir.is_dir() {
        return vec![Finding::Note(format!(
            "data-dir {shown} does not exist yet: the first start makes it"
        ))];
    }
    let mut findings = Vec::new();
    let probe = dir.join(".doctor");
    match fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => findings.push(Finding::Fine(format!("data-dir {shown} can be written"))),
        Err(error) => findings.push(Finding::Wrong(format!(
            "data-dir {shown} cannot be written: {error}"
        ))),
    }
    for (name, wished) in [
        ("orchestrator.sqlite", 0o600),
        ("orchestrator.sqlite-wal", 0o600),
        ("orchestrator.sqlite-shm", 0o600),
        ("master-token", 0o600),
        ("cache", 0o700),
    ] {
        findings.extend(look_at_mode(&dir.join(name), wished));
    }
    findings
}

/// `None`: there is no such file.
fn look_at_mode(path: &Path, wished: u32) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    Some(if mode & 0o077 == 0 {
        Finding::Fine(format!("{shown} is this user's only"))
    } else {
        Finding::Wrong(format!(
            "{shown} can be read by others (mode {mode:o}): run chmod {wished:o} {shown}"
        ))
    })
}

fn look_at_key(config: &Config) -> Finding {
    match &config.master_key {
        KeySource::Given(_) => Finding::Fine("the master key is given by a setting".into()),
        KeySource::File(path) if !path.exists() => {
            let path = path.display();
            Finding::Note(format!("the first start makes the master key {path}"))
        }
        source @ KeySource::File(path) => match Keys::look_at(source) {
            Ok(1) => Finding::Fine(format!("{} holds a master key", path.display())),
            Ok(_) => Finding::Note(format!(
                "{} holds an older master key too: `orchestrator key status` says when it can go",
                path.display()
            )),
            Err(error) => Finding::Wrong(error.to_string()),
        },
    }
}

fn look_at_clock(clock: &Clock) -> Finding {
    let now = clock.now().to_datetime();
    if now.timestamp() < RELEASED {
        Finding::Wrong(format!("the clock says {now}: set it, schedules go by it"))
    } else {
        Finding::Fine(format!(
            "the clock says {}",
            now.format("%Y-%m-%d %H:%M:%S UTC")
        ))
    }
}

/// Schema and key are looked at without changing either.
async fn look_at_database(config: &Config) -> Vec<Finding> {
    let finding = match Store::inspect(&config.database_url).await {
        Ok(None) => Finding::Note("the database is empty: the first start makes its tables".into()),
        Ok(Some(schema)) if schema.known < schema.present => Finding::Wrong(format!(
            "the database has schema {}, newer than this version's {}: run a newer server on it",
            schema.present, schema.known
        )),
        Ok(Some(schema)) if schema.present < schema.known => Finding::Note(format!(
            "the database has schema {}: the next start brings it to {}",
            schema.present, schema.known
        )),
        Ok(Some(schema)) => {
            let text = format!("the database answers and has schema {}", schema.present);
            let mut findings = vec![Finding::Fine(text)];
            findings.extend(look_inside(config).await);
            return findings;
        }
        Err(error) => Finding::Wrong(format!(
            "{error}: check database-url, and whether the database runs"
        )),
    };
    vec![finding]
}

/// Of a database with this version's schema.
async fn look_inside(config: &Config) -> Vec<Finding> {
    let store = match Store::open(&config.database_url).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::Wrong(error.to_string())],
    };
    let mut findings = Vec::new();
    let has_key = match &config.master_key {
        KeySource::File(path) => path.exists(),
        KeySource::Given(_) => true,
    };
    if has_key {
        let opens = opens_all(&store, config.master_key.clone(), &Random::system()).await;
        findings.push(match opens {
            Ok(true) => Finding::Fine("the master key is the database's".into()),
            Ok(false) => Finding::Wrong(
                "the master key is not the database's: put the right one back, nothing can be read without it".into(),
            ),
            Err(error) => Finding::Wrong(error.to_string()),
        });
    } else {
        findings.push(Finding::Wrong(
            "the database was used before, and its master key is not here: put it back".into(),
        ));
    }
    let day = Clock::system()
        .now()
        .minus(Duration::from_secs(24 * 60 * 60));
    findings.extend(store.refused_since(day).await.map(|refused| {
        Finding::Fine(format!(
            "{refused} requests without a valid token within a day"
        ))
    }));
    store.close().await;
    findings
}

fn look_at_edges(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(tls) = &config.listener.tls {
        findings.extend(look_at_mode(tls.key_file(), 0o600));
    }
    let is_local = config.listen.ip().is_loopback();
    findings.push(match (&config.listener.tls, is_local) {
        (Some(_), _) => Finding::Fine("the TLS certificate and its key serve".into()),
        (None, true) => Finding::Fine("plain HTTP, on this machine only".into()),
        (None, false) if config.trusted_proxies.is_empty() => Finding::Wrong(
            "plain HTTP for other machines: tokens can be read on the way. Set tls-cert and tls-key, or put a proxy \
             with TLS before it and set trusted-proxies"
                .into(),
        ),
        (None, false) => Finding::Note(
            "plain HTTP: see that only the trusted proxies reach this port".into(),
        ),
    });
    findings.push(match config.mail.as_ref().map(MailPeer::of) {
        None => Finding::Note("no smtp-url is set: mail is written to the log".into()),
        Some(None) => Finding::Note("the mail server's address has no port to try".into()),
        Some(Some(peer)) => peer.try_to_connect(),
    });
    findings
}

/// Where mail goes, without user and password.
struct MailPeer(String, u16);

impl MailPeer {
    fn of(mail: &crate::plugins::MailSettings) -> Option<Self> {
        let url = url::Url::parse(&mail.smtp_url).ok()?;
        let default = if url.scheme() == "smtps" { 465 } else { 25 };
        Some(Self(
            url.host_str()?.to_owned(),
            url.port().unwrap_or(default),
        ))
    }

    fn try_to_connect(&self) -> Finding {
        let Self(host, port) = self;
        let addresses = (host.as_str(), *port).to_socket_addrs();
        let connected = addresses.and_then(|mut addresses| {
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            TcpStream::connect_timeout(&address, LONGEST_CONNECT)
        });
        match connected {
            Ok(_) => Finding::Fine(format!("the mail server {host}:{port} answers")),
            Err(error) => Finding::Wrong(format!(
                "the mail server {host}:{port} cannot be reached: {error}"
            )),
        }
    }
}

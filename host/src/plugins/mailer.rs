//! Puts a plugin's message into an envelope and hands it to the mail server.
//!
//! The plugin says what the letter says; all else is added here: sender, date, message id, thread, and the marks by which
//! other programs know that no person wrote it. Without a mail server the letter goes to the log, and the receipt says so.

use super::error::PluginError;
use super::rehearsal::Rehearsal;
use super::services::MailThread;
use super::settings::MailSettings;
use crate::clock::Clock;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::{Duration, SystemTime};
use url::{Host, Url};

/// For connecting and for each answer of the server.
const SERVER_TIMEOUT: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: u32 = 4;
const MOST_SUBJECT_BYTES: usize = 500;
const MOST_PART_BYTES: usize = 512 << 10;

/// One message of a delivery.
pub(super) struct Letter {
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: Option<String>,
    pub(super) thread: MailThread,
}

/// Why a letter was not taken. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Transient(String),
}

pub(super) struct Mailer {
    clock: Clock,
    server: Option<Server>,
    rehearsal: Option<Rehearsal>,
}

struct Server {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// To be called within a tokio runtime: the pool of connections is tended there.
    pub(super) fn new(
        settings: Option<&MailSettings>,
        clock: Clock,
        rehearsal: Option<Rehearsal>,
    ) -> Result<Self, PluginError> {
        let server = settings.map(Server::new).transpose()?;
        Ok(Self {
            clock,
            server,
            rehearsal,
        })
    }

    /// Sends the letter and answers what the server said.
    pub(super) async fn send(&self, letter: Letter) -> Result<String, MailError> {
        check(&letter)?;
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.world.take_mail(&letter.to, &letter.subject);
            return Ok("250 taken".to_owned());
        }
        let Some(server) = &self.server else {
            tracing::info!(
                to = letter.to,
                subject = letter.subject,
                text = letter.text,
                "mail, not sent: no smtp-url is set"
            );
            return Ok("written to the log only: no smtp-url is set".to_owned());
        };
        let message = server.message(letter, self.clock.now().to_datetime().into())?;
        let answer = server
            .transport
            .send(message)
            .await
            .map_err(|error| failure(&error))?;
        let text = answer.message().collect::<Vec<_>>().join(" ");
        Ok(format!("{} {text}", answer.code()))
    }
}

fn check(letter: &Letter) -> Result<(), MailError> {
    let wrong = |why: String| Err(MailError::Invalid(why));
    if letter.subject.len() > MOST_SUBJECT_BYTES || letter.subject.chars().any(char::is_control) {
        return wrong(format!(
            "the subject must be one line of at most {MOST_SUBJECT_BYTES} bytes"
        ));
    }
    let html_bytes = letter.html.as_ref().map_or(0, String::len);
    if letter.text.len() > MOST_PART_BYTES || html_bytes > MOST_PART_BYTES {
        return wrong(format!("a part has more than {MOST_PART_BYTES} bytes"));
    }
    Ok(())
}

/// What the server answered with a 4xx may be tried again, and so may all that happened before it answered.
fn failure(error: &lettre::transport::smtp::Error) -> MailError {
    let why = error.to_string();
    if error.is_permanent() {
        MailError::Refused(why)
    } else if error.is_client() {
        MailError::Invalid(why)
    } else {
        MailError::Transient(why)
    }
}

impl Server {
    fn new(settings: &MailSettings) -> Result<Self, PluginError> {
        let from = settings
            .from
            .parse()
            .map_err(|_| PluginError::MailFrom(settings.from.clone()))?;
        let url = secured(&settings.smtp_url)?;
        // Errors of the transport could quote the address with its password.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|_| {
                PluginError::SmtpUrl(
                    "it must be smtp://[user:password@]host[:port] or smtps://…".to_owned(),
                )
            })?
            .timeout(Some(SERVER_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(MOST_CONNECTIONS))
            .build();
        Ok(Self { from, transport })
    }

    fn message(&self, letter: Letter, date: SystemTime) -> Result<Message, MailError> {
        let wrong = |what: &str| MailError::Invalid(format!("the {what} is malformed"));
        let to: Address = letter
            .to
            .parse()
            .map_err(|_| wrong("recipient's address"))?;
        let id = self.message_id(&letter.thread.message_id);
        let root = self.message_id(&letter.thread.thread_id);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(to.into())
            .date(date)
            .subject(letter.subject)
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if root != id {
            builder = builder.in_reply_to(root.clone()).references(root);
        }
        if let Some(address) = &letter.thread.unsubscribe {
            builder = builder
                .raw_header(header("List-Unsubscribe", &format!("<{address}>")))
                .raw_header(header(
                    "List-Unsubscribe-Post",
                    "List-Unsubscribe=One-Click",
                ));
        }
        let builder = builder.message_id(Some(id));
        match letter.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(letter.text, html)),
            None => builder.singlepart(SinglePart::plain(letter.text)),
        }
        .map_err(|_| wrong("message"))
    }

    /// `<id@domain>`, of the sender's domain where the id has none.
    fn message_id(&self, id: &str) -> String {
        let id = id.trim_matches(['<', '>']);
        if id.contains('@') {
            format!("<{id}>")
        } else {
            format!("<{id}@{}>", self.from.email.domain())
        }
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// The address with which a password never crosses a network in the clear.
fn secured(smtp_url: &str) -> Result<Url, PluginError> {
    let mut url = Url::parse(smtp_url).map_err(|error| PluginError::SmtpUrl(error.to_string()))?;
    let is_plain = url.scheme() == "smtp" && !url.query_pairs().any(|(key, _)| key == "tls");
    // An address without a special scheme keeps numbers as names.
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    };
    if is_plain && url.password().is_some() && !is_here {
        url.query_pairs_mut().append_pair("tls", "required");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_over_tls_or_stays_on_this_machine() {
        for (given, used) in [
            (
                "smtp://u:p@mail.example",
                "smtp://u:p@mail.example?tls=required",
            ),
            (
                "smtp://u:p@mail.example?tls=opportunistic",
                "smtp://u:p@mail.example?tls=opportunistic",
            ),
            ("smtp://u:p@127.0.0.1:25", "smtp://u:p@127.0.0.1:25"),
            ("smtp://mail.example", "smtp://mail.example"),
            ("smtps://u:p@mail.example", "smtps://u:p@mail.example"),
        ] {
            assert_eq!(secured(given).map(String::from).ok().as_deref(), Some(used));
        }
    }
}

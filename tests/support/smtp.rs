//! A real SMTP server that keeps the mail it is given.
//!
//! Plaintext, no login, as many connections at once as come. It answers by the book (the order of
//! commands counts, leading dots are undone, only CRLF "." CRLF ends a mail) unless a test told it to
//! refuse. Whoever waits for mail is woken by its arrival; the timeout only bounds a failing test. It
//! is measured on tokio's clock, so do not wait while that is paused.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mail_parser::{Message, MessageParser};
use tokio::io::{self, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// One accepted mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Of the envelope; empty for a bounce.
    pub from: String,
    /// Of the envelope: the accepted recipients in the order in which they were named.
    pub to: Vec<String>,
    /// As sent, with the doubled dots undone.
    pub raw: Vec<u8>,
    pub parsed: Message<'static>,
}

impl Mail {
    pub fn subject(&self) -> &str {
        self.parsed.subject().unwrap_or_default()
    }

    /// The plain text body, decoded; made from the HTML one where there is no other.
    pub fn text(&self) -> String {
        self.parsed.body_text(0).unwrap_or_default().into_owned()
    }

    /// The HTML body, decoded; made from the plain text where there is no other.
    pub fn html(&self) -> String {
        self.parsed.body_html(0).unwrap_or_default().into_owned()
    }
}

/// The running server; dropping it stops it and cuts its connections.
pub struct SmtpSink {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was accepted or refused.
    changed: Notify,
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    refusals: usize,
    next_data: VecDeque<u16>,
    next_rcpt: VecDeque<u16>,
}

impl SmtpSink {
    /// On a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port just bound");
        let shared = Arc::<Shared>::default();
        let listening = tokio::spawn(accept(listener, shared.clone()));
        Self {
            address,
            shared,
            listening,
        }
    }

    /// `smtp://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The next `times` DATA commands are answered with `code` in place of taking the mail; a 421
    /// also closes the connection. Several calls queue up.
    pub fn fail_next(&self, times: usize, code: u16) {
        self.shared.lock().next_data.extend(repeat_n(code, times));
    }

    /// The same for RCPT: that recipient is refused, the others are not.
    pub fn fail_next_rcpt(&self, times: usize, code: u16) {
        self.shared.lock().next_rcpt.extend(repeat_n(code, times));
    }

    /// All mails so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.lock().mails.clone()
    }

    /// Waits until there are `count` mails in all and answers every one there is. Panics when they
    /// have not come in time.
    pub async fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Mail> {
        self.wait_until(timeout, &format!("{count} mails"), |state| {
            state.mails.len() >= count
        })
        .await;
        self.mails()
    }

    /// Waits until so many commands were refused because a test said so: a first attempt has failed,
    /// and the clock may be advanced to the next one.
    pub async fn wait_for_refusals(&self, count: usize, timeout: Duration) {
        self.wait_until(timeout, &format!("{count} refusals"), |state| {
            state.refusals >= count
        })
        .await;
    }

    async fn wait_until(&self, timeout: Duration, what: &str, done: impl Fn(&State) -> bool) {
        let waiting = async {
            loop {
                // Registered before the look, so that nothing is missed in between.
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                if done(&self.shared.lock()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(timeout, waiting).await.is_err() {
            let state = self.shared.lock();
            let subjects: Vec<_> = state.mails.iter().map(Mail::subject).collect();
            panic!(
                "waited {timeout:?} for {what}; there are {} refusals and the mails {subjects:?}",
                state.refusals
            );
        }
    }
}

impl Debug for SmtpSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSink")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    /// A test that panicked while it held the lock has failed anyway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn refusal(&self, queue: impl FnOnce(&mut State) -> &mut VecDeque<u16>) -> Option<Answer> {
        let mut state = self.lock();
        let code = queue(&mut state).pop_front()?;
        state.refusals += 1;
        drop(state);
        self.changed.notify_waiters();
        let text = format!("{code} refused, as the test asked for");
        Some(if code == 421 {
            Answer::Last(text)
        } else {
            Answer::Line(text)
        })
    }

    fn accept_mail(&self, from: String, to: Vec<String>, raw: Vec<u8>) {
        let parsed = MessageParser::default()
            .parse(&raw)
            .unwrap_or_default()
            .into_owned();
        self.lock().mails.push(Mail {
            from,
            to,
            raw,
            parsed,
        });
        self.changed.notify_waiters();
    }
}

/// Owns the connections: they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

enum Answer {
    Line(String),
    /// The connection is closed after it.
    Last(String),
    /// Go on and read the mail.
    Mail,
}

impl Answer {
    fn line(text: &str) -> Self {
        Self::Line(text.to_owned())
    }
}

/// What one connection has said so far.
#[derive(Default)]
struct Session {
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut session = Session::default();
    say(&mut stream, "220 localhost test sink").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        match session.answer(String::from_utf8_lossy(&line).trim(), &shared) {
            Answer::Line(text) => say(&mut stream, &text).await?,
            Answer::Last(text) => return say(&mut stream, &text).await,
            Answer::Mail => {
                say(&mut stream, "354 end with a line of a single dot").await?;
                let raw = read_mail(&mut stream).await?;
                let Session { from, to, .. } = std::mem::take(&mut session);
                session.greeted = true;
                shared.accept_mail(from.unwrap_or_default(), to, raw);
                say(&mut stream, "250 kept").await?;
            }
        }
    }
}

impl Session {
    fn answer(&mut self, line: &str, shared: &Shared) -> Answer {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" if rest.is_empty() => Answer::line("501 who are you"),
            "HELO" => {
                *self = Self {
                    greeted: true,
                    ..Self::default()
                };
                Answer::line("250 localhost")
            }
            "EHLO" => {
                *self = Self {
                    greeted: true,
                    ..Self::default()
                };
                Answer::line("250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8")
            }
            "MAIL" => match address(rest, "FROM:") {
                _ if !self.greeted || self.from.is_some() => Answer::line("503 not now"),
                None => Answer::line("501 not MAIL FROM:<address>"),
                from => {
                    self.from = from;
                    Answer::line("250 ok")
                }
            },
            "RCPT" => match address(rest, "TO:") {
                _ if self.from.is_none() => Answer::line("503 MAIL comes first"),
                None => Answer::line("501 not RCPT TO:<address>"),
                Some(to) => shared
                    .refusal(|state| &mut state.next_rcpt)
                    .unwrap_or_else(|| {
                        self.to.push(to);
                        Answer::line("250 ok")
                    }),
            },
            "DATA" if self.to.is_empty() => Answer::line("503 RCPT comes first"),
            "DATA" => match shared.refusal(|state| &mut state.next_data) {
                None => Answer::Mail,
                Some(refusal) => {
                    self.reset();
                    refusal
                }
            },
            "RSET" => {
                self.reset();
                Answer::line("250 ok")
            }
            "NOOP" => Answer::line("250 ok"),
            "QUIT" => Answer::Last("221 bye".to_owned()),
            _ => Answer::line("502 not known here"),
        }
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

/// `<a@b>` of `FROM:<a@b> SIZE=7`.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let (start, address) = rest.split_at_checked(keyword.len())?;
    let (address, _) = address.trim_start().strip_prefix('<')?.split_once('>')?;
    start
        .eq_ignore_ascii_case(keyword)
        .then(|| address.to_owned())
}

/// Up to the line of a single dot, which is not part of the mail.
async fn read_mail(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // After a bare LF a dot is text: a sender that relies on it smuggles.
        let at_start = mail.is_empty() || mail.ends_with(b"\r\n");
        match line.strip_prefix(b".") {
            Some(b"\r\n") if at_start => return Ok(mail),
            Some(unstuffed) if at_start => mail.extend_from_slice(unstuffed),
            _ => mail.extend_from_slice(&line),
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await
}

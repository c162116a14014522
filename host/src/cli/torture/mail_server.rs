//! A mail server that remembers what it took, and refuses now and then for a while.
//!
//! Just as much SMTP as the hosts' client speaks. A mail counts as taken once its end was read: that the answer may get
//! lost on the way back is what makes deliveries at least once.

use super::evidence::SeenMail;
use anyhow::Context as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{self, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Every so many mails are refused for now, and every so many cut off after they were taken.
const REFUSED_MAIL: u64 = 5;
const CUT_OFF_MAIL: u64 = 7;

/// The running server; dropping it stops it.
#[derive(Debug)]
pub(super) struct MailServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Vec<SeenMail>>,
    offered: AtomicU64,
    is_calm: AtomicBool,
}

impl MailServer {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("the mail server cannot listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let listening = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// From now on everything is taken.
    pub(super) fn calm(&self) {
        self.shared.is_calm.store(true, Ordering::Relaxed);
    }

    pub(super) fn mails(&self) -> Vec<SeenMail> {
        let mails = self.shared.mails.lock();
        mails.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Owns the connections: they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, "220 torture").await?;
    let (mut to, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.trim();
        let verb = command.get(..4).unwrap_or(command).to_ascii_uppercase();
        match verb.as_str() {
            "RCPT" => {
                to = between(command, '<', '>').to_owned();
                say(&mut stream, "250 ok").await?;
            }
            "DATA" => {
                let offered = shared.offered.fetch_add(1, Ordering::Relaxed) + 1;
                let is_calm = shared.is_calm.load(Ordering::Relaxed);
                if !is_calm && offered.is_multiple_of(REFUSED_MAIL) {
                    say(&mut stream, "451 not now").await?;
                    continue;
                }
                say(&mut stream, "354 go on").await?;
                let message_id = read_mail(&mut stream).await?;
                let mail = SeenMail {
                    to: std::mem::take(&mut to),
                    message_id,
                };
                shared
                    .mails
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(mail);
                if !is_calm && offered.is_multiple_of(CUT_OFF_MAIL) {
                    return Ok(());
                }
                say(&mut stream, "250 taken").await?;
            }
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => say(&mut stream, "250 ok").await?,
        }
    }
}

/// Up to the line of a single dot; returns what the mail's `Message-ID` holds.
async fn read_mail(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let (mut message_id, mut line) = (String::new(), Vec::new());
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(message_id);
        }
        let text = String::from_utf8_lossy(&line);
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("message-id")
            && message_id.is_empty()
        {
            message_id = between(value, '<', '>').to_owned();
        }
    }
}

fn between(text: &str, open: char, close: char) -> &str {
    let (_, rest) = text.split_once(open).unwrap_or_default();
    rest.split_once(close).unwrap_or_default().0
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await
}

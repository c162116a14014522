//! Wakes between hosts, by `LISTEN` and `NOTIFY` of PostgreSQL. An embedded database has one host and needs none.
//!
//! What goes over it is a hint and carries no promise: it may get lost. `NOTIFY` makes commits wait for one another, so it
//! is sent on a connection of its own, outside of all that matters, and not made durable. Each installation has a
//! channel of its own, and each host's messages begin with its name, by which it passes over its own.

use super::dialect::Dialect;
use super::{Result, StoreError};
use crate::domain::role::HostLoop;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

/// One to listen, one to tell.
const CONNECTIONS: u32 = 2;

/// Where a host tells the others that there is work, and hears of theirs.
#[derive(Clone, Debug)]
pub struct WakeChannel {
    pool: PgPool,
    channel: String,
    sender: String,
}

/// A connection that hears what others tell.
#[derive(Debug)]
pub struct WakeListener {
    listener: PgListener,
    sender: String,
}

impl WakeChannel {
    /// The channel of the installation whose database is at `url`; `None` where that is embedded. Nothing is connected
    /// yet. `sender` has no blanks and is no other host's.
    ///
    /// # Errors
    /// An address that is none.
    pub fn of(url: &str, installation: &str, sender: String) -> Result<Option<Self>> {
        if Dialect::of_url(url)? == Dialect::Sqlite {
            return Ok(None);
        }
        // Its reason could quote a part with the password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Address("it is no address of PostgreSQL".into()))?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query("SET synchronous_commit = off")
                        .execute(connection)
                        .await
                        .map(drop)
                })
            })
            .connect_lazy_with(options.application_name("orchestrator wakes"));
        Ok(Some(Self {
            pool,
            channel: format!("orchestrator_{installation}"),
            sender,
        }))
    }

    /// Tells all other hosts, in one message, that these loops have something to do.
    pub async fn tell(&self, loops: &BTreeSet<HostLoop>) -> Result<()> {
        let names: Vec<_> = loops.iter().map(|one| one.as_str()).collect();
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(&self.channel)
            .bind(format!("{} {}", self.sender, names.join(",")))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Begins to listen. What was told before is not heard.
    pub async fn listen(&self) -> Result<WakeListener> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        // Whoever listens has to know of a gap: the end of this connection is the end of the listener.
        listener.eager_reconnect(false);
        listener.listen(&self.channel).await?;
        Ok(WakeListener {
            listener,
            sender: self.sender.clone(),
        })
    }

    /// Ends its connections. For when nobody listens any more.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl WakeListener {
    /// Waits for what another host tells. May be dropped and called again.
    ///
    /// # Errors
    /// The connection is lost, and what is told meanwhile with it.
    pub async fn hear(&mut self) -> Result<BTreeSet<HostLoop>> {
        loop {
            let Some(message) = self.listener.try_recv().await? else {
                return Err(sqlx::Error::from(std::io::Error::from(
                    std::io::ErrorKind::ConnectionAborted,
                ))
                .into());
            };
            match message.payload().split_once(' ') {
                Some((sender, names)) if sender != self.sender => {
                    // A name that only a newer version knows is passed over.
                    return Ok(names.split(',').filter_map(HostLoop::from_text).collect());
                }
                _ => {}
            }
        }
    }

    /// Returns once the database has answered on this connection, which may be dead without a sign.
    pub async fn check(&mut self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&mut self.listener).await?;
        Ok(())
    }
}

//! Hosts: each life of a server process is a row with a lease, and whatever it works on names that row.
//!
//! One heartbeat renews the lease of all its work. When a lease has run out, the host is declared dead in the same
//! transaction that gives its work back, so that a host that merely slept finds its results refused.

use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::ids::HostId;
use crate::domain::time::Timestamp;

impl Store {
    /// Adds this process and says until when it may work without renewing.
    pub async fn register_host(&self, now: Timestamp, lease_until: Timestamp) -> Result<HostId> {
        self.write(move |tx| {
            Box::pin(async move {
                let row = sqlx::query(
                    "INSERT INTO hosts (started_at, lease_until) VALUES ($1, $2) RETURNING id",
                )
                .bind(now.0)
                .bind(lease_until.0)
                .fetch_one(tx)
                .await?;
                Ok(HostId(Columns::of(&row, "hosts").int("id")?))
            })
        })
        .await
    }

    /// Renews the lease. `false`: this host has been declared dead and must drop what it works on.
    pub async fn renew_host(&self, host: HostId, lease_until: Timestamp) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let renewed = sqlx::query("UPDATE hosts SET lease_until = $2 WHERE id = $1")
                    .bind(host.0)
                    .bind(lease_until.0)
                    .execute(tx)
                    .await?;
                Ok(renewed.rows_affected() == 1)
            })
        })
        .await
    }

    /// Declares hosts dead whose lease ended before `now` and gives their work back; returns how many pieces.
    pub async fn reap_dead_hosts(&self, now: Timestamp) -> Result<u64> {
        self.write(move |tx| {
            Box::pin(async move {
                let dead = sqlx::query("SELECT id FROM hosts WHERE lease_until < $1")
                    .bind(now.0)
                    .fetch_all(&mut *tx)
                    .await?;
                let mut given_back = 0;
                for row in &dead {
                    given_back +=
                        give_back(tx, HostId(Columns::of(row, "hosts").int("id")?), now).await?;
                }
                Ok(given_back)
            })
        })
        .await
    }

    /// Declares every host but `host` dead, whatever its lease: for an embedded database, whose lock proves that no
    /// other process is alive.
    pub async fn take_over(&self, host: HostId, now: Timestamp) -> Result<u64> {
        self.write(move |tx| {
            Box::pin(async move {
                let others = sqlx::query("SELECT id FROM hosts WHERE id <> $1")
                    .bind(host.0)
                    .fetch_all(&mut *tx)
                    .await?;
                let mut given_back = 0;
                for row in &others {
                    given_back +=
                        give_back(tx, HostId(Columns::of(row, "hosts").int("id")?), now).await?;
                }
                Ok(given_back)
            })
        })
        .await
    }

    /// The orderly end of a host: gives back what it holds and removes it.
    pub async fn retire_host(&self, host: HostId, now: Timestamp) -> Result<u64> {
        self.write(move |tx| Box::pin(async move { give_back(tx, host, now).await }))
            .await
    }
}

async fn give_back(tx: &mut Tx, host: HostId, now: Timestamp) -> Result<u64> {
    let steps = sqlx::query(
        "UPDATE task_runs SET host_id = NULL, wake_at = $2, attempt = attempt + 1 WHERE host_id = $1",
    )
    .bind(host.0)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    let deliveries = sqlx::query(
        "UPDATE deliveries SET host_id = NULL, next_attempt_at = $2 WHERE host_id = $1",
    )
    .bind(host.0)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM hosts WHERE id = $1")
        .bind(host.0)
        .execute(tx)
        .await?;
    Ok(steps.rows_affected() + deliveries.rows_affected())
}

//! Hosts: each life of a server process is a row with a lease, and whatever it works on names that row.
//!
//! One heartbeat renews the lease of all its work. When a lease has run out, the host is declared dead in the same
//! transaction that gives its work back, so that a host that merely slept finds its results refused. What a host holds
//! by its rows but not in fact, because the answer to its claim got lost with a connection, it gives back itself.

use super::claims::Lease;
use super::deliveries::DeliveryLease;
use super::locks::{lock_dead_hosts, lock_host};
use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::ids::{DeliveryId, HostId, TaskRunId};
use crate::domain::time::Timestamp;
use std::collections::HashSet;

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
        let renewing = self.write(move |tx| {
            Box::pin(async move {
                let renewed = sqlx::query("UPDATE hosts SET lease_until = $2 WHERE id = $1")
                    .bind(host.0)
                    .bind(lease_until.0)
                    .execute(tx)
                    .await?;
                Ok(renewed.rows_affected() == 1)
            })
        });
        let is_renewed = renewing.await?;
        if !is_renewed {
            self.metrics.host_lease_lost();
        }
        Ok(is_renewed)
    }

    /// Declares hosts dead whose lease ended before `now` and gives their work back; returns how many pieces.
    pub async fn reap_dead_hosts(&self, now: Timestamp) -> Result<u64> {
        let reaping = self.write(move |tx| {
            Box::pin(async move {
                let lock = lock_dead_hosts(tx);
                let sql = format!("SELECT id FROM hosts WHERE lease_until < $1 ORDER BY id{lock}");
                let dead = sqlx::query(sqlx::AssertSqlSafe(sql))
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
        });
        let given_back = reaping.await?;
        self.metrics.work_taken_back(given_back);
        Ok(given_back)
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

    /// Gives back the steps that `host` holds by their rows, but that are not `in_hand`. For the one that claims for
    /// this host, between two claims.
    pub async fn give_back_stray_steps(
        &self,
        host: HostId,
        in_hand: HashSet<Lease>,
        now: Timestamp,
    ) -> Result<u64> {
        let rows = sqlx::query("SELECT id, epoch FROM task_runs WHERE host_id = $1")
            .bind(host.0)
            .fetch_all(&self.read)
            .await?;
        let mut strays = Vec::new();
        for row in &rows {
            let columns = Columns::of(row, "task_runs");
            let lease = Lease {
                run: TaskRunId(columns.int("id")?),
                host,
                epoch: columns.int("epoch")?,
            };
            if !in_hand.contains(&lease) {
                strays.push((lease.run.0, lease.epoch));
            }
        }
        let sql = "UPDATE task_runs SET host_id = NULL, wake_at = $4, attempt = attempt + 1 \
            WHERE id = $1 AND host_id = $2 AND epoch = $3";
        self.give_back_each(sql, host, strays, now).await
    }

    /// The same for deliveries.
    pub async fn give_back_stray_deliveries(
        &self,
        host: HostId,
        in_hand: HashSet<DeliveryLease>,
        now: Timestamp,
    ) -> Result<u64> {
        let rows = sqlx::query("SELECT id, epoch FROM deliveries WHERE host_id = $1")
            .bind(host.0)
            .fetch_all(&self.read)
            .await?;
        let mut strays = Vec::new();
        for row in &rows {
            let columns = Columns::of(row, "deliveries");
            let lease = DeliveryLease {
                delivery: DeliveryId(columns.int("id")?),
                host,
                epoch: columns.int("epoch")?,
            };
            if !in_hand.contains(&lease) {
                strays.push((lease.delivery.0, lease.epoch));
            }
        }
        let sql = "UPDATE deliveries SET host_id = NULL, next_attempt_at = $4 \
            WHERE id = $1 AND host_id = $2 AND epoch = $3";
        self.give_back_each(sql, host, strays, now).await
    }

    async fn give_back_each(
        &self,
        sql: &'static str,
        host: HostId,
        strays: Vec<(i64, i64)>,
        now: Timestamp,
    ) -> Result<u64> {
        if strays.is_empty() {
            return Ok(0);
        }
        self.write(move |tx| {
            Box::pin(async move {
                let mut given_back = 0;
                for (id, epoch) in strays {
                    let row = sqlx::query(sql)
                        .bind(id)
                        .bind(host.0)
                        .bind(epoch)
                        .bind(now.0);
                    given_back += row.execute(&mut *tx).await?.rows_affected();
                }
                Ok(given_back)
            })
        })
        .await
    }

    /// The orderly end of a host: gives back what it holds and removes it.
    pub async fn retire_host(&self, host: HostId, now: Timestamp) -> Result<u64> {
        self.write(move |tx| {
            Box::pin(async move {
                lock_host(tx, host).await?;
                give_back(tx, host, now).await
            })
        })
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

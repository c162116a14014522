//! How changes of the database are committed.
//!
//! On SQLite through one queue, one after another, many to a commit: while one commit is being made durable, the writes
//! that arrive meanwhile gather and share the next one. So the cost of durability is paid per commit, not per write, and
//! a single write on a quiet server waits for nobody. A write that fails is rolled back alone; it is acknowledged only
//! after the commit that holds it.
//!
//! On PostgreSQL each write is a transaction of its own, and several run side by side: there the server shares the cost
//! of durability between commits, and a transaction of several writes would hold locks in the order in which these
//! happened to arrive, so that two hosts could block each other.
//!
//! A connection whose transaction could not be ended is closed, and the next write gets another one.
//!
//! An operation is run once. One that fails because the database went away, or had to give a transaction up, is refused
//! as unavailable: its caller asks again.

use super::connections::Connections;
use super::dialect::Dialect;
use super::fail_points::{Border, FailPoints};
use super::{Result, StoreError, Tx};
use crate::metrics::PoolUse;
use sqlx::Connection;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Most writes that share a commit: bounds how long the first of them waits.
const MOST_PER_COMMIT: usize = 256;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Runs inside the transaction; returns what to tell the caller once the commit's fate is known.
type Operation = Box<dyn for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Finished> + Send>;
/// Called with whether the commit held.
type Acknowledge = Box<dyn FnOnce(std::result::Result<(), Arc<sqlx::Error>>) + Send>;

struct Finished {
    keep: bool,
    acknowledge: Acknowledge,
}

enum Message {
    Write(Operation),
    Stop(oneshot::Sender<()>),
}

/// Where writes go.
#[derive(Clone, Debug)]
pub(super) struct Writer(Way);

/// What a commit needs.
#[derive(Clone, Debug)]
struct Committer {
    dialect: Dialect,
    connections: Connections,
    fail_points: FailPoints,
}

#[derive(Clone, Debug)]
enum Way {
    /// To the queue, which has one connection; and whether that commits something now.
    Queue(mpsc::Sender<Message>, Arc<AtomicBool>),
    /// To any connection of the pool, on the runtime that opened the store, whoever asks: steps have a runtime of their own,
    /// whose guests must not slow a connection down.
    SideBySide(Committer, Handle),
}

impl Writer {
    pub(super) fn start(
        dialect: Dialect,
        connections: Connections,
        fail_points: FailPoints,
    ) -> Self {
        let committer = Committer {
            dialect,
            connections,
            fail_points,
        };
        Self(match dialect {
            Dialect::Sqlite => {
                let (queue, messages) = mpsc::channel(4 * MOST_PER_COMMIT);
                let is_busy = Arc::default();
                tokio::spawn(run(committer, messages, Arc::clone(&is_busy)));
                Way::Queue(queue, is_busy)
            }
            Dialect::Postgres => Way::SideBySide(committer, Handle::current()),
        })
    }

    /// Ends after what has been begun.
    pub(super) async fn stop(&self) {
        match &self.0 {
            Way::Queue(queue, _) => {
                let (done, stopped) = oneshot::channel();
                if queue.send(Message::Stop(done)).await.is_ok() {
                    let _ = stopped.await;
                }
            }
            Way::SideBySide(committer, _) => committer.connections.close().await,
        }
    }

    /// Its connections, and how many writes wait in the queue.
    pub(super) fn in_use(&self) -> (PoolUse, usize) {
        match &self.0 {
            Way::Queue(queue, is_busy) => {
                let queued = queue.max_capacity().saturating_sub(queue.capacity());
                let in_use = usize::from(is_busy.load(Ordering::Relaxed));
                let idle = 1 - in_use;
                (PoolUse { idle, in_use }, queued)
            }
            Way::SideBySide(committer, _) => (super::pool_use(&committer.connections), 0),
        }
    }

    async fn take(&self, operation: Operation) -> Result<()> {
        match &self.0 {
            Way::Queue(queue, _) => queue
                .send(Message::Write(operation))
                .await
                .map_err(|_| StoreError::Closing),
            Way::SideBySide(committer, _) if committer.connections.is_closed() => {
                Err(StoreError::Closing)
            }
            Way::SideBySide(committer, runtime) => {
                let committer = committer.clone();
                // A task of its own, so that a caller that goes away does not end it half way.
                runtime.spawn(async move {
                    let operations = vec![operation];
                    committer.commit_together(operations).await;
                });
                Ok(())
            }
        }
    }
}

impl super::Store {
    /// Runs `operation` in a transaction and returns what it returned once that is durable.
    pub(super) async fn write<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T>>();
        let (metrics, asked) = (self.metrics.clone(), Instant::now());
        let boxed: Operation = Box::new(move |tx| {
            Box::pin(async move {
                metrics.write_waited(asked.elapsed());
                let result = operation(tx).await;
                let keep = result.is_ok();
                let acknowledge: Acknowledge = Box::new(move |commit| {
                    // A caller that has gone away (a client that hung up) needs no answer; the write stands.
                    let _ = answer.send(match commit {
                        Ok(()) => result,
                        Err(error) => Err(StoreError::Unavailable(error)),
                    });
                });
                Finished { keep, acknowledge }
            })
        });
        self.writer.take(boxed).await?;
        // Dropped unanswered: there was no connection for it.
        answered.await.map_err(|_| StoreError::Closing)?
    }
}

async fn run(
    committer: Committer,
    mut messages: mpsc::Receiver<Message>,
    is_busy: Arc<AtomicBool>,
) {
    let mut batch = Vec::new();
    while messages.recv_many(&mut batch, MOST_PER_COMMIT).await > 0 {
        let mut operations = Vec::with_capacity(batch.len());
        let mut stop = None;
        for message in batch.drain(..) {
            match message {
                Message::Write(operation) => operations.push(operation),
                Message::Stop(done) => stop = Some(done),
            }
        }
        is_busy.store(true, Ordering::Relaxed);
        committer.commit_together(operations).await;
        is_busy.store(false, Ordering::Relaxed);
        if let Some(done) = stop {
            committer.connections.close().await;
            let _ = done.send(());
            return;
        }
    }
}

impl Committer {
    /// Runs the operations in one transaction, each in a savepoint of its own where there is more than one.
    async fn commit_together(&self, operations: Vec<Operation>) {
        let mut acknowledgements = Vec::with_capacity(operations.len());
        let result = self
            .in_one_transaction(operations, &mut acknowledgements)
            .await;
        if let Err(error) = &result {
            tracing::error!(%error, writes = acknowledgements.len(), "a commit failed; its writes are refused");
        }
        let result = result.map_err(Arc::new);
        for acknowledge in acknowledgements {
            acknowledge(result.clone());
        }
    }

    async fn in_one_transaction(
        &self,
        operations: Vec<Operation>,
        acknowledgements: &mut Vec<Acknowledge>,
    ) -> std::result::Result<(), sqlx::Error> {
        if operations.is_empty() {
            return Ok(());
        }
        let mut lent = self.connections.lend().await?;
        let connection = lent.connection()?;
        let result = self
            .in_transaction_of(connection, operations, acknowledgements)
            .await;
        if result.is_err() {
            // Its state is unknown: SQLite, for one, ends a transaction by itself when the disk is full, and the connection
            // would stay in one that no longer is.
            lent.give_up();
        } else {
            lent.give_back();
        }
        result
    }

    async fn in_transaction_of(
        &self,
        connection: &mut Tx,
        operations: Vec<Operation>,
        acknowledgements: &mut Vec<Acknowledge>,
    ) -> std::result::Result<(), sqlx::Error> {
        let mut transaction = connection.begin_with(self.dialect.begin()).await?;
        let alone = operations.len() == 1;
        let mut kept = 0_usize;
        for operation in operations {
            if !alone {
                sqlx::query("SAVEPOINT one")
                    .execute(&mut *transaction)
                    .await?;
            }
            let finished = operation(&mut transaction).await;
            acknowledgements.push(finished.acknowledge);
            kept += usize::from(finished.keep);
            if !alone {
                if !finished.keep {
                    sqlx::query("ROLLBACK TO one")
                        .execute(&mut *transaction)
                        .await?;
                }
                sqlx::query("RELEASE one")
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        if kept == 0 {
            return transaction.rollback().await;
        }
        self.fail_points.pass(Border::BeforeCommit)?;
        transaction.commit().await?;
        self.fail_points.pass(Border::AfterCommit)
    }
}

//! The write queue: every change of the database goes through here, one after another, many to a commit.
//!
//! While one commit is being made durable, the writes that arrive meanwhile gather and share the next one. So the cost
//! of durability is paid per commit, not per write, and a single write on a quiet server waits for nobody. A write that
//! fails is rolled back alone; it is acknowledged only after the commit that holds it.

use super::{Result, StoreError, Tx};
use sqlx::{AnyPool, Connection};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
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

/// Handle to the queue.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
}

impl Writer {
    /// Starts the queue on a pool of one connection.
    pub(super) fn start(pool: AnyPool) -> Self {
        let (queue, messages) = mpsc::channel(4 * MOST_PER_COMMIT);
        tokio::spawn(run(pool, messages));
        Self { queue }
    }

    /// Ends the queue after what it already holds.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.queue.send(Message::Stop(done)).await.is_ok() {
            let _ = stopped.await;
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
        let boxed: Operation = Box::new(move |tx| {
            Box::pin(async move {
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
        self.writer
            .queue
            .send(Message::Write(boxed))
            .await
            .map_err(|_| StoreError::Closing)?;
        answered.await.map_err(|_| StoreError::Closing)?
    }
}

async fn run(pool: AnyPool, mut messages: mpsc::Receiver<Message>) {
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
        commit_together(&pool, operations).await;
        if let Some(done) = stop {
            pool.close().await;
            let _ = done.send(());
            return;
        }
    }
}

/// Runs the operations in one transaction, each in a savepoint of its own where there is more than one.
async fn commit_together(pool: &AnyPool, operations: Vec<Operation>) {
    let mut acknowledgements = Vec::with_capacity(operations.len());
    let result = in_one_transaction(pool, operations, &mut acknowledgements).await;
    if let Err(error) = &result {
        tracing::error!(%error, writes = acknowledgements.len(), "a commit failed; its writes are refused");
    }
    let result = result.map_err(Arc::new);
    for acknowledge in acknowledgements {
        acknowledge(result.clone());
    }
}

async fn in_one_transaction(
    pool: &AnyPool,
    operations: Vec<Operation>,
    acknowledgements: &mut Vec<Acknowledge>,
) -> std::result::Result<(), sqlx::Error> {
    if operations.is_empty() {
        return Ok(());
    }
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
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
        transaction.rollback().await
    } else {
        transaction.commit().await
    }
}

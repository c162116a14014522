//! Writes of one kind that many callers want at once, made by statements for all of them.
//!
//! Whoever finds nobody at work makes its own write at once, on a quiet server with no delay. While that is being
//! committed, others gather; the next transaction makes all of theirs. So what a write costs in statements and commits
//! falls as more of them come together. Each caller is answered after the commit that holds its write.
//!
//! Together or not at all would let one damaged row refuse its neighbours: where the statements for many fail, nothing of
//! them is kept, and each write is made once more by itself. Where it is the commit that fails, nobody knows what became
//! of it, and all of it is refused as unavailable, as a single write is.

use super::{Result, Store, StoreError, Tx};
use futures_util::future::join_all;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Most writes that one set of statements is for: bounds how long others wait for it.
const MOST_TOGETHER: usize = 128;

/// Makes all of these writes inside one transaction; one answer for each, in their order.
pub(super) type Together<T, R> =
    for<'c> fn(
        &'c Store,
        &'c mut Tx,
        &'c [T],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<R>>> + Send + 'c>>;

/// Where the writes of one kind meet; cloning it is cheap.
pub(super) struct Gather<T, R> {
    shared: Arc<Mutex<Shared<T, R>>>,
    together: Together<T, R>,
    /// The runtime that opened the store, whoever asks: guests of steps must not slow a write down.
    runtime: Handle,
}

struct Shared<T, R> {
    wishes: Vec<Wish<T, R>>,
    /// Somebody makes them.
    is_at_work: bool,
}

struct Wish<T, R> {
    write: T,
    answer: oneshot::Sender<Result<R>>,
}

impl<T, R> Clone for Gather<T, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            together: self.together,
            runtime: self.runtime.clone(),
        }
    }
}

impl<T, R> fmt::Debug for Gather<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}

impl<T, R> Gather<T, R>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    /// Called within the runtime that the writes are made on.
    pub(super) fn new(together: Together<T, R>) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                wishes: Vec::new(),
                is_at_work: false,
            })),
            together,
            runtime: Handle::current(),
        }
    }

    /// Makes this write, with whatever others gather; returns once it is durable.
    pub(super) async fn write(&self, store: &Store, write: T) -> Result<R> {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut shared = self.lock();
            shared.wishes.push(Wish { write, answer });
            !std::mem::replace(&mut shared.is_at_work, true)
        };
        if begins {
            let (gather, store) = (self.clone(), store.clone());
            // A task of its own, so that a caller that goes away leaves nobody waiting.
            self.runtime.spawn(async move { gather.work(store).await });
        }
        answered.await.map_err(|_| StoreError::Closing)?
    }

    /// Until nobody wishes for anything.
    async fn work(&self, store: Store) {
        let mut at_work = AtWork {
            gather: self,
            is_over: false,
        };
        loop {
            let wishes = {
                let mut shared = self.lock();
                let number = shared.wishes.len().min(MOST_TOGETHER);
                if number == 0 {
                    shared.is_at_work = false;
                    at_work.is_over = true;
                    return;
                }
                shared.wishes.drain(..number).collect::<Vec<_>>()
            };
            let (writes, answers): (Vec<_>, Vec<_>) = wishes
                .into_iter()
                .map(|wish| (wish.write, wish.answer))
                .unzip();
            for (answer, made) in answers.into_iter().zip(self.make(&store, writes).await) {
                // A caller that has gone away needs no answer; the write stands.
                let _ = answer.send(made);
            }
        }
    }

    async fn make(&self, store: &Store, writes: Vec<T>) -> Vec<Result<R>> {
        let number = writes.len();
        let writes = Arc::new(writes);
        let is_undone = Arc::new(AtomicBool::new(false));
        match self.make_together(store, &writes, &is_undone).await {
            Ok(made) if made.len() == number => made.into_iter().map(Ok).collect(),
            Ok(_) => (0..number).map(|_| Err(StoreError::Closing)).collect(),
            Err(error) if number == 1 => vec![Err(error)],
            Err(_) if is_undone.load(Ordering::Acquire) => {
                let alone = writes.iter().map(|write| {
                    let write = Arc::new(vec![write.clone()]);
                    let is_undone = Arc::default();
                    async move {
                        let mut made = self.make_together(store, &write, &is_undone).await?;
                        made.pop().ok_or(StoreError::Closing)
                    }
                });
                join_all(alone).await
            }
            Err(error) => (0..number).map(|_| Err(error.again())).collect(),
        }
    }

    /// `is_undone` is set where the statements fail, and nothing of them is kept.
    async fn make_together(
        &self,
        store: &Store,
        writes: &Arc<Vec<T>>,
        is_undone: &Arc<AtomicBool>,
    ) -> Result<Vec<R>> {
        let (writes, is_undone, of) = (Arc::clone(writes), Arc::clone(is_undone), store.clone());
        let together = self.together;
        store
            .write(move |tx| {
                Box::pin(async move {
                    let made = together(&of, tx, &writes).await;
                    is_undone.store(made.is_err(), Ordering::Release);
                    made
                })
            })
            .await
    }

    fn lock(&self) -> MutexGuard<'_, Shared<T, R>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever makes the writes. Where that is cut off, those who wait are told, and the next one begins anew.
struct AtWork<'a, T, R>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    gather: &'a Gather<T, R>,
    is_over: bool,
}

impl<T, R> Drop for AtWork<'_, T, R>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    fn drop(&mut self) {
        if !self.is_over {
            let mut shared = self.gather.lock();
            shared.is_at_work = false;
            shared.wishes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes each write, unless it is one that no code expects.
    fn make<'c>(
        _: &'c Store,
        _: &'c mut Tx,
        writes: &'c [bool],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<()>>> + Send + 'c>> {
        assert!(writes.iter().all(|is_expected| *is_expected));
        Box::pin(async { Ok(writes.iter().map(|_| ()).collect()) })
    }

    #[tokio::test]
    async fn a_maker_that_is_cut_off_leaves_nobody_waiting_and_the_next_write_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Store::embedded_url(dir.path())).await.unwrap();
        let gather = Gather::new(make as Together<bool, ()>);

        let cut_off = gather.write(&store, false).await;
        // By another opening: what the panic met is that one's.
        let store = Store::open(&Store::embedded_url(dir.path())).await.unwrap();
        let next = gather.write(&store, true).await;

        assert!(cut_off.is_err());
        assert!(next.is_ok(), "{next:?}");
    }
}

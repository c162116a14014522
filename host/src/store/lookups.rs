//! Rows of one kind that many ask for at once, read by one query for all of them.
//!
//! Whoever finds nobody reading reads at once, on a quiet server with no delay, for itself and for those who are about to
//! ask. Those who ask meanwhile gather, and one of them reads for all of them next. So a query always begins after everybody whom it answers has asked: nobody is told
//! what was true before, and nothing has to be forgotten when a row changes. What is saved is the way to the database and
//! back, which costs more than finding a row there; and those who ask for the same row, as all requests of one client do
//! for its token, are told of one reading.

use super::{Result, Store, StoreError};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Most rows that one query is for: bounds how long the first of them is waited for.
const MOST_TOGETHER: usize = 64;

/// Reads for all of these keys; one answer for each, in their order.
pub(super) type Together<K, V> =
    for<'c> fn(
        &'c Store,
        &'c [K],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Result<V>>>> + Send + 'c>>;

/// Where those who look for rows of one kind meet; cloning it is cheap.
pub(super) struct Lookups<K, V> {
    shared: Arc<Mutex<Shared<K, V>>>,
    together: Together<K, V>,
}

struct Shared<K, V> {
    asked: Vec<Asked<K, V>>,
    /// Somebody has the baton.
    is_reading: bool,
}

impl<K, V> Shared<K, V> {
    /// Those who asked first.
    fn take(&mut self, most: usize) -> Vec<Asked<K, V>> {
        let number = self.asked.len().min(most);
        self.asked.drain(..number).collect()
    }
}

struct Asked<K, V> {
    key: K,
    turn: oneshot::Sender<Turn<K, V>>,
}

/// What becomes of somebody who asked.
enum Turn<K, V> {
    Answered(Result<V>),
    /// Is to read, for these others too.
    Reads(Vec<Asked<K, V>>, Baton<K, V>),
}

/// Held by whoever reads. Dropped, also where its holder goes away, it is the next one's.
struct Baton<K, V>(Lookups<K, V>);

impl<K, V> Drop for Baton<K, V> {
    fn drop(&mut self) {
        let mut next = {
            let mut shared = self.0.lock();
            let next = shared.take(MOST_TOGETHER);
            if next.is_empty() {
                shared.is_reading = false;
                return;
            }
            next
        };
        let reader = next.swap_remove(0);
        // One that has gone away drops the baton, and the others ask again.
        let _ = reader.turn.send(Turn::Reads(next, Self(self.0.clone())));
    }
}

impl<K, V> Clone for Lookups<K, V> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            together: self.together,
        }
    }
}

impl<K, V> fmt::Debug for Lookups<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookups")
    }
}

impl<K, V> Lookups<K, V> {
    pub(super) fn new(together: Together<K, V>) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                asked: Vec::new(),
                is_reading: false,
            })),
            together,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<K, V>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + PartialEq, V: Clone> Lookups<K, V> {
    /// What is there for this key, as it is now.
    pub(super) async fn read(&self, store: &Store, key: K) -> Result<V> {
        loop {
            let waits = {
                let mut shared = self.lock();
                std::mem::replace(&mut shared.is_reading, true).then(|| {
                    let (turn, waits) = oneshot::channel();
                    let key = key.clone();
                    shared.asked.push(Asked { key, turn });
                    waits
                })
            };
            let (others, baton) = match waits {
                None => {
                    let baton = Baton(self.clone());
                    // Whoever else has something to ask, and only waits for a thread, comes first.
                    tokio::task::yield_now().await;
                    (self.lock().take(MOST_TOGETHER - 1), baton)
                }
                Some(waits) => match waits.await {
                    Ok(Turn::Answered(answer)) => return answer,
                    Ok(Turn::Reads(others, baton)) => (others, baton),
                    // Whoever read for this one has gone away.
                    Err(_) => continue,
                },
            };
            let answer = self.read_for_all(store, key, others).await;
            drop(baton);
            return answer;
        }
    }

    async fn read_for_all(&self, store: &Store, own: K, others: Vec<Asked<K, V>>) -> Result<V> {
        let (mut keys, mut turns) = (vec![own], Vec::with_capacity(others.len()));
        for Asked { key, turn } in others {
            let known = keys.iter().position(|known| *known == key);
            turns.push((turn, known.unwrap_or(keys.len())));
            if known.is_none() {
                keys.push(key);
            }
        }
        let answers = (self.together)(store, &keys).await;
        let answer = |at: usize| match &answers {
            Ok(answers) => match answers.get(at) {
                Some(Ok(found)) => Ok(found.clone()),
                Some(Err(error)) => Err(error.again()),
                None => Err(StoreError::Closing),
            },
            Err(error) => Err(error.again()),
        };
        for (turn, at) in turns {
            // One that has gone away needs no answer.
            let _ = turn.send(Turn::Answered(answer(at)));
        }
        answer(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    type Doubled = Result<Vec<Result<(i64, usize)>>>;

    /// Twice each number and for how many it was read, after others had time to ask; refuses all where one is negative.
    fn double<'c>(
        _: &'c Store,
        keys: &'c [i64],
    ) -> Pin<Box<dyn Future<Output = Doubled> + Send + 'c>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if keys.iter().any(|key| *key < 0) {
                return Err(StoreError::Closing);
            }
            Ok(keys.iter().map(|key| Ok((2 * key, keys.len()))).collect())
        })
    }

    async fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(&Store::embedded_url(dir.path())).await.unwrap()
    }

    #[tokio::test]
    async fn those_who_ask_at_once_or_while_one_reads_share_a_query_and_each_gets_its_own_answer() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let lookups = Lookups::new(double as Together<i64, (i64, usize)>);

        let alone = lookups.read(&store, 9).await.unwrap();
        let at_once = join_all((0..3).map(|key| lookups.read(&store, key)));
        // They come when the others are being read for.
        let later = async {
            tokio::task::yield_now().await;
            join_all((3..5).map(|key| lookups.read(&store, key))).await
        };
        let (at_once, later) = futures_util::future::join(at_once, later).await;

        let unwrapped = |answers: Vec<Result<_>>| -> Vec<_> {
            answers.into_iter().map(Result::unwrap).collect()
        };
        assert_eq!(alone, (18, 1));
        assert_eq!(unwrapped(at_once), [(0, 3), (2, 3), (4, 3)]);
        assert_eq!(unwrapped(later), [(6, 2), (8, 2)]);
    }

    #[tokio::test]
    async fn those_who_ask_for_the_same_are_told_of_one_reading() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let lookups = Lookups::new(double as Together<i64, (i64, usize)>);

        let answers = join_all([0, 7, 8, 7, 7, 8].map(|key| lookups.read(&store, key))).await;

        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            answers,
            [(0, 3), (14, 3), (16, 3), (14, 3), (14, 3), (16, 3)]
        );
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_leaves_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let lookups = Lookups::new(double as Together<i64, (i64, usize)>);

        // The first one reads, the second is to be next, and both go away.
        let mut first = Box::pin(lookups.read(&store, 1));
        let mut second = Box::pin(lookups.read(&store, 2));
        let mut third = Box::pin(lookups.read(&store, 3));
        for one in [&mut first, &mut second, &mut third] {
            assert!(one.now_or_never().is_none());
        }
        drop(first);
        drop(second);

        assert_eq!(third.await.unwrap().0, 6);
        assert_eq!(lookups.read(&store, 4).await.unwrap().0, 8);
    }

    #[tokio::test]
    async fn a_query_that_fails_is_everybodys_failure_and_the_next_one_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let lookups = Lookups::new(double as Together<i64, (i64, usize)>);

        let answers = join_all([1, -1, 3].map(|key| lookups.read(&store, key))).await;

        assert!(answers.iter().all(Result::is_err));
        assert_eq!(lookups.read(&store, 5).await.unwrap().0, 10);
    }
}

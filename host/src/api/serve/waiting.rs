//! Which connections wait for a request, so that the longest idle one makes room when there are too many.
//!
//! A connection waits from its opening, and from the making of each answer, until the head of a request is here in full:
//! whoever dribbles a head counts as idle and never keeps others out.

use futures_util::future::AbortHandle;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// All waiting connections, longest first. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    last: u64,
    by_age: BTreeMap<u64, AbortHandle>,
}

impl Waiting {
    fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the one that has waited longest; `false`: none waits.
    pub(super) fn close_longest(&self) -> bool {
        let longest = self.rows().by_age.pop_first();
        longest.is_some_and(|(_, close)| {
            close.abort();
            true
        })
    }
}

/// The place of one connection among those that wait. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(super) struct Place {
    of: Waiting,
    close: AbortHandle,
    number: Arc<Mutex<u64>>,
}

impl Place {
    /// A connection that waits from now on; `close` ends it when it has to make room.
    pub(super) fn new(of: &Waiting, close: &AbortHandle) -> Self {
        let place = Self {
            of: of.clone(),
            close: close.clone(),
            number: Arc::default(),
        };
        place.wait();
        place
    }

    /// An answer was given.
    pub(super) fn wait(&self) {
        let mut rows = self.of.rows();
        rows.last += 1;
        let number = rows.last;
        rows.by_age.insert(number, self.close.clone());
        *self.number.lock().unwrap_or_else(PoisonError::into_inner) = number;
    }

    /// A request is here. `false`: the connection has been told to make room already.
    pub(super) fn leave(&self) -> bool {
        let number = *self.number.lock().unwrap_or_else(PoisonError::into_inner);
        self.of.rows().by_age.remove(&number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_makes_room_and_a_busy_one_never() {
        let waiting = Waiting::default();
        let closes = [(); 3].map(|()| AbortHandle::new_pair().0);
        let [first, second, third] = closes.each_ref().map(|close| Place::new(&waiting, close));
        assert!(first.leave());
        first.wait();
        assert!(third.leave());

        assert!(waiting.close_longest());

        assert!(closes[1].is_aborted() && !second.leave());
        assert!(waiting.close_longest() && closes[0].is_aborted());
        assert!(!waiting.close_longest() && !closes[2].is_aborted());
    }
}

//! How much one client may ask for: requests per token, requests per address, and refused tokens per address.
//!
//! Each is a bucket that refills steadily, in the memory of this host; a cluster of n hosts lets n times as much through.
//! Over a limit the answer is 429 and says when to come again, before the database is asked anything. A token that has
//! been accepted lately is not held up by the refusals of its neighbours at the same address. Memory is bounded: of two
//! generations of buckets the older one is forgotten when the younger is full.
//!
//! Bodies that are being read share a bounded amount of memory here, too.

use super::addresses::{Connection, client_address};
use super::{ApiError, ApiState};
use crate::domain::time::Timestamp;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Buckets of one generation: two of them are a few megabytes at most.
const MOST_BUCKETS: usize = 32_768;
/// Memory of all bodies that are being read, in KiB.
const BODY_KIB: usize = 256 << 10;
/// Steady requests leave their bucket full for this long: so much may come at once.
const BURST: Duration = Duration::from_secs(20);

/// How much is let through; `None` is without a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimits {
    /// Requests of one token.
    pub token: Option<Rate>,
    /// Requests of one address, whatever their tokens.
    pub address: Option<Rate>,
    /// Requests of one address without a valid token.
    pub refused: Option<Rate>,
}

/// A steady flow, of which some may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Time between two requests of the steady flow, in microseconds; at least 1.
    interval: i64,
    /// How far ahead of the steady flow requests may be, in microseconds.
    ahead: i64,
}

impl Rate {
    /// So many per second, and those of twenty seconds at once; `None` for 0, which is no limit.
    #[must_use]
    pub fn per_second(count: u64) -> Option<Self> {
        let interval = 1_000_000_u64.checked_div(count)?.max(1);
        Some(Self {
            interval: i64::try_from(interval).ok()?,
            ahead: i64::try_from(BURST.as_micros()).ok()?,
        })
    }

    /// So many per minute, and as many at once; `None` for 0, which is no limit.
    #[must_use]
    pub fn per_minute(count: u64) -> Option<Self> {
        let interval = 60_000_000_u64.checked_div(count)?.max(1);
        Some(Self {
            interval: i64::try_from(interval).ok()?,
            ahead: 60_000_000,
        })
    }
}

/// The buckets of this host; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tokens: Buckets<u64>,
    addresses: Buckets<IpAddr>,
    refused: Buckets<IpAddr>,
    /// Names tokens in the buckets: no secret is kept there.
    hasher: RandomState,
    bodies: Arc<Semaphore>,
    refused_count: AtomicU64,
}

impl Limiter {
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        Self(Arc::new(Shared {
            tokens: Buckets::new(limits.token),
            addresses: Buckets::new(limits.address),
            refused: Buckets::new(limits.refused),
            hasher: RandomState::new(),
            bodies: Arc::new(Semaphore::new(BODY_KIB)),
            refused_count: AtomicU64::new(0),
        }))
    }

    /// Before a token is judged.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`]: of this token; or too many were refused to this address, and the token is a new one.
    pub(super) fn admit_token(
        &self,
        secret: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Admitted, ApiError> {
        let token = self.0.hasher.hash_one(secret);
        let known = self.0.tokens.take_known(token, now);
        let admitted = Admitted {
            token,
            is_known: known.is_some(),
        };
        if let Some(taken) = known {
            return taken.map(|()| admitted).map_err(too_many("token"));
        }
        let refused = self.0.refused.check(network(address), now);
        let refused = refused.map(|()| admitted);
        refused.map_err(too_many("address without a valid token"))
    }

    /// A token was found valid.
    pub(super) fn note_valid(&self, admitted: Admitted, now: Timestamp) {
        if !admitted.is_known {
            // The first of its requests. Others that came with it may have taken all that there is: it was let through.
            let _ = self.0.tokens.take(admitted.token, now);
        }
    }

    /// A token was not found valid, or there was none.
    pub(super) fn note_refused(&self, secret: Option<&str>, address: IpAddr, now: Timestamp) {
        self.0.refused_count.fetch_add(1, Ordering::Relaxed);
        if let Some(secret) = secret {
            self.0.tokens.forget(&self.0.hasher.hash_one(secret));
        }
        // Over the limit it is refused already.
        let _ = self.0.refused.take(network(address), now);
    }

    /// How many requests had no valid token since this was asked last.
    pub(super) fn take_refused(&self) -> u64 {
        self.0.refused_count.swap(0, Ordering::Relaxed)
    }

    /// For one body that is being read.
    pub(super) fn body_memory(&self) -> BodyMemory {
        BodyMemory {
            of: Arc::clone(&self.0.bodies),
            held: None,
        }
    }
}

/// A token that was let through, to be judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    token: u64,
    /// It was found valid lately.
    is_known: bool,
}

/// A body's part of the memory for bodies, given back when this is dropped.
#[derive(Debug)]
pub(super) struct BodyMemory {
    of: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl BodyMemory {
    /// `false`: bodies have all that they may have.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let Ok(more) = u32::try_from(bytes.div_ceil(1024).saturating_sub(held)) else {
            return false;
        };
        match Arc::clone(&self.of).try_acquire_many_owned(more) {
            Ok(more) => {
                match &mut self.held {
                    Some(held) => held.merge(more),
                    none => *none = Some(more),
                }
                true
            }
            Err(_) => false,
        }
    }
}

/// Refuses the requests of an address that asks too much.
pub(super) async fn limit_addresses<F: Future<Output = Response>>(
    state: &ApiState,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let connection = request.extensions().get::<ConnectInfo<Connection>>();
    let connection = connection.map(|ConnectInfo(connection)| connection);
    let address = client_address(&state.settings, request.headers(), connection);
    let buckets = &state.limiter.0.addresses;
    match buckets.take(network(address), state.clock.now()) {
        Ok(()) => next(request).await,
        Err(wait) => too_many("address")(wait).into_response(),
    }
}

fn too_many(whose: &'static str) -> impl FnOnce(Duration) -> ApiError {
    move |wait| ApiError::TooManyRequests { whose, wait }
}

/// One client: an IPv4 address, or the network of 64 bits that an IPv6 client has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Per key, the time at which its flow would be steady again.
#[derive(Debug)]
struct Buckets<K> {
    rate: Option<Rate>,
    generations: Mutex<Generations<K>>,
}

#[derive(Debug)]
struct Generations<K> {
    young: HashMap<K, i64>,
    old: HashMap<K, i64>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    fn new(rate: Option<Rate>) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
        };
        Self {
            rate,
            generations: Mutex::new(generations),
        }
    }

    fn forget(&self, key: &K) {
        let mut generations = self.lock();
        generations.young.remove(key);
        generations.old.remove(key);
    }

    /// Takes one, or says how long it is until there is one.
    fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let mut generations = self.lock();
        let steady = generations.find(&key);
        let next = self.next(steady, now)?;
        generations.put(key, next);
        Ok(())
    }

    /// The same of a bucket that there is; `None`: there is none.
    fn take_known(&self, key: K, now: Timestamp) -> Option<Result<(), Duration>> {
        let mut generations = self.lock();
        let steady = generations.find(&key)?;
        let next = self.next(Some(steady), now);
        Some(next.map(|next| generations.put(key, next)))
    }

    /// The same as [`Buckets::take`] without taking.
    fn check(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let steady = self.lock().find(&key);
        self.next(steady, now).map(drop)
    }

    /// When the flow will be steady again after one more, or how long it is until there is one.
    fn next(&self, steady: Option<i64>, now: Timestamp) -> Result<i64, Duration> {
        let rate = self.rate.unwrap_or(Rate {
            interval: 0,
            ahead: 0,
        });
        let steady = steady.unwrap_or(now.0);
        // A clock that was set back must not keep anybody out for that long.
        let steady = steady.clamp(now.0, now.0.saturating_add(rate.ahead));
        let next = steady.saturating_add(rate.interval);
        let over = next.saturating_sub(now.0).saturating_sub(rate.ahead);
        if over > 0 && self.rate.is_some() {
            return Err(Duration::from_micros(over.unsigned_abs()));
        }
        Ok(next)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations<K>> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Generations<K> {
    fn find(&self, key: &K) -> Option<i64> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    fn put(&mut self, key: K, steady: i64) {
        if self.young.len() >= MOST_BUCKETS && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, steady);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_767_614_400_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOON.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_the_steady_flow() {
        let buckets = Buckets::new(Rate::per_second(2));
        let taken = (0..100)
            .take_while(|_| buckets.take(1, NOON).is_ok())
            .count();
        assert_eq!(taken, 40);
        assert_eq!(buckets.take(1, NOON), Err(Duration::from_millis(500)));
        assert_eq!(buckets.take(2, NOON), Ok(()), "each key has its own");
        assert_eq!(buckets.take(1, after(1)), Ok(()));
        assert_eq!(buckets.take(1, after(1)), Ok(()));
        assert!(buckets.take(1, after(1)).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out_for_long() {
        let buckets = Buckets::new(Rate::per_second(1));
        assert_eq!(buckets.take(1, after(86_400)), Ok(()));
        let wait = buckets
            .take(1, NOON)
            .expect_err("a full bucket's wait at most");
        assert_eq!(wait, Duration::from_secs(1));
    }

    #[test]
    fn buckets_do_not_grow_without_end() {
        let buckets = Buckets::new(Rate::per_second(1));
        for key in 0..(5 * MOST_BUCKETS) {
            assert_eq!(buckets.take(key, NOON), Ok(()));
        }
        let generations = buckets.lock();
        let kept = generations.young.len() + generations.old.len();
        assert!(kept <= 2 * MOST_BUCKETS, "{kept}");
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_a_mapped_address_is_the_ipv4_one() {
        let of = |text: &str| network(text.parse().expect("address"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn a_token_at_work_is_not_held_up_by_the_refusals_of_its_neighbours() {
        let limiter = Limiter::new(RateLimits {
            token: Rate::per_second(1),
            address: None,
            refused: Rate::per_minute(3),
        });
        let address = IpAddr::from([192, 0, 2, 1]);
        let at_work = limiter.admit_token("at-work", address, NOON);
        limiter.note_valid(at_work.expect("the first one"), NOON);
        for _ in 0..3 {
            assert!(limiter.admit_token("guess", address, NOON).is_ok());
            limiter.note_refused(Some("guess"), address, NOON);
        }

        assert!(limiter.admit_token("guess", address, NOON).is_err());
        assert!(limiter.admit_token("at-work", address, NOON).is_ok());
        limiter.note_refused(Some("at-work"), address, NOON);
        assert!(limiter.admit_token("at-work", address, NOON).is_err());
    }
}

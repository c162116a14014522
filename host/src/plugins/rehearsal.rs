//! A plugin without the world, for its author: a script answers its requests and takes its mail, and its clocks stand until
//! somebody moves them.
//!
//! Everything else is as in a server: the same engine, limits, checks of addresses, and marks before something is sent.

use super::services::LogLevel;
use crate::clock::Clock;
use crate::domain::plugin::Usage;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// What a plugin meets in place of the world.
pub trait World: Send + Sync {
    /// The answer to a request that has passed all checks, with the headers as they would leave.
    ///
    /// # Errors
    /// There is none.
    fn answer(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer>;

    /// A letter that has passed all checks, in place of a mail server, which takes it.
    fn take_mail(&self, to: &str, subject: &str);

    /// One line of a delivery's log; a task has its services for that.
    fn log_delivery(&self, level: LogLevel, line: &str);

    /// What an attempt at a delivery has used, told once when it is over, and the most memory that it has had.
    fn delivery_used(&self, usage: Usage, memory_bytes: u64);
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is no connection: nothing was sent.
    Refused,
    /// It was sent and the answer got lost.
    Lost,
}

/// What stands in for the world.
#[derive(Clone)]
pub(super) struct Rehearsal {
    pub(super) world: Arc<dyn World>,
    pub(super) clock: Clock,
}

impl Rehearsal {
    /// Lets a plugin see this clock and no other one.
    pub(super) fn set_clocks(&self, wasi: &mut WasiCtxBuilder) {
        wasi.wall_clock(GuestClock(self.clock.clone()));
        wasi.monotonic_clock(GuestClock(self.clock.clone()));
    }
}

struct GuestClock(Clock);

impl GuestClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.now().0).unwrap_or_default())
    }
}

impl HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        self.since_epoch()
    }
}

impl HostMonotonicClock for GuestClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since_epoch().as_nanos()).unwrap_or(u64::MAX)
    }
}

//! Where calls of plugins run: on a runtime of their own, so that a busy one cannot slow the API, and from the moment on
//! at which one has computed for long on another one, among its like.
//!
//! Most calls compute for a millisecond and then wait for the network. One that computes on gives way at every tick of the
//! engine, but a call that begins meanwhile would have to wait for the ticks of all that are before it, at each of its
//! own steps. So those that compute for longer share threads of a lower priority, one fewer than there are cores: for
//! whatever else the server has to do there is a core at once, however many plugins never end.

use super::engine::TICK;
use super::error::PluginError;
use super::limits::thread_time;
use rustix::process::setpriority_process;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// Computing time after which a call goes on in the slow lane: it gives way at ticks only.
const BRIEF: Duration = TICK.saturating_mul(2);
/// Of the slow lane's threads, as `nice` counts: a tenth of the share of others, where there is anything else to do.
const NICENESS: i32 = 10;

pub(super) struct Lanes {
    quick: OwnRuntime,
    slow: OwnRuntime,
}

impl Lanes {
    pub(super) fn start() -> Result<Self, PluginError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let slow = Builder::new_multi_thread()
            .thread_name("slow-plugins")
            .worker_threads(cores.saturating_sub(1).max(1))
            .on_thread_start(|| {
                // Of this thread. Where the system does not let it, the threads are still few.
                let _ = setpriority_process(None, NICENESS);
            })
            .enable_all()
            .build();
        let quick = Builder::new_multi_thread()
            .thread_name("plugins")
            .enable_all()
            .build();
        Ok(Self {
            quick: OwnRuntime::new(quick.map_err(PluginError::Runtime)?),
            slow: OwnRuntime::new(slow.map_err(PluginError::Runtime)?),
        })
    }

    /// The runtime on which calls begin, and on which their connections live.
    pub(super) fn quick(&self) -> &Handle {
        &self.quick.handle
    }

    /// Runs a call from here on. Called on the quick lane; dropping it ends the call.
    ///
    /// # Errors
    /// The call panicked, or the server is stopping.
    pub(super) async fn run<T: Send + 'static>(&self, call: BoxCall<T>) -> Result<T, JoinError> {
        let brief = Brief {
            call: Some(call),
            computed: Duration::ZERO,
        };
        match brief.await {
            Outcome::Ended(result) => Ok(result),
            Outcome::TakesLong(rest) => AbortOnDrop(self.slow.handle.spawn(rest)).joined().await,
        }
    }
}

pub(super) type BoxCall<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What became of a call while it was brief.
enum Outcome<T> {
    Ended(T),
    /// The rest of it.
    TakesLong(BoxCall<T>),
}

/// A call until it has computed for long: while it waits for the host, it is not polled.
struct Brief<T> {
    call: Option<BoxCall<T>>,
    computed: Duration,
}

impl<T> Future for Brief<T> {
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        let this = &mut *self;
        let Some(call) = &mut this.call else {
            // It has been handed over, and is polled by mistake.
            return Poll::Pending;
        };
        let begun = thread_time();
        if let Poll::Ready(result) = call.as_mut().poll(context) {
            return Poll::Ready(Outcome::Ended(result));
        }
        this.computed += thread_time().saturating_sub(begun);
        match this.call.take_if(|_| this.computed >= BRIEF) {
            Some(rest) => Poll::Ready(Outcome::TakesLong(rest)),
            None => Poll::Pending,
        }
    }
}

/// A task that ends with whoever waits for it.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    pub(super) async fn joined(mut self) -> Result<T, JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets a future that begins tasks of its own do so on this runtime, wherever it is polled.
pub(super) struct Within<F> {
    runtime: Handle,
    future: Pin<Box<F>>,
}

impl<F> Within<F> {
    pub(super) fn new(runtime: &Handle, future: F) -> Self {
        Self {
            runtime: runtime.clone(),
            future: Box::pin(future),
        }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _within = this.runtime.enter();
        this.future.as_mut().poll(context)
    }
}

/// A runtime that may be dropped anywhere, also within another one: its threads are not waited for.
struct OwnRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl OwnRuntime {
    fn new(runtime: Runtime) -> Self {
        Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

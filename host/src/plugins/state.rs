//! What one call of a plugin has of its own: made for the call, dropped whole after it, whatever happened.

use super::credentials::Credentials;
use super::limits::{Limiter, MOST_HEADER_BYTES, MOST_RANDOM_BYTES, MOST_RESOURCES, Signals};
use super::mailer::Mailer;
use super::outbound::{self, Hooks};
use super::output::{Output, Pipe};
use super::rehearsal::Rehearsal;
use super::services::{MailThread, StepServices};
use std::sync::Arc;
use tokio::runtime::Handle;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Whom a call is made for.
pub(super) enum Caller {
    Task {
        services: Arc<dyn StepServices>,
        /// The runtime that the services belong to.
        home: Handle,
    },
    Delivery {
        /// The only recipient that mail may go to.
        address: String,
        thread: MailThread,
        mailer: Arc<Mailer>,
        mail_is_granted: bool,
    },
}

/// The data of a call's store.
pub(super) struct CallState {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(super) hooks: Hooks,
    pub(super) limiter: Limiter,
    pub(super) output: Output,
    pub(super) signals: Arc<Signals>,
    pub(super) caller: Caller,
    pub(super) credentials: Arc<Credentials>,
}

impl CallState {
    pub(super) fn new(
        caller: Caller,
        credentials: Arc<Credentials>,
        http_call: Option<outbound::Call>,
        rehearsal: Option<&Rehearsal>,
        memory_bytes: usize,
        output: Output,
        signals: Arc<Signals>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MOST_HEADER_BYTES);
        Self {
            table,
            wasi: wasi(&output, rehearsal),
            http,
            hooks: Hooks(http_call.map(Arc::new)),
            limiter: Limiter::new(memory_bytes, Arc::clone(&signals)),
            output,
            signals,
            caller,
            credentials,
        }
    }
}

/// Real clocks (but in a rehearsal), random numbers, and two pipes to write to. No files, environment, arguments, standard input or sockets:
/// those interfaces are there, since languages' own libraries import them, and are empty.
fn wasi(output: &Output, rehearsal: Option<&Rehearsal>) -> WasiCtx {
    let pipe = |keeps_tail| Pipe {
        output: output.clone(),
        keeps_tail,
    };
    let mut builder = WasiCtxBuilder::new();
    if let Some(rehearsal) = rehearsal {
        rehearsal.set_clocks(&mut builder);
    }
    builder
        .stdout(pipe(false))
        .stderr(pipe(true))
        .max_random_size(MOST_RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

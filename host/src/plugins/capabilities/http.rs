//! `wasi:http/outgoing-handler`, for plugins whose manifest asks for `http`. Where a request goes from there is
//! [`outbound`](crate::plugins::outbound)'s matter.

use crate::plugins::state::CallState;
use wasmtime::component::Linker;

pub(super) fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

//! One binary, so that the host is linked once. Folders follow the rooms of `host/src`; `support` is the harness.

mod api;
mod domain;
mod e2e;
mod house;
mod plugins;
mod store;
mod support;

//! One binary, so that the host is linked once. Folders follow the rooms of `host/src`; `support` is the harness.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and clippy takes only functions that are marked so for tests"
)]
#![expect(
    clippy::duplicate_mod,
    reason = "the tests of the store and of the API run once per database"
)]

mod api;
mod cli;
mod contract;
mod domain;
mod e2e;
mod house;
mod packaging;
mod plugins;
mod runner;
mod store;
mod support;
mod ui;

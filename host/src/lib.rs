//! Orchestrator: schedules and runs orchestrations, each task and each notification in a WebAssembly component.
//!
//! The rooms and the direction in which they may use one another are drawn in `ARCHITECTURE.md`.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod janitor;
pub mod lease;
pub mod metrics;
pub mod notifier;
pub mod plugins;
pub mod registry;
pub mod relay;
pub mod rotation;
pub mod runner;
pub mod scheduler;
pub mod store;
pub mod tokens;
pub mod traces;
pub mod ui;
pub mod wake;

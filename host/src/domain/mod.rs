//! The product's nouns and rules as pure values: no IO, no SQL, no HTTP, no wasmtime, no clock of its own.
//!
//! Every other room may use this one; it uses none of them.

pub mod alarm;
pub mod audit;
pub mod credential;
pub mod crontab;
pub mod delivery;
pub mod event;
pub mod faults;
pub mod ids;
pub mod job;
pub mod job_event;
pub mod notification;
pub mod orchestration;
pub mod phases;
pub mod plugin;
pub mod quota;
pub mod references;
pub mod role;
pub mod step;
pub mod task;
pub mod tick;
pub mod time;
pub mod token;
pub mod trace;

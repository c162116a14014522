//! The harness: real peers on loopback.

pub mod client;
pub mod server;
pub mod smtp;

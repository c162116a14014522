//! The harness: real peers on loopback, a database of its own for each test.

pub mod client;
pub mod server;
pub mod smtp;
pub mod store;

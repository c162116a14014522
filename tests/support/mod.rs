//! The harness: real peers on loopback, a database of its own for each test.

pub mod smtp;
pub mod store;

//! The harness: real peers on loopback.

pub mod smtp;

//! The harness: real peers on loopback, guests that misbehave, and a runner's stand-in.

pub mod guests;
pub mod smtp;
pub mod steps;

//! The harness: real peers on loopback, a database of its own for each test, guests that misbehave.

pub mod author;
pub mod client;
pub mod database;
pub mod document;
pub mod events;
pub mod guests;
pub mod otlp;
pub mod person;
pub mod postgres;
pub mod process;
pub mod server;
pub mod smtp;
pub mod steps;
pub mod store;

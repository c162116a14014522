//! The server as a process, against real peers: an HTTPS component server, an SMTP server, and `kill -9`.

mod components;
mod crash;
mod hosts;
mod mail;
mod schedule;
mod settings;

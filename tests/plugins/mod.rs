//! Plugins as they ship and plugins that misbehave, through the room's own interface.

mod build;
mod cache;
mod checkpoints;
mod compiler;
mod contract;
mod limits;
mod mail;
mod outbound;
mod token;

//! The commands for people and for authors of plugins, as they are called at a terminal; and the client that they call servers with.

mod client;
mod files;
mod guide;
mod import;
mod languages;
mod login;
mod orchestrations;
mod plugin;
mod run;

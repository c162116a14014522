//! The commands for authors of plugins, as a person calls them.

mod languages;
mod plugin;

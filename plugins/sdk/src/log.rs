//! Lines for the people who run the plugin. They are kept with the run; beyond the step's log limit they are dropped.

use crate::bindings::task::orchestrator::host::log::write;

pub use crate::bindings::task::orchestrator::host::log::Level;

/// Writes one line at the given level.
pub fn line(level: Level, message: &str) {
    write(level, message);
}

/// Writes one line that helps to find a fault in the plugin.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes one line that tells what the plugin does.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes one line about something that somebody may have to look at.
pub fn warning(message: &str) {
    write(Level::Warning, message);
}

/// Writes one line about something that went wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}

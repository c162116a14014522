//! What is said of plugins beyond their code.

/// What a task used, all its steps and attempts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in which the plugin computed, in microseconds.
    pub cpu_micros: u64,
    /// Bodies of its requests.
    pub sent_bytes: u64,
    /// Bodies of the answers to them.
    pub received_bytes: u64,
}

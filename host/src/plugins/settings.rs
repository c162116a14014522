//! What the plugins room is told at start: sizes, times, what may be called, and where mail goes.

use super::compiler::CompilerSettings;
use super::outbound::OutboundAllow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that [`Plugins::open`](super::Plugins::open) needs.
pub struct PluginSettings {
    /// Compiled components are kept in `cache` below it.
    pub data_dir: PathBuf,
    /// Authenticates the compiled components in the cache; the same for every start on one data directory.
    pub cache_key: [u8; 32],
    /// Most steps, cancellations and deliveries that run at once; more of them wait. At least 1.
    pub concurrent_steps: usize,
    pub limits: StepLimits,
    pub outbound: OutboundSettings,
    pub compiler: CompilerSettings,
    /// Without it mail goes to the log, and the receipt says so.
    pub mail: Option<MailSettings>,
}

/// What one call of a plugin may use. A plugin's manifest can ask for less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLimits {
    /// Time in which the plugin's thread computes, looked at every 10 ms.
    pub cpu: Duration,
    /// Time from the start of a task's step to its end, waiting included.
    pub wall: Duration,
    /// The same for a delivery.
    pub delivery_wall: Duration,
    /// The same for the cancellation of a task.
    pub cancel_wall: Duration,
    /// Linear memory of all the plugin's modules together.
    pub memory_bytes: usize,
    /// Bytes that are kept of the log, standard output and standard error; what comes after is dropped.
    pub log_bytes: usize,
    /// Largest JSON response of a task.
    pub response_bytes: usize,
    /// Largest body of one HTTP request.
    pub http_request_bytes: usize,
    /// Largest body of one HTTP response.
    pub http_response_bytes: usize,
    /// Bodies of all HTTP responses of one call together.
    pub http_total_bytes: usize,
    /// HTTP requests that are under way at once.
    pub http_requests_at_once: usize,
}

impl Default for StepLimits {
    /// 10 s of CPU; 15 min for a step, 30 s for a delivery, 5 s for a cancellation; 128 MiB of memory; 256 KiB of log;
    /// 1 MiB of response; 8 MiB for the body of one HTTP request or response, 64 MiB for all of a call's responses, 16
    /// requests at once.
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(15 * 60),
            delivery_wall: Duration::from_secs(30),
            cancel_wall: Duration::from_secs(5),
            memory_bytes: 128 << 20,
            log_bytes: 256 << 10,
            response_bytes: 1 << 20,
            http_request_bytes: 8 << 20,
            http_response_bytes: 8 << 20,
            http_total_bytes: 64 << 20,
            http_requests_at_once: 16,
        }
    }
}

/// Where plugins may send requests, beyond what their manifests and grants say.
#[derive(Clone)]
pub struct OutboundSettings {
    /// Addresses and hosts that are allowed although they are private.
    pub allow: Vec<OutboundAllow>,
    /// PEM of authorities that are trusted beside the public ones.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Longest time until there is a connection, look-up and TLS included; a plugin may ask for less.
    pub connect_timeout: Duration,
}

impl Default for OutboundSettings {
    /// Nothing private, no extra authority, 10 s.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            extra_ca_pem: None,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for OutboundSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundSettings")
            .field("allow", &self.allow)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// The mail server. Not printable: the address may hold a password.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtp://[user:password@]host[:port]` or `smtps://…`. `?tls=required` or `?tls=opportunistic` asks for STARTTLS; a
    /// password goes over plain `smtp://` to this machine only, to others TLS is required.
    pub smtp_url: String,
    /// The sender: `name@example.com` or `Name <name@example.com>`.
    pub from: String,
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PluginSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSettings")
            .field("data_dir", &self.data_dir)
            .field("concurrent_steps", &self.concurrent_steps)
            .field("limits", &self.limits)
            .field("outbound", &self.outbound)
            .field("compiler", &self.compiler)
            .field("mail", &self.mail)
            .finish_non_exhaustive()
    }
}

//! Pretend components that speak the component protocol over TLS, for tests and for trying the
//! server on one machine.
//!
//! A task of an orchestration names a component; the server runs it by `POST
//! {base}/{component}/{action}` and, where the answer describes a job, polls that job's address.
//! This service answers such calls in every way a component may, well behaved or not, and remembers
//! each request, so that a test can say what was sent and how often.
//!
//! It checks no credentials and shows the tokens it was sent: it is a test aid, never to be
//! reachable from outside the machine. Nothing but the certificates outlives the process.
//!
//! In a test: `let demo = DemoServer::start(Options::default()).await?;` – dropping `demo` stops it.

mod certs;
mod components;
mod jobs;
mod record;
mod routes;
mod server;
mod storage_api;

pub use certs::{CertificateError, Certificates};
pub use components::{CATALOG, Component, Entry};
pub use jobs::JobSummary;
pub use record::{RecordedRequest, WaitedTooLong};
pub use server::{DemoServer, Options, StartError};
pub use storage_api::StorageApi;

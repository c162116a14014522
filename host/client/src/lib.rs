//! The Orchestrator's API as a typed client, as `orchestrator`'s own commands use it.
//!
//! A [`Client`] knows one server and one token. Its methods are the calls of the API, in its words; what they answer are the
//! API's nouns ([`Orchestration`], [`Job`], …), which serialise as the server prints them. What goes wrong is a
//! [`ClientError`]: it says what the server said, and what its caller can do about it ([`ClientError::remedy`]).
//!
//! Requests are repeated only where a repetition changes nothing more: reads, replacements, and jobs that are made under
//! an idempotency key. Tokens never show in errors or debug output, and leave the host over TLS only, unless that is asked for.
//!
//! ```no_run
//! # async fn nightly() -> Result<(), orchestrator_client::ClientError> {
//! use orchestrator_client::{Access, Client, RunWish};
//!
//! let client = Client::builder("https://orchestrator.example.com", Access::Token("…".to_owned())).build()?;
//! let job = client.run(7, &RunWish::default(), "nightly-2026-11-25").await?;
//! let mut events = client.follow_job(job.id, None);
//! while let Some(event) = events.next().await? {
//!     println!("{} {}", event.time, event.message.unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```

mod builder;
mod calls;
mod error;
mod events;
mod nouns;
mod pages;
mod refusal;
mod request;
mod tls;

pub use builder::{Access, Builder, is_private};
pub use error::{ClientError, Remedy, SetupError};
pub use events::EventStream;
pub use nouns::{
    Component, Crontab, Event, EventTask, ExecutedJob, InitiatorToken, Job, Notification,
    Orchestration, OrchestrationBody, Owner, Results, RunWish, Status, Task, TaskResult, TaskUsage,
    Token, TokenReference, Usage,
};
pub use pages::JobPages;
pub use refusal::{Fault, Refusal};
pub use request::{Client, Method};

//! Blocking HTTP, for plugins whose manifest asks for the capability `http` and names its `hosts`.
//!
//! ```no_run
//! use orchestrator_sdk::http::{Error, Request};
//!
//! fn is_up() -> Result<bool, Error> {
//!     let response = Request::new("GET", "https://status.example.com/").header("Accept", "application/json").send()?;
//!     Ok(response.status() == 200)
//! }
//! ```
//!
//! Every request passes the host: it decides whether the address may be called, adds credentials that belong to the
//! address (a plugin never holds them) and a `User-Agent`, and bounds time and size. Redirects are answered as they
//! are: see [`Response::header`] and [`Address::join`].
//!
//! An [`Error`] tells what matters before a request is repeated: whether it can have reached the other side.

mod address;
mod error;
mod message;
mod wasi;
mod whole;

pub use address::{Address, AddressError, encode_segment};
pub use error::Error;
pub use message::{Request, Response, parse_retry_after};
pub use wasi::Pending;

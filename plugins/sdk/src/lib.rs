//! The kit for plugins of Orchestrator: task types and notification deliveries, written as WebAssembly components.
//!
//! A plugin is a library of type `cdylib` that is built for `wasm32-wasip2`, implements one trait and exports it. This
//! one is a whole task type:
//!
//! ```
//! use orchestrator_sdk::task::{Context, Failure, Step, Task};
//!
//! struct Greeting;
//!
//! impl Task for Greeting {
//!     fn start(context: Context) -> Result<Step, Failure> {
//!         orchestrator_sdk::log::info(&format!("greeting for {}", context.run_id));
//!         Ok(Step::success(r#"{"hello":"world"}"#))
//!     }
//! }
//!
//! orchestrator_sdk::export_task!(Greeting);
//! # fn main() {}
//! ```
//!
//! | you write | trait | macro |
//! | --- | --- | --- |
//! | a task type | [`task::Task`] | [`export_task!`] |
//! | the same as plain functions | see [`flow`] | [`task_fn!`], [`state_task!`] |
//! | a way to deliver notifications | [`delivery::Delivery`] | [`export_delivery!`] |
//!
//! What a plugin may use of the world outside is one module each: [`log`] always, [`task::Checkpoint::save`] in tasks,
//! [`http`], [`mail`] and [`credentials`] where the manifest (`plugin.toml`) asks for them and the project grants them. There are no
//! files, no environment, no arguments and no sockets: calls to them answer empty or with an error.
//!
//! Every call runs in a fresh instance. Nothing that a plugin keeps in memory is there in the next call; what a task
//! has to remember goes into its [`task::Checkpoint`].
//!
//! The macros export nothing where the target is not WebAssembly, so that a plugin's own logic can be tested with a plain
//! `cargo test`. The functions that call the host panic there.

pub mod bindings;
pub mod credentials;
pub mod delivery;
mod failure;
pub mod flow;
pub mod http;
pub mod log;
pub mod mail;
pub mod retry;
pub mod task;

pub use serde_json;

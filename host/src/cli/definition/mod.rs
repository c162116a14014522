//! Orchestrations as files: the API's own body with `name` as its key, in YAML or JSON.
//!
//! A key that is absent leaves what the server has, as in the API's `PUT`. Other than there, a key that nobody knows is a
//! fault, because it is a slip of the pen. The rest is judged by the API's own readers, so that a file which passes here has no
//! fault of its own there. Every fault says in which file, line and place it is.

mod known;
mod places;
mod read;
mod write;
mod yaml;

pub(super) use known::check_keys;
use places::Document;
pub(super) use read::{Definition, Problems, body_of, read_files};
pub(super) use write::{exported, file_name, print_definition};

//! One binary, so that the host is linked once. Folders follow the rooms of `host/src`; `support` is the harness.

mod domain;
mod plugins;
mod support;

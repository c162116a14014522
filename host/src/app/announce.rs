//! What a server says once it answers: where, with what, and what its operator has to know.

use super::{MASTER_TOKEN_FILE, Server};
use crate::domain::role::Role;
use crate::tokens::KeySource;

pub(super) fn announce(server: &Server, made: Option<&str>) {
    let config = &server.config;
    let data_dir = config.data_dir.display();
    if let Some(secret) = made {
        // On purpose, and this once: without it nobody could use the server.
        println!("Master token of project 1: {secret}");
        println!("It is kept in {data_dir}/{MASTER_TOKEN_FILE}; it is not shown again.");
    }
    if config.mail.is_none() && config.roles.has(Role::Notifier) {
        tracing::warn!("no smtp-url is set: mail is written to the log instead of being sent");
    }
    if config.roles.has(Role::Notifier)
        && !config.roles.has(Role::Api)
        && config.public_url.is_none()
    {
        tracing::warn!("no public-url is set: links in mail lead to this server, which has no api");
    }
    if let KeySource::File(path) = &config.master_key {
        let path = path.display();
        tracing::info!("secrets are sealed under {path}: keep a copy of it");
    }
    if !config.roles.left_out().is_empty() {
        tracing::info!(roles = %config.roles, "others on this database have to do the rest");
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        components = config.components_url,
        "listening on {}",
        server.own_url()
    );
}

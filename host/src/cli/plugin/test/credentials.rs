//! The credentials of a scenario's project. As in a server, a plugin gets those that its manifest asks for and never sees one.

use crate::domain::credential::{Credential, Secret, missing_credential};
use crate::domain::step::Failure;
use crate::plugins::{Plugin, fault_of_credential_host};
use serde::Deserialize;
use std::collections::BTreeMap;

/// By name.
pub(super) type Credentials = BTreeMap<String, Given>;

/// One, as `PUT /credentials/{name}` takes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(flatten)]
    secret: Secret,
}

/// Says which of their addresses are none.
pub(super) fn check(credentials: &Credentials) -> anyhow::Result<()> {
    for (name, given) in credentials {
        for host in &given.hosts {
            if let Some(fault) = fault_of_credential_host(host) {
                anyhow::bail!("credentials.{name}.hosts: {host:?} {fault}");
            }
        }
    }
    Ok(())
}

/// Those that the plugin may use where `named` is what the task or the notification names.
pub(super) fn open(
    credentials: &Credentials,
    plugin: &Plugin,
    named: Option<&str>,
) -> Result<Vec<Credential>, Failure> {
    let wanted = plugin.credentials_wanted(named);
    let found = wanted.iter().filter_map(|name| {
        let given = credentials.get(name)?;
        Some(Credential {
            name: name.clone(),
            hosts: given.hosts.clone(),
            secret: given.secret.clone(),
        })
    });
    let opened: Vec<Credential> = found.collect();
    match missing_credential(&wanted, named, &opened) {
        Some(failure) => Err(failure),
        None => Ok(opened),
    }
}

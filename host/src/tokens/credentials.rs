//! Credentials between the database, which keeps them sealed, and a call that uses them.

use super::seal::{self, Label, SealError};
use super::{TokenError, Tokens};
use crate::domain::credential::{Credential, Secret};
use crate::domain::ids::ProjectId;
use crate::store::NewCredential;

impl Tokens {
    /// A credential as the database is to keep it.
    ///
    /// # Errors
    /// Without random bytes nothing is sealed.
    pub fn seal_credential(
        &self,
        project: ProjectId,
        credential: &Credential,
    ) -> Result<NewCredential, TokenError> {
        let plain = serde_json::to_vec(&credential.secret).map_err(|_| SealError::Unreadable)?;
        let owner = owner(project, &credential.name);
        let sealed = seal::seal(&self.keys, &self.random, label(&owner), &plain)?;
        Ok(NewCredential {
            name: credential.name.clone(),
            kind: credential.secret.kind(),
            hosts: credential.hosts.clone(),
            detail: credential.secret.detail().to_owned(),
            sealed,
        })
    }

    /// The project's credentials of these names, opened; those that it does not have are left out.
    ///
    /// # Errors
    /// Where the database does not answer, or a sealed secret is damaged.
    pub async fn open_credentials(
        &self,
        project: ProjectId,
        names: &[String],
    ) -> Result<Vec<Credential>, TokenError> {
        let mut opened = Vec::with_capacity(names.len());
        for name in names {
            let Some(kept) = self.store.read_sealed_credential(project, name).await? else {
                continue;
            };
            let owner = owner(project, &kept.name);
            let plain = seal::open(&self.keys, label(&owner), &kept.sealed)?;
            let secret: Secret =
                serde_json::from_slice(&plain).map_err(|_| SealError::Unreadable)?;
            opened.push(Credential {
                name: kept.name,
                hosts: kept.hosts,
                secret,
            });
        }
        Ok(opened)
    }
}

/// A sealed secret opens for its own project and name only.
fn owner(project: ProjectId, name: &str) -> Vec<u8> {
    [&project.0.to_be_bytes()[..], name.as_bytes()].concat()
}

fn label(owner: &[u8]) -> Label<'_> {
    Label {
        purpose: "credential",
        owner,
    }
}

//! The remote token backend: tokens are those of an external Storage API, and so are projects.
//!
//! A project is made here when a token of its owner is first seen. Of a token, a row with its sealed secret is kept only
//! where an orchestration uses it, because its runs need it; its id is the Storage API's.

use super::remote::{Remote, RemoteError, RemoteSettings, RemoteToken};
use super::seal::SealError;
use super::{TokenError, Tokens, lookup};
use crate::domain::ids::{ProjectId, TokenId};
use crate::domain::time::Timestamp;
use crate::domain::token::Rights;
use crate::store::Token;
use serde_json::Value;
use std::sync::Arc;

impl Tokens {
    /// These, but with tokens that are kept by a Storage API.
    ///
    /// # Errors
    /// An authority that cannot be used.
    pub fn with_remote(self, settings: RemoteSettings) -> Result<Self, TokenError> {
        Ok(Self {
            remote: Some(Arc::new(Remote::new(settings)?)),
            ..self
        })
    }

    /// Whether tokens are kept elsewhere.
    #[must_use]
    pub fn are_elsewhere(&self) -> bool {
        self.remote.is_some()
    }

    /// # Errors
    /// [`TokenError::Elsewhere`] where tokens and projects are not kept here.
    pub fn check_are_here(&self) -> Result<(), TokenError> {
        match &self.remote {
            None => Ok(()),
            Some(remote) => Err(TokenError::Elsewhere {
                url: remote.url.clone(),
            }),
        }
    }

    pub(super) async fn authenticate_elsewhere(
        &self,
        remote: &Remote,
        secret: &str,
    ) -> Result<Option<Token>, TokenError> {
        let now = self.clock.now();
        let key = self.keys.current().ok_or(SealError::NoKey)?;
        let found = remote.verify(lookup(&key, secret), secret, now).await?;
        let Some(found) = found else { return Ok(None) };
        let project = self
            .store
            .project_of_owner(&found.owner, &found.owner_name, now)
            .await?;
        Ok(Some(token_of(&found, project, now)))
    }

    /// What the Storage API says of a token now; `None` without a remote backend or such a token.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn verify_elsewhere(&self, secret: &str) -> Result<Option<Value>, TokenError> {
        match &self.remote {
            Some(remote) => Ok(remote.verify_answer(secret).await?),
            None => Ok(None),
        }
    }

    /// Makes a token for an orchestration there, on behalf of the bearer of `secret`, and keeps it here for its runs.
    ///
    /// # Errors
    /// Where the Storage API does not answer or refuses, or the database does not answer.
    pub async fn make_elsewhere(
        &self,
        caller: &Token,
        secret: &str,
        description: &str,
    ) -> Result<TokenId, TokenError> {
        let remote = self.remote()?;
        let access = &caller.rights.component_access;
        let (id, value) = remote.create(secret, description, access).await?;
        let made = Token {
            id,
            description: description.to_owned(),
            rights: Rights {
                component_access: access.clone(),
                ..Rights::of_orchestration()
            },
            ..caller.clone()
        };
        let kept = self.keep_elsewhere(&made, &value).await;
        if kept.is_err() {
            self.delete_elsewhere(secret, id).await;
        }
        kept.map(|()| id)
    }

    /// Keeps a token that an orchestration is to use.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn keep_elsewhere(&self, token: &Token, secret: &str) -> Result<(), TokenError> {
        let kept = self.keep(secret)?;
        Ok(self.store.keep_token(token.clone(), kept).await?)
    }

    /// Gives a token a new value there, and its row here too.
    ///
    /// # Errors
    /// Where the Storage API does not answer or refuses, or the database does not answer.
    pub async fn refresh_elsewhere(
        &self,
        project: ProjectId,
        id: TokenId,
        secret: &str,
    ) -> Result<(), TokenError> {
        let value = self.remote()?.refresh(secret, id).await?;
        let kept = self.keep(&value)?;
        let by = Rights::of_master();
        let now = self.clock.now();
        self.store.refresh_token(project, id, kept, by, now).await?;
        Ok(())
    }

    /// Deletes a token there that nothing uses any more. What does not succeed is logged: it harms nobody.
    pub async fn delete_elsewhere(&self, secret: &str, id: TokenId) {
        if let Some(remote) = &self.remote
            && let Err(error) = remote.delete(secret, id).await
        {
            tracing::warn!(token = %id, %error, "a token that was made for an orchestration was not deleted");
        }
    }

    fn remote(&self) -> Result<&Remote, TokenError> {
        let remote = self.remote.as_deref();
        remote.ok_or_else(|| RemoteError::Refused("there is none".into()).into())
    }
}

fn token_of(found: &RemoteToken, project: ProjectId, now: Timestamp) -> Token {
    Token {
        id: found.id,
        project_id: project,
        description: found.description.clone(),
        created_at: now,
        refreshed_at: now,
        is_disabled: false,
        rights: found.rights.clone(),
        creator: None,
    }
}

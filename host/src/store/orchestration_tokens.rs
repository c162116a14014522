//! Which token an orchestration's jobs use: one that it was given, or one that was made for it.
//!
//! A token that was made for an orchestration goes with the last that uses it; one that was given stays
//! ([`super::tokens`]). Callers have locked the orchestration, unless it is just being made.

use super::locks::lock_orchestration;
use super::orchestrations::change_of;
use super::rows::storable;
use super::token_changes::choose_usable_token;
use super::tokens::{NewToken, drop_unused_token, insert_token, renew_secret, tie_token};
use super::{Result, Store, Tx};
use crate::domain::audit::Action;
use crate::domain::ids::{OrchestrationId, ProjectId, TokenId};
use crate::domain::orchestration::{Orchestration, TokenReference};
use crate::domain::time::Timestamp;

/// Which token an orchestration's jobs use.
#[derive(Clone, Debug)]
pub enum TokenChoice {
    Existing(TokenId),
    /// Made for this orchestration; goes with the last job that uses it.
    Make(NewToken),
    /// The same, and its row is there already: it was made elsewhere.
    Made(TokenId),
}

impl Store {
    /// Gives the orchestration a new token secret: a token that was made for it keeps its row and gets the new secret,
    /// one that was given is replaced by the new one.
    pub async fn refresh_orchestration_token(
        &self,
        project: ProjectId,
        id: OrchestrationId,
        token: NewToken,
        now: Timestamp,
    ) -> Result<Option<Orchestration>> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                lock_orchestration(tx, project, id).await?;
                let Some(before) = store.find(tx, project, id).await? else {
                    return Ok(None);
                };
                if !renew_secret(tx, id, before.token.id, &token.secret, now).await? {
                    let token = TokenReference {
                        id: insert_token(tx, project, &token, now).await?,
                        description: token.description,
                    };
                    tie_token(tx, token.id, id).await?;
                    use_token(tx, project, id, &token).await?;
                }
                let after = store.find(tx, project, id).await?;
                let action = Action::OrchestrationToken;
                let change = change_of(action, id, Some(&before), after.as_ref());
                store.note(tx, project, change, now).await?;
                Ok(after)
            })
        })
        .await
    }
}

/// The token of that choice, made where it is to be. `None`: the project has no such token that can be used.
pub(super) async fn choose_token(
    tx: &mut Tx,
    project: ProjectId,
    choice: &TokenChoice,
    now: Timestamp,
) -> Result<Option<TokenReference>> {
    match choice {
        TokenChoice::Make(token) => Ok(Some(TokenReference {
            id: insert_token(tx, project, token, now).await?,
            description: token.description.clone(),
        })),
        TokenChoice::Existing(id) | TokenChoice::Made(id) => {
            choose_usable_token(tx, project, *id, now).await
        }
    }
}

/// Gives the orchestration another token of its project. `false`: there is none of that id that can be used.
pub(super) async fn change_token(
    tx: &mut Tx,
    before: &Orchestration,
    id: TokenId,
    now: Timestamp,
) -> Result<bool> {
    if id == before.token.id {
        return Ok(true);
    }
    let Some(token) = choose_usable_token(tx, before.project_id, id, now).await? else {
        return Ok(false);
    };
    use_token(tx, before.project_id, before.id, &token).await?;
    drop_unused_token(tx, before.id, before.token.id).await?;
    Ok(true)
}

async fn use_token(
    tx: &mut Tx,
    project: ProjectId,
    id: OrchestrationId,
    token: &TokenReference,
) -> Result<()> {
    sqlx::query(
        "UPDATE orchestrations SET token_id = $3, token_description = $4 WHERE id = $1 AND project_id = $2",
    )
    .bind(id.0)
    .bind(project.0)
    .bind(token.id.0)
    .bind(storable(&token.description))
    .execute(tx)
    .await?;
    Ok(())
}

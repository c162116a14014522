//! Who did what: the entries of the audit log, and what they tell of a row. Never a secret.
//!
//! Of tasks an entry names the revision, which is kept as it was: their parameters may hold what is nobody's business.

use super::ids::{JobId, OrchestrationId};
use super::job::Job;
use super::orchestration::{Orchestration, TokenReference};
use super::time::Timestamp;
use super::token::Rights;
use serde_json::{Value, json};

/// On whose behalf something is changed.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `None`: the operator.
    pub token: Option<TokenReference>,
    /// Where the request came from.
    pub address: String,
}

/// What is done to something, which `subject` of an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    OrchestrationCreate,
    OrchestrationUpdate,
    OrchestrationDelete,
    OrchestrationToken,
    TokenCreate,
    TokenUpdate,
    TokenRefresh,
    TokenDelete,
    JobCreate,
    JobCancel,
    DeliveryRepeat,
    PluginUpload,
    PluginGrant,
    PluginDelete,
    ComponentSave,
    ComponentDelete,
    CredentialSave,
    CredentialDelete,
    SessionOpen,
    SessionClose,
    ProjectCreate,
    ProjectUpdate,
    ProjectDelete,
}

impl Action {
    /// As the log keeps it: the noun and the verb.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrchestrationCreate => "orchestration.create",
            Self::OrchestrationUpdate => "orchestration.update",
            Self::OrchestrationDelete => "orchestration.delete",
            Self::OrchestrationToken => "orchestration.create-token",
            Self::TokenCreate => "token.create",
            Self::TokenUpdate => "token.update",
            Self::TokenRefresh => "token.refresh",
            Self::TokenDelete => "token.delete",
            Self::JobCreate => "job.create",
            Self::JobCancel => "job.cancel",
            Self::DeliveryRepeat => "delivery.repeat",
            Self::PluginUpload => "plugin.upload",
            Self::PluginGrant => "plugin.grant",
            Self::PluginDelete => "plugin.delete",
            Self::ComponentSave => "component.save",
            Self::ComponentDelete => "component.delete",
            Self::CredentialSave => "credential.save",
            Self::CredentialDelete => "credential.delete",
            Self::SessionOpen => "session.open",
            Self::SessionClose => "session.close",
            Self::ProjectCreate => "project.create",
            Self::ProjectUpdate => "project.update",
            Self::ProjectDelete => "project.delete",
        }
    }
}

/// A change that is about to be made.
#[derive(Clone, Debug)]
pub struct Change {
    pub action: Action,
    /// The id of the row, or the name of what is known by its name.
    pub subject: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    pub id: i64,
    pub created_at: Timestamp,
    pub actor: Actor,
    pub action: String,
    pub subject: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What an entry tells of an orchestration.
#[must_use]
pub fn of_orchestration(one: &Orchestration) -> Value {
    json!({
        "name": one.name,
        "crontabRecord": one.crontab_record,
        "active": one.active,
        "tokenId": one.token.id,
        "revision": one.revision.id,
        "tasks": one.revision.tasks.len(),
        "notifications": one.revision.notifications.len(),
    })
}

/// What an entry tells of a token.
#[must_use]
pub fn of_token(description: &str, is_disabled: bool, rights: &Rights) -> Value {
    json!({
        "description": description,
        "isDisabled": is_disabled,
        "isMasterToken": rights.is_master,
        "canManageBuckets": rights.can_manage_buckets,
        "canManageTokens": rights.can_manage_tokens,
        "canReadAllFileUploads": rights.can_read_all_file_uploads,
        "canPurgeTrash": rights.can_purge_trash,
        "componentAccess": rights.component_access,
        "bucketPermissions": rights.bucket_permissions,
        "expires": rights.expires_at,
    })
}

/// What an entry tells of a job that was made.
#[must_use]
pub fn of_job(job: &Job) -> Value {
    json!({
        "orchestrationId": job.orchestration_id,
        "initializedBy": job.initialized_by.as_str(),
        "revision": job.revision.id,
    })
}

/// A browser that signs in, or out: the entry's token is the one that it does so with.
#[must_use]
pub fn of_session(action: Action, session: i64) -> Change {
    Change {
        action,
        subject: session.to_string(),
        before: None,
        after: None,
    }
}

/// What an entry tells of a job that was cancelled.
#[must_use]
pub fn of_cancelled_job(job: JobId, orchestration: OrchestrationId) -> Change {
    Change {
        action: Action::JobCancel,
        subject: job.to_string(),
        before: Some(json!({"orchestrationId": orchestration, "status": "waiting"})),
        after: Some(json!({"orchestrationId": orchestration, "status": "cancelled"})),
    }
}

//! Tokens, and the projects that own them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// As orchestrations and jobs name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReference {
    pub id: i64,
    pub description: String,
}

/// Everything about a token but, mostly, its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub id: String,
    /// The value, where it was presented or made just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    pub description: String,
    pub created: String,
    pub refreshed: String,
    pub expires: Option<String>,
    pub is_expired: bool,
    pub is_disabled: bool,
    pub is_master_token: bool,
    pub can_manage_buckets: bool,
    pub can_manage_tokens: bool,
    pub can_read_all_file_uploads: bool,
    pub can_purge_trash: bool,
    /// An object.
    pub bucket_permissions: Value,
    pub component_access: Vec<String>,
    pub uri: String,
    pub creator_token: Option<Value>,
    pub owner: Owner,
}

/// The project of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub id: i64,
    pub name: String,
}

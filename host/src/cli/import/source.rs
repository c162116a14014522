//! What the source has, by the calls that its blueprint documents: the list, and each one's detail, tasks and notifications.

use orchestrator_client::{Client, Method};
use serde_json::{Map, Value};

/// One orchestration of the source.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_active: bool,
    /// The detail, with `tasks` and `notifications`; else why it could not be read.
    pub(super) value: Result<Map<String, Value>, Vec<String>>,
}

pub(super) async fn read_all(source: &Client) -> anyhow::Result<Vec<Found>> {
    let list = get(source, "/orchestrations").await?;
    let mut found = Vec::new();
    for entry in list.as_array().into_iter().flatten() {
        found.push(read_one(source, entry).await);
    }
    Ok(found)
}

async fn read_one(source: &Client, entry: &Value) -> Found {
    let id = entry.get("id").unwrap_or(&Value::Null);
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let name = entry.get("name").and_then(Value::as_str);
    Found {
        name: name.unwrap_or_default().to_owned(),
        is_active: entry.get("active") == Some(&Value::Bool(true)),
        value: detail(source, &id)
            .await
            .map_err(|error| vec![format!("it cannot be read: {error:#}")]),
        id,
    }
}

async fn detail(source: &Client, id: &str) -> anyhow::Result<Map<String, Value>> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
        anyhow::bail!("{id:?} is no id");
    }
    let Value::Object(mut detail) = get(source, &format!("/orchestrations/{id}")).await? else {
        anyhow::bail!("the source answered with something else than an orchestration");
    };
    // The detail has both; where it does not, they have calls of their own.
    for list in ["tasks", "notifications"] {
        if !detail.contains_key(list) {
            let path = format!("/orchestrations/{id}/{list}");
            detail.insert(list.to_owned(), get(source, &path).await?);
        }
    }
    Ok(detail)
}

async fn get(source: &Client, path: &str) -> anyhow::Result<Value> {
    Ok(source.call(Method::GET, path, None).await?)
}

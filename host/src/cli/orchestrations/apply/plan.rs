//! What would be done: each definition against what the server has.

use super::diff::{Difference, list_differences};
use crate::cli::definition::Definition;
use crate::cli::print::clean;
use anyhow::bail;
use orchestrator_client::{Client, Orchestration, OrchestrationBody};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What is done about one orchestration.
#[derive(Debug)]
pub(super) enum Step {
    Create {
        definition: Box<Definition>,
    },
    Change {
        definition: Box<Definition>,
        id: i64,
        differences: Vec<Difference>,
        /// Of the keys that change.
        body: Box<OrchestrationBody>,
    },
    /// It is as its file wants it.
    Keep {
        name: String,
        id: i64,
    },
    /// It is in no file.
    Delete {
        name: String,
        id: i64,
    },
}

impl Step {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Create { definition } | Self::Change { definition, .. } => &definition.name,
            Self::Keep { name, .. } | Self::Delete { name, .. } => name,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Keep { .. })
    }

    pub(super) fn to_json(&self) -> Value {
        let (action, id) = match self {
            Self::Create { .. } => ("create", None),
            Self::Change { id, .. } => ("change", Some(*id)),
            Self::Keep { id, .. } => ("nothing", Some(*id)),
            Self::Delete { id, .. } => ("delete", Some(*id)),
        };
        let differences: &[Difference] = match self {
            Self::Change { differences, .. } => differences,
            _ => &[],
        };
        json!({"name": self.name(), "action": action, "id": id, "differences": differences})
    }

    /// For people, with a line per difference.
    pub(super) fn describe(&self) -> String {
        let name = clean(self.name());
        match self {
            Self::Create { definition } => {
                let place = definition.document.place_of("name");
                let tasks = definition.change.tasks.as_ref().map_or(0, Vec::len);
                let noun = if tasks == 1 { "task" } else { "tasks" };
                format!("+ create   {name}  ({tasks} {noun}, from {place})\n")
            }
            Self::Change {
                id, differences, ..
            } => {
                let mut text = format!("~ change   {name}  (id {id})\n");
                for difference in differences {
                    let _ = writeln!(text, "             {difference}");
                }
                text
            }
            Self::Keep { id, .. } => format!("= nothing  {name}  (id {id})\n"),
            Self::Delete { id, .. } => format!("- delete   {name}  (id {id})\n"),
        }
    }
}

/// `prunes`: what is in no file is deleted.
pub(super) async fn make_plan(
    client: &Client,
    definitions: Vec<Definition>,
    prunes: bool,
) -> anyhow::Result<Vec<Step>> {
    let mut present: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for one in client.orchestrations().await? {
        present.entry(one.name).or_default().push(one.id);
    }
    let mut steps = Vec::new();
    for definition in definitions {
        let ids = present.remove(&definition.name).unwrap_or_default();
        steps.push(match ids.as_slice() {
            [] => Step::Create {
                definition: Box::new(definition),
            },
            [id] => {
                let present = client.orchestration(*id).await?;
                compared(definition, &present)?
            }
            several => {
                let place = definition.document.place_of("name");
                bail!(
                    "{place}: the server has several orchestrations {:?} ({several:?}): a file cannot say which it means",
                    definition.name
                )
            }
        });
    }
    if prunes {
        let left = present.into_iter();
        let left = left.flat_map(|(name, ids)| ids.into_iter().map(move |id| (name.clone(), id)));
        steps.extend(left.map(|(name, id)| Step::Delete { name, id }));
    }
    Ok(steps)
}

fn compared(definition: Definition, present: &Orchestration) -> anyhow::Result<Step> {
    let wanted = definition.body();
    let differences = differences_of(present, &wanted)?;
    Ok(if differences.is_empty() {
        Step::Keep {
            name: definition.name,
            id: present.id,
        }
    } else {
        Step::Change {
            definition: Box::new(definition),
            id: present.id,
            body: Box::new(only_changed(wanted, &differences)),
            differences,
        }
    })
}

/// Without the keys in which nothing changes, so that the audit log does not tell of them.
fn only_changed(wanted: OrchestrationBody, differences: &[Difference]) -> OrchestrationBody {
    let changes = |key: &str| {
        differences.iter().any(|difference| {
            let rest = difference.path.strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    };
    OrchestrationBody {
        name: None,
        active: wanted.active.filter(|_| changes("active")),
        crontab_record: wanted.crontab_record.filter(|_| changes("crontabRecord")),
        token_id: wanted.token_id.filter(|_| changes("tokenId")),
        notifications: wanted.notifications.filter(|_| changes("notifications")),
        tasks: wanted.tasks.filter(|_| changes("tasks")),
    }
}

/// What a body wants, as a map of its keys.
fn comparable(body: &OrchestrationBody) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(body)? {
        Value::Object(map) => Ok(map),
        _ => bail!("a body is an object"),
    }
}

/// The same keys of what is there.
fn present_form(present: &Orchestration) -> anyhow::Result<Map<String, Value>> {
    comparable(&OrchestrationBody {
        name: Some(present.name.clone()),
        active: Some(present.active),
        crontab_record: Some(present.crontab_record.clone()),
        token_id: Some(present.token.id),
        notifications: Some(present.notifications.clone()),
        tasks: Some(present.tasks.clone().unwrap_or_default()),
    })
}

/// How `wanted` differs from what is there.
pub(in crate::cli) fn differences_of(
    present: &Orchestration,
    wanted: &OrchestrationBody,
) -> anyhow::Result<Vec<Difference>> {
    Ok(list_differences(
        &present_form(present)?,
        &comparable(wanted)?,
    ))
}

//! Files in, definitions out, and everything that is wrong with them.

use super::known::check_keys;
use super::places::{Document, Place};
use super::yaml;
use crate::api::judge_orchestration;
use crate::domain::faults::Fault;
use crate::domain::{notification, task};
use crate::store::OrchestrationChange;
use orchestrator_client::{Notification, OrchestrationBody, Task};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Largest file: more than the API takes.
const MOST_BYTES: u64 = 16 << 20;

/// One orchestration as a file wants it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Definition {
    pub(in crate::cli) name: String,
    /// As the API reads it: defaults filled in, `None` where a key is absent.
    pub(in crate::cli) change: OrchestrationChange,
    pub(in crate::cli) document: Document,
}

impl Definition {
    /// The request that makes it so.
    pub(in crate::cli) fn body(&self) -> OrchestrationBody {
        body_of(&self.change)
    }
}

/// The request for what the API's readers made of a body.
pub(in crate::cli) fn body_of(change: &OrchestrationChange) -> OrchestrationBody {
    let tasks = change.tasks.as_ref();
    let notifications = change.notifications.as_ref();
    OrchestrationBody {
        name: change.name.clone(),
        active: change.active,
        crontab_record: change.crontab_record.clone(),
        token_id: change.token_id.map(|id| id.0),
        notifications: notifications.map(|list| list.iter().map(notification).collect()),
        tasks: tasks.map(|list| list.iter().map(task).collect()),
    }
}

fn task(task: &task::Task) -> Task {
    Task {
        id: Some(task.id.clone()).filter(|id| !id.is_empty()),
        component: task.component.clone(),
        component_url: task.component_url.clone(),
        action: task.action.clone(),
        action_parameters: task.action_parameters.clone(),
        continue_on_failure: task.continue_on_failure,
        timeout_minutes: task.timeout_minutes,
        active: task.active,
        phase: task.phase.clone(),
    }
}

fn notification(notification: &notification::Notification) -> Notification {
    Notification {
        email: notification.email.clone(),
        channel: notification.channel.as_str().to_owned(),
        parameters: notification.parameters.clone(),
        plugin: notification.plugin.clone(),
        config: notification.config.clone(),
    }
}

/// All that is wrong with files; never empty.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) struct Problems(Vec<(Option<Place>, String)>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (place, message)) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            match place {
                Some(place) => write!(f, "{place}: {message}")?,
                None => f.write_str(message)?,
            }
        }
        Ok(())
    }
}

impl Problems {
    /// Faults of one document, each with its line.
    pub(in crate::cli) fn of(document: &Document, faults: &[Fault]) -> Self {
        let mut problems = Vec::new();
        note(document, faults, &mut problems);
        Self(problems)
    }
}

fn note(document: &Document, faults: &[Fault], problems: &mut Vec<(Option<Place>, String)>) {
    for fault in faults {
        let place = document.place_of(&fault.path);
        let message = format!("{} {}", fault.path, fault.message);
        problems.push((Some(place), message.trim_start().to_owned()));
    }
}

/// Reads files, and those of folders (not of folders in them) whose names end in `.yaml`, `.yml` or `.json`; `-` is
/// standard input.
///
/// # Errors
/// [`Problems`] with all of them.
pub(in crate::cli) fn read_files(paths: &[PathBuf]) -> Result<Vec<Definition>, Problems> {
    let mut problems = Vec::new();
    let mut definitions: Vec<Definition> = Vec::new();
    let files = paths.iter().map(|path| files_of(path, &mut problems));
    let files: Vec<PathBuf> = files.collect::<Vec<_>>().concat();
    for path in files {
        match documents_of(&path) {
            Ok(documents) => {
                let parts = documents.into_iter().flat_map(Document::into_parts);
                definitions.extend(parts.filter_map(|part| read(part, &mut problems)));
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for definition in &definitions {
        let place = definition.document.place_of("name");
        if let Some(other) = seen.get(definition.name.as_str()) {
            let message = format!("name {:?} is that of {other}, too", definition.name);
            problems.push((Some(place), message));
        } else {
            seen.insert(&definition.name, place);
        }
    }
    if problems.is_empty() {
        Ok(definitions)
    } else {
        Err(Problems(problems))
    }
}

fn files_of(path: &Path, problems: &mut Vec<(Option<Place>, String)>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let listed = fs::read_dir(path).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut files = match listed {
        Ok(files) => files,
        Err(error) => {
            problems.push((None, format!("{} cannot be read: {error}", path.display())));
            return Vec::new();
        }
    };
    let is_wanted = |file: &PathBuf| {
        let extension = file.extension().and_then(|text| text.to_str());
        matches!(extension, Some("yaml" | "yml" | "json")) && file.is_file()
    };
    files.retain(is_wanted);
    files.sort();
    if files.is_empty() {
        let message = format!("{} has no file *.yaml, *.yml or *.json", path.display());
        problems.push((None, message));
    }
    files
}

fn documents_of(path: &Path) -> Result<Vec<Document>, (Option<Place>, String)> {
    let unreadable =
        |error: io::Error| (None, format!("{} cannot be read: {error}", path.display()));
    let text = if path == Path::new("-") {
        io::read_to_string(io::stdin()).map_err(unreadable)?
    } else {
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MOST_BYTES {
            return Err((
                None,
                format!("{} is larger than {MOST_BYTES} bytes", path.display()),
            ));
        }
        fs::read_to_string(path).map_err(unreadable)?
    };
    yaml::parse(&text, path).map_err(|fault| {
        let place = Place {
            file: path.to_owned(),
            line: fault.line,
        };
        (Some(place), fault.message)
    })
}

fn read(document: Document, problems: &mut Vec<(Option<Place>, String)>) -> Option<Definition> {
    let Value::Object(body) = &document.value else {
        let place = document.place_of("");
        problems.push((
            Some(place),
            "an orchestration has to be a map of keys".to_owned(),
        ));
        return None;
    };
    let mut faults = check_keys(body);
    let change = match judge_orchestration(body) {
        Ok(change) => Some(change),
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    let name = body.get("name").filter(|name| !name.is_null());
    if name.is_none() {
        faults.push(Fault {
            path: "name".to_owned(),
            message: "is required: it says which orchestration this is".to_owned(),
        });
    }
    note(&document, &faults, problems);
    let change = change.filter(|_| faults.is_empty())?;
    Some(Definition {
        name: change.name.clone()?,
        change,
        document,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(files: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("written");
        }
        let problems = read_files(&[dir.path().to_owned()]).expect_err("refused");
        let folder = format!("{}/", dir.path().display());
        problems.to_string().replace(&folder, "")
    }

    #[test]
    fn every_fault_is_told_with_its_file_line_and_place() {
        let said = problems_of(&[
            (
                "a.yaml",
                "name: A\ncrontabRecord: 61 * * * *\ntasks:\n  - component: x\n    timeout: 3\n  - action: run\n",
            ),
            (
                "b.json",
                "{\n  \"name\": \"B\",\n  \"active\": \"yes\"\n}\n",
            ),
            ("c.yml", "tasks: []\n"),
            ("d.yaml", "a: {\n"),
        ]);
        for wanted in [
            "a.yaml:2: crontabRecord ",
            "a.yaml:5: tasks[0].timeout is no key here; timeoutMinutes is meant?",
            "a.yaml:6: tasks[1].component component or componentUrl must be set",
            "b.json:3: active must be true or false",
            "c.yml:1: name is required",
            "d.yaml:2: ",
        ] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        assert_eq!(said.lines().count(), 6, "{said}");
    }

    #[test]
    fn a_name_stands_in_one_place() {
        let said = problems_of(&[
            ("a.yaml", "name: A\n---\nname: B\n"),
            ("b.yaml", "- name: C\n- name: A\n"),
        ]);
        assert_eq!(said, "b.yaml:2: name \"A\" is that of a.yaml:1, too");
    }
}

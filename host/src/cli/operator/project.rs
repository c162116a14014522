//! `orchestrator project create|list|disable|enable|limit|delete`.

use super::{Call, ServerArgs, cell, show_done};
use orchestrator_client::Method;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Manage the projects of a running server
#[derive(Clone, Debug, clap::Args)]
pub struct ProjectArgs {
    #[command(subcommand)]
    command: ProjectCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ProjectCommand {
    /// Make a project and print its master token, which is shown this once
    Create {
        /// What it is called
        name: String,
        #[command(flatten)]
        quotas: QuotaArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print all projects
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Refuse a project's tokens and run nothing of it
    Disable(OneProject),
    /// Let a project that is disabled go on
    Enable(OneProject),
    /// Give a project limits of its own
    Limit {
        /// Its id
        id: u64,
        #[command(flatten)]
        quotas: QuotaArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete a project and everything of it
    Delete(OneProject),
}

#[derive(Clone, Debug, clap::Args)]
struct OneProject {
    /// Its id
    id: u64,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Debug, clap::Args)]
struct QuotaArgs {
    /// A limit of its own: orchestrations, jobsPerDay, concurrentJobs, cpuSecondsPerDay, plugins or storageBytes, and a
    /// number, `unlimited`, or `default` for the server's; repeatable
    #[arg(long = "quota", value_name = "NAME=LIMIT", value_parser = quota)]
    quotas: Vec<(String, Value)>,
}

fn quota(text: &str) -> Result<(String, Value), String> {
    let (name, limit) = text.split_once('=').ok_or("must be NAME=LIMIT")?;
    let limit = match limit {
        "default" => Value::Null,
        "unlimited" => json!("unlimited"),
        number => match number.parse::<u64>() {
            Ok(number) => json!(number),
            Err(_) => return Err("the limit must be a number, unlimited or default".to_owned()),
        },
    };
    Ok((name.to_owned(), limit))
}

impl QuotaArgs {
    fn into_json(self) -> Value {
        Value::Object(self.quotas.into_iter().collect::<Map<_, _>>())
    }
}

impl ProjectArgs {
    pub(super) fn into_call(self) -> Call {
        const ALL: &str = "/operator/projects";
        let change = |one: OneProject, is_disabled: bool| Call {
            server: one.server,
            method: Method::PUT,
            path: format!("{ALL}/{}", one.id),
            body: Some(json!({"isDisabled": is_disabled})),
            show: show_done,
        };
        match self.command {
            ProjectCommand::Create {
                name,
                quotas,
                server,
            } => Call {
                server,
                method: Method::POST,
                path: ALL.to_owned(),
                body: Some(json!({"name": name, "quotas": quotas.into_json()})),
                show: show_created,
            },
            ProjectCommand::List { server } => Call {
                server,
                method: Method::GET,
                path: ALL.to_owned(),
                body: None,
                show: show_projects,
            },
            ProjectCommand::Disable(one) => change(one, true),
            ProjectCommand::Enable(one) => change(one, false),
            ProjectCommand::Limit { id, quotas, server } => Call {
                server,
                method: Method::PUT,
                path: format!("{ALL}/{id}"),
                body: Some(json!({"quotas": quotas.into_json()})),
                show: show_quotas,
            },
            ProjectCommand::Delete(one) => Call {
                server: one.server,
                method: Method::DELETE,
                path: format!("{ALL}/{}", one.id),
                body: None,
                show: show_done,
            },
        }
    }
}

fn show_created(project: &Value, out: &mut dyn Write) -> io::Result<()> {
    let (id, token) = (cell(&project["id"]), cell(&project["masterToken"]));
    writeln!(out, "Project {id}")?;
    writeln!(out, "Master token: {token}")?;
    writeln!(out, "It is not shown again.")
}

fn show_projects(projects: &Value, out: &mut dyn Write) -> io::Result<()> {
    for project in projects.as_array().into_iter().flatten() {
        let state = if project["isDisabled"] == true {
            "disabled"
        } else {
            "active"
        };
        let used = project.pointer("/quotas/orchestrations/used");
        let used = cell(used.unwrap_or(&Value::Null));
        writeln!(
            out,
            "{:>6}  {state:<8}  {used:>6} orchestrations  {}",
            cell(&project["id"]),
            cell(&project["name"])
        )?;
    }
    Ok(())
}

fn show_quotas(project: &Value, out: &mut dyn Write) -> io::Result<()> {
    for (name, quota) in project["quotas"].as_object().into_iter().flatten() {
        let limit = match &quota["limit"] {
            Value::Null => "unlimited".to_owned(),
            limit => cell(limit),
        };
        let own = if quota["isOwn"] == true {
            "  (its own)"
        } else {
            ""
        };
        writeln!(out, "{name:<18}{limit:>14}{own}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_word() {
        assert_eq!(quota("jobsPerDay=3"), Ok(("jobsPerDay".into(), json!(3))));
        assert_eq!(
            quota("jobsPerDay=unlimited"),
            Ok(("jobsPerDay".into(), json!("unlimited")))
        );
        assert_eq!(
            quota("jobsPerDay=default"),
            Ok(("jobsPerDay".into(), Value::Null))
        );
        assert!(quota("jobsPerDay=many").is_err());
        assert!(quota("jobsPerDay").is_err());
    }
}

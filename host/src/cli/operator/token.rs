//! `orchestrator token create|list|revoke|rotate`.

use super::{Call, ServerArgs, cell, show_done};
use orchestrator_client::Method;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Manage the tokens of a project of a running server
#[derive(Clone, Debug, clap::Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token and print its value, which is shown this once
    Create {
        #[command(flatten)]
        of: OfProject,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        /// It may make and change other tokens
        #[arg(long)]
        can_manage_tokens: bool,
        /// A component that it is confined to; repeatable
        #[arg(long = "component", value_name = "NAME")]
        components: Vec<String>,
        /// How long it lives
        #[arg(long, value_name = "N")]
        expires_in_seconds: Option<u64>,
    },
    /// Print a project's tokens, without their values
    List {
        #[command(flatten)]
        of: OfProject,
    },
    /// Refuse a token from now on: it is deleted, or disabled where something uses it
    Revoke(OneToken),
    /// Give a token a new value and print it; the old one is invalid at once
    Rotate(OneToken),
}

#[derive(Clone, Debug, clap::Args)]
struct OfProject {
    /// The project's id
    #[arg(long, value_name = "ID")]
    project: u64,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Debug, clap::Args)]
struct OneToken {
    /// Its id
    id: u64,
    #[command(flatten)]
    of: OfProject,
}

impl OfProject {
    fn path(&self) -> String {
        format!("/operator/projects/{}/tokens", self.project)
    }
}

impl TokenArgs {
    pub(super) fn into_call(self) -> Call {
        match self.command {
            TokenCommand::Create {
                of,
                description,
                can_manage_tokens,
                components,
                expires_in_seconds,
            } => {
                let mut body = Map::new();
                body.insert("description".into(), json!(description));
                body.insert("canManageTokens".into(), json!(can_manage_tokens));
                body.insert("componentAccess".into(), json!(components));
                body.insert("expiresIn".into(), json!(expires_in_seconds));
                Call {
                    path: of.path(),
                    server: of.server,
                    method: Method::POST,
                    body: Some(Value::Object(body)),
                    show: show_secret,
                }
            }
            TokenCommand::List { of } => Call {
                path: of.path(),
                server: of.server,
                method: Method::GET,
                body: None,
                show: show_tokens,
            },
            TokenCommand::Revoke(OneToken { id, of }) => Call {
                path: format!("{}/{id}", of.path()),
                server: of.server,
                method: Method::DELETE,
                body: None,
                show: show_done,
            },
            TokenCommand::Rotate(OneToken { id, of }) => Call {
                path: format!("{}/{id}/refresh", of.path()),
                server: of.server,
                method: Method::POST,
                body: None,
                show: show_secret,
            },
        }
    }
}

fn show_secret(token: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Token {}: {}",
        cell(&token["id"]),
        cell(&token["token"])
    )?;
    writeln!(out, "It is not shown again.")
}

fn show_tokens(tokens: &Value, out: &mut dyn Write) -> io::Result<()> {
    for token in tokens.as_array().into_iter().flatten() {
        let state = match token {
            token if token["isDisabled"] == true => "disabled",
            token if token["isExpired"] == true => "expired",
            _ => "valid",
        };
        let kind = if token["isMasterToken"] == true {
            "master"
        } else {
            ""
        };
        writeln!(
            out,
            "{:>6}  {state:<8}  {kind:<6}  {}",
            cell(&token["id"]),
            cell(&token["description"])
        )?;
    }
    Ok(())
}

//! `orchestrator login` and `orchestrator logout`.

use super::profiles::{FIRST, Profile, Profiles};
use super::{ConnectionArgs, DEFAULT_URL, secret};
use crate::config::CallerSettings;
use anyhow::Context;
use orchestrator_client::Access;
use std::io::Write;
use std::path::{self, PathBuf};

/// Keep the address of a server and a token for the commands that call it
#[derive(Clone, Debug, clap::Args)]
pub struct LoginArgs {
    /// Address of the server; else ORCHESTRATOR_URL, or http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token of the project; else ORCHESTRATOR_TOKEN, or it is asked for, which leaves no trace
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// What to call it, where there are several
    #[arg(long, value_name = "NAME", default_value = FIRST)]
    profile: String,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Forget what `login` kept
#[derive(Clone, Debug, clap::Args)]
pub struct LogoutArgs {
    /// Which one; else the one that counts now
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    profile: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

/// Asks the server what the token is, and keeps it only where it is one.
///
/// # Errors
/// The server does not take the token, or the file cannot be written.
pub async fn run_login(args: LoginArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let environment = CallerSettings::of_environment();
    let place = place(&environment)?;
    let url = args.url.or(environment.url);
    let url = url.unwrap_or(DEFAULT_URL.to_owned());
    let url = url.trim_end_matches('/').to_owned();
    let given = args.token.filter(|token| token != "-");
    let token = match given.or(environment.token) {
        Some(token) => token,
        None => secret::ask(&format!("Token for {url}: "))?,
    };
    let access = Access::Token(token.clone());
    let client = args.connection.builder(&url, access)?.build()?;
    let known = client.verify_token().await?;
    let ca = args.connection.ca.map(path::absolute).transpose()?;
    let mut profiles = Profiles::read(&place)?;
    let profile = Profile {
        url: url.clone(),
        token,
        ca,
        plain_http: args.connection.plain_http,
    };
    profiles.keep(&args.profile, profile);
    profiles.write(&place)?;
    writeln!(
        out,
        "Signed in to {url}, project {:?}, with the token {:?}",
        known.owner.name, known.description
    )?;
    writeln!(
        out,
        "Kept as profile {:?} in {}",
        args.profile,
        place.display()
    )?;
    Ok(())
}

/// # Errors
/// The file cannot be written.
pub fn run_logout(args: &LogoutArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let place = place(&CallerSettings::of_environment())?;
    let mut profiles = Profiles::read(&place)?;
    if args.all {
        profiles.forget_all();
        profiles.write(&place)?;
        writeln!(out, "Forgot all profiles")?;
        return Ok(());
    }
    let name = args.profile.as_deref().or(profiles.current_name());
    let name = name.unwrap_or(FIRST).to_owned();
    if profiles.forget(&name) {
        profiles.write(&place)?;
        writeln!(out, "Forgot the profile {name:?}; its token is still one")?;
    } else {
        writeln!(out, "There is no profile {name:?}")?;
    }
    Ok(())
}

fn place(environment: &CallerSettings) -> anyhow::Result<PathBuf> {
    let home = environment.config_home.as_deref();
    let home =
        home.context("there is no folder for settings: neither XDG_CONFIG_HOME nor HOME is set")?;
    Ok(Profiles::place(home))
}

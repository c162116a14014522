//! Who calls which server: the flags that say so, the environment, and what `orchestrator login` has kept.
//!
//! A flag counts before the environment, that before the profile. A profile's token goes to the profile's own address
//! only. [`explain`] adds to a failure what the person at the terminal can do about it.

mod login;
mod profiles;
mod secret;

pub use login::{LoginArgs, LogoutArgs, run_login, run_logout};
pub(super) use secret::ask as ask_for_token;

use crate::config::CallerSettings;
use anyhow::{Context, bail};
use orchestrator_client::{Access, Builder, Client, ClientError, Remedy, SetupError};
use profiles::{Profile, Profiles};
use std::fs;
use std::path::PathBuf;

/// Where a server listens that is told nothing else.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// How a server is connected to.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ConnectionArgs {
    /// PEM file of an authority to trust for the server, beside the public ones
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    ca: Option<PathBuf>,
    /// Let the token go over the network in the clear, where the server is another host and has no TLS
    #[arg(long, help_heading = "Server")]
    plain_http: bool,
}

impl ConnectionArgs {
    /// A client that is still to be given what else it needs.
    pub(super) fn builder(&self, url: &str, access: Access) -> anyhow::Result<Builder> {
        let mut builder = Client::builder(url, access)
            .user_agent(concat!("Orchestrator/", env!("CARGO_PKG_VERSION")))
            .allow_plain_http(self.plain_http);
        if let Some(path) = &self.ca {
            let shown = path.display();
            let pem = fs::read(path).with_context(|| format!("ca cannot be read at {shown}"))?;
            builder = builder.trust(pem);
        }
        Ok(builder)
    }
}

/// Which server, and as whom.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ServerArgs {
    /// Address of the server; else ORCHESTRATOR_URL, or that of the profile
    #[arg(long, value_name = "URL", help_heading = "Server")]
    url: Option<String>,
    /// A token of the project, `-` to have it asked for; else ORCHESTRATOR_TOKEN, which does not show in the list of
    /// processes, or that of the profile
    #[arg(long, value_name = "TOKEN", help_heading = "Server")]
    token: Option<String>,
    /// The profile that `orchestrator login` made; else ORCHESTRATOR_PROFILE, or the one that was made or used last
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    profile: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl ServerArgs {
    /// The same, of a named profile only.
    pub(super) fn of_profile(name: &str) -> Self {
        Self {
            profile: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        self.client_with(|builder| builder)
    }

    /// One that differs from what is usual.
    pub(super) fn client_with(
        &self,
        change: impl FnOnce(Builder) -> Builder,
    ) -> anyhow::Result<Client> {
        let environment = CallerSettings::of_environment();
        let place = environment.config_home.as_deref().map(Profiles::place);
        let profiles = place.as_deref().map(Profiles::read).transpose()?;
        let profiles = profiles.unwrap_or_default();
        let asked_for = self.profile.clone();
        let profile = match asked_for.as_ref().or(environment.profile.as_ref()) {
            Some(name) => Some(profiles.find(name)?),
            None => profiles.current(),
        };
        let which = Which::of(self, environment, asked_for.is_some(), profile)?;
        let connection = ConnectionArgs {
            ca: self.connection.ca.clone().or(which.ca),
            plain_http: self.connection.plain_http || which.plain_http,
        };
        let builder = connection.builder(&which.url, Access::Token(which.token))?;
        Ok(change(builder).build()?)
    }
}

/// What flags, environment and profile come to.
#[derive(Debug, PartialEq, Eq)]
struct Which {
    url: String,
    token: String,
    ca: Option<PathBuf>,
    plain_http: bool,
}

impl Which {
    /// A profile that a flag names counts before the environment.
    fn of(
        args: &ServerArgs,
        environment: CallerSettings,
        is_profile_asked_for: bool,
        profile: Option<&Profile>,
    ) -> anyhow::Result<Self> {
        let environment = if is_profile_asked_for {
            CallerSettings::default()
        } else {
            environment
        };
        let given = args.url.clone().or(environment.url);
        let of_profile = profile.map(|profile| profile.url.clone());
        let url = given.or(of_profile).unwrap_or(DEFAULT_URL.to_owned());
        let url = url.trim_end_matches('/').to_owned();
        // It is for its own server, whoever else is called.
        let profile = profile.filter(|profile| profile.url == url);
        let token = match args.token.as_deref() {
            Some("-") => Some(secret::ask(&format!("Token for {url}: "))?),
            Some(token) => Some(token.to_owned()),
            None => environment.token,
        };
        let Some(token) = token.or_else(|| profile.map(|profile| profile.token.clone())) else {
            bail!(
                "there is no token for {url}: `orchestrator login --url {url}` keeps one, or set ORCHESTRATOR_TOKEN"
            );
        };
        Ok(Self {
            url,
            token,
            ca: profile.and_then(|profile| profile.ca.clone()),
            plain_http: profile.is_some_and(|profile| profile.plain_http),
        })
    }
}

/// What the person at the terminal can do about a failure; `None` where the failure says it itself.
pub(super) fn explain(error: &anyhow::Error) -> Option<&'static str> {
    let of_setup = |error: &SetupError| {
        let is_plain = matches!(error, SetupError::PlainHttp { .. });
        is_plain.then_some("Use https, or say --plain-http where the network is your own")
    };
    let mut causes = error.chain();
    causes.find_map(|cause| match cause.downcast_ref::<ClientError>() {
        Some(ClientError::Setup(error)) => of_setup(error),
        Some(error) => advice(error),
        None => cause.downcast_ref().and_then(of_setup),
    })
}

fn advice(error: &ClientError) -> Option<&'static str> {
    if let ClientError::Untrusted {
        has_own_authority: false,
        ..
    } = error
    {
        return Some("Name the PEM file of the authority that signed it with --ca");
    }
    match error.remedy() {
        Remedy::SignIn => Some("`orchestrator login` keeps a new token"),
        Remedy::Report => {
            Some("The server is at fault: its log has the reason under the exceptionId")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            url: "https://kept.example".into(),
            token: "kept".into(),
            ca: Some("/ca.pem".into()),
            plain_http: false,
        }
    }

    fn environment(url: Option<&str>, token: Option<&str>) -> CallerSettings {
        CallerSettings {
            url: url.map(str::to_owned),
            token: token.map(str::to_owned),
            ..CallerSettings::default()
        }
    }

    fn args(url: Option<&str>, token: Option<&str>) -> ServerArgs {
        ServerArgs {
            url: url.map(str::to_owned),
            token: token.map(str::to_owned),
            ..ServerArgs::default()
        }
    }

    #[test]
    fn a_flag_counts_before_the_environment_and_that_before_the_profile() {
        let profile = profile();
        let which = |args: &ServerArgs, environment| {
            let which = Which::of(args, environment, false, Some(&profile)).expect("a server");
            (which.url, which.token)
        };
        let pair = |url: &str, token: &str| (url.to_owned(), token.to_owned());
        let nothing = || environment(None, None);
        let kept = "https://kept.example";
        assert_eq!(which(&args(None, None), nothing()), pair(kept, "kept"));
        let set = || environment(Some("https://env.example/"), Some("env"));
        assert_eq!(
            which(&args(None, None), set()),
            pair("https://env.example", "env")
        );
        assert_eq!(
            which(&args(Some("https://flag.example"), Some("flag")), set()),
            pair("https://flag.example", "flag")
        );
        assert_eq!(
            which(&args(None, Some("flag")), nothing()),
            pair(kept, "flag")
        );
    }

    #[test]
    fn a_profiles_token_goes_to_its_own_server_only() {
        let profile = profile();
        let other = args(Some("https://other.example"), None);
        let refused = Which::of(&other, environment(None, None), false, Some(&profile));
        let refused = refused.expect_err("no token").to_string();
        assert!(refused.contains("https://other.example"), "{refused}");
    }

    #[test]
    fn a_profile_that_is_asked_for_counts_before_the_environment() {
        let profile = profile();
        let set = environment(Some("https://env.example"), Some("env"));
        let which = Which::of(&args(None, None), set, true, Some(&profile)).expect("a server");
        assert_eq!(which.token, "kept");
        assert_eq!(which.ca, profile.ca);
    }
}

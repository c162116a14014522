//! `orchestrator plugin push`: uploads a component to a running server.
//!
//! The token is read from the environment only: arguments show in the list of processes. Where the server's certificate is of
//! an authority of its own, `--ca` names that.

use super::project::Component;
use crate::cli::trust::CaArgs;
use crate::config;
use crate::plugins::Manifest;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use url::{Host, Url};

const TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, clap::Args)]
pub(super) struct PushArgs {
    /// A component, or the folder of a plugin that was built
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Address of the server, such as https://orchestrator.example.com
    #[arg(long, value_name = "URL")]
    url: Url,
    #[command(flatten)]
    ca: CaArgs,
}

pub(super) fn run(args: &PushArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let component = Component::find(&args.plugin)?;
    let manifest = Manifest::of_component(&component.bytes)?;
    let token = config::push_token().context(
        "ORCHESTRATOR_TOKEN is not set: it has to hold a token of the project on the server",
    )?;
    if !is_safe(&args.url) {
        bail!(
            "{} is not https: the token would go over the network in the clear",
            args.url
        );
    }
    let address = format!("{}/plugins", args.url.as_str().trim_end_matches('/'));
    writeln!(
        out,
        "{} {} goes to {address}",
        manifest.id, manifest.version
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (status, answer) = runtime.block_on(upload(args, &address, &token, component.bytes))?;
    if !status.is_success() {
        bail!("{}", refusal(status, &answer));
    }
    print(&answer, &asked_for(&manifest), out)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the token may travel to it: over TLS, or not over a network at all.
fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

async fn upload(
    args: &PushArgs,
    address: &str,
    token: &str,
    component: Vec<u8>,
) -> anyhow::Result<(reqwest::StatusCode, Value)> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(args.ca.tls()?)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?;
    let response = client
        .post(address)
        .header("X-StorageApi-Token", token)
        .header("Content-Type", "application/wasm")
        .body(component)
        .send()
        .await
        .map_err(|error| args.ca.unanswered(&error, address))?;
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    Ok((status, serde_json::from_str(&text).unwrap_or_default()))
}

fn refusal(status: reqwest::StatusCode, answer: &Value) -> String {
    let mut text = format!("the server refused it ({status})");
    if let Some(message) = answer.get("message").and_then(Value::as_str) {
        text.push_str(&format!(": {message}"));
    }
    let errors = answer.get("errors").and_then(Value::as_array);
    for error in errors.into_iter().flatten() {
        let part = |key| error.get(key).and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!("\n  {}: {}", part("path"), part("message")));
    }
    text
}

/// The grant that lets it use whatever its manifest asks for: a grant replaces the one before, so what is newly asked alone
/// would take the rest away.
fn asked_for(manifest: &Manifest) -> Value {
    let capabilities = manifest.capabilities.iter();
    let lists = [
        (
            "capabilities",
            capabilities.map(|one| one.as_str().to_owned()).collect(),
        ),
        (
            "hosts",
            manifest.hosts.iter().map(ToString::to_string).collect(),
        ),
        (
            "credentials",
            manifest
                .credentials
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
    ];
    let asked = lists
        .into_iter()
        .filter(|(_, list): &(_, Vec<String>)| !list.is_empty());
    asked
        .map(|(name, list)| (name.to_owned(), Value::from(list)))
        .collect()
}

/// What the server answered: what it is there now, and what it waits for; and the grant that it wants.
fn print(answer: &Value, wanted: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let text = |pointer| answer.pointer(pointer).and_then(Value::as_str);
    for (title, value) in [
        ("id", text("/id")),
        ("version", text("/newestVersion")),
        ("digest", text("/versions/0/digest")),
        ("status", text("/versions/0/status").or(text("/status"))),
        ("address", text("/uri")),
    ] {
        if let Some(value) = value {
            writeln!(out, "{title:<9} {value}")?;
        }
    }
    let newly_asked = answer.get("newlyAsked").filter(|asked| {
        let lists = asked.as_object().into_iter().flat_map(|map| map.values());
        lists
            .filter_map(Value::as_array)
            .any(|list| !list.is_empty())
    });
    if let Some(asked) = newly_asked {
        writeln!(out, "asks for  {asked}")?;
        let address = text("/uri").unwrap_or_default();
        // In single quotes, in which a shell leaves all else alone.
        let body = wanted.to_string().replace('\'', r"'\''");
        writeln!(
            out,
            "It serves nothing new before the project has granted that. To grant all that it asks for:\n\n  \
             curl -X PUT {address}/grant -H \"X-StorageApi-Token: $ORCHESTRATOR_TOKEN\" \\\n    -d '{body}'"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_waits_for_a_grant_is_told_with_where_to_give_it() {
        let answer = json!({
            "id": "a", "newestVersion": "1.1.0", "status": "ready", "uri": "http://host/plugins/a",
            "newlyAsked": {"capabilities": [], "hosts": ["https://api.example"]},
            "versions": [{"digest": "d1", "status": "awaiting-grant"}],
        });
        let mut out = Vec::new();

        let wanted = json!({"capabilities": ["http"], "hosts": ["https://api.example"]});
        print(&answer, &wanted, &mut out).expect("written");

        let said = String::from_utf8_lossy(&out);
        assert!(said.contains("status    awaiting-grant"), "{said}");
        assert!(said.contains("https://api.example"), "{said}");
        assert!(said.contains("PUT http://host/plugins/a/grant"), "{said}");
        let body = r#"-d '{"capabilities":["http"],"hosts":["https://api.example"]}'"#;
        assert!(said.contains(body), "{said}");
    }

    #[test]
    fn a_token_travels_over_tls_or_not_at_all() {
        for (url, safe) in [
            ("https://orchestrator.example.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080/base", true),
            ("http://orchestrator.example.com", false),
            ("http://localhost.example.com", false),
            ("ftp://localhost", false),
        ] {
            let url = url.parse().expect("an address");
            assert_eq!(is_safe(&url), safe, "{url}");
        }
    }
}

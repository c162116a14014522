//! `orchestrator plugin push`: uploads a component to a running server.
//!
//! Which server and with what token is said as for every command that calls one (`cli/caller`).

use super::project::Component;
use crate::cli::caller::ServerArgs;
use crate::cli::in_runtime;
use crate::plugins::Manifest;
use anyhow::anyhow;
use orchestrator_client::ClientError;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, clap::Args)]
pub(super) struct PushArgs {
    /// A component, or the folder of a plugin that was built
    #[arg(default_value = ".")]
    plugin: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &PushArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let component = Component::find(&args.plugin)?;
    let manifest = Manifest::of_component(&component.bytes)?;
    let client = args
        .server
        .client_with(|builder| builder.timeout(TIMEOUT))?;
    writeln!(
        out,
        "{} {} goes to {}/plugins",
        manifest.id,
        manifest.version,
        client.base()
    )?;
    let answer = in_runtime(client.upload_plugin(component.bytes))?;
    let answer = answer.map_err(told)?;
    print(&answer, &asked_for(&manifest), out)?;
    Ok(ExitCode::SUCCESS)
}

/// What the server said of the component.
fn told(error: ClientError) -> anyhow::Error {
    let Some(refusal) = error.refusal() else {
        return error.into();
    };
    let mut text = format!("the server refused it ({}", refusal.status);
    text.push_str(match &refusal.message {
        Some(_) => "): ",
        None => ")",
    });
    text.push_str(refusal.message.as_deref().unwrap_or_default());
    for fault in &refusal.faults {
        text.push_str(&format!("\n  {}: {}", fault.path, fault.message));
    }
    anyhow!(text)
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
}

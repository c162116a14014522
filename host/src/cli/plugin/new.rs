//! `orchestrator plugin new`: a folder with a small plugin, complete with what it takes to build it elsewhere.
//!
//! The kit for Rust is copied with it, since it is on no registry; the contract is, in every language.

use super::files;
use super::project::Language;
use crate::plugins::is_plugin_id;
use anyhow::{Context as _, bail};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const TEMPLATES: &str = "plugins/templates";
/// The packages of the contract.
const PACKAGES: [&str; 4] = ["types", "host", "task", "delivery"];

#[derive(Clone, Debug, clap::Args)]
pub(super) struct NewArgs {
    /// The plugin's id: lower-case letters, digits and hyphens; also the name of its folder
    name: String,
    /// Language
    #[arg(long, value_enum)]
    lang: Language,
    /// Where its folder is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    within: PathBuf,
}

pub(super) fn run(args: &NewArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let name = &args.name;
    if !is_plugin_id(name) {
        bail!(
            "{name:?} is no name for a plugin: lower-case letters, digits and hyphens, at most 64, a letter first"
        );
    }
    if !args.within.is_dir() {
        bail!("there is no folder {}", args.within.display());
    }
    let dir = args.within.join(name);
    if dir.exists() {
        bail!("{} is there already", dir.display());
    }
    for (path, text) in contents(args.lang) {
        write(&dir.join(path), &fill_in(text, name, args.lang))?;
    }
    let shown = dir.display();
    writeln!(
        out,
        "{shown} holds the plugin {name}. Next:\n\n  orchestrator plugin build {shown}\n  orchestrator plugin test {shown}"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Every file of a new plugin, by its path in its folder.
fn contents(language: Language) -> Vec<(String, &'static str)> {
    let own = match language {
        Language::Rust => "rust",
        Language::Js => "js",
        Language::Python => "python",
    };
    let mut files = Vec::new();
    for (path, text) in files::below(TEMPLATES) {
        let (folder, rest) = path.split_once('/').unwrap_or(("", path));
        match (folder, path) {
            (folder, _) if folder == own => files.push((rest.to_owned(), text)),
            ("scenarios", _) | (_, "plugin.toml" | "README.md") => {
                files.push((path.to_owned(), text));
            }
            (_, "gitignore.txt") => files.push((".gitignore".to_owned(), text)),
            (_, "plugin.wit") if language != Language::Rust => {
                files.push(("wit/plugin.wit".to_owned(), text));
            }
            _ => {}
        }
    }
    let contract = files::below("wit").filter_map(|(path, text)| {
        let (package, rest) = path.split_once('/')?;
        if !PACKAGES.contains(&package) {
            return None;
        }
        // The kit for Rust names the folders of the repository; other tools look for packages in `deps`.
        Some(match language {
            Language::Rust => (format!("wit/{path}"), text),
            _ => (
                format!("wit/deps/{package}/{}", rest.rsplit('/').next()?),
                text,
            ),
        })
    });
    files.extend(contract);
    if language == Language::Rust {
        let kit = files::below("plugins/sdk");
        files.extend(kit.map(|(path, text)| (format!("vendor/orchestrator-sdk/{path}"), text)));
    }
    files
}

fn fill_in(text: &str, name: &str, language: Language) -> String {
    let (title, source, kit, needs) = match language {
        Language::Rust => (
            "Rust",
            "src/lib.rs",
            "| `vendor/orchestrator-sdk/` | the kit |",
            "Rust 1.95 or newer with `rustup`",
        ),
        Language::Js => (
            "JavaScript",
            "src/plugin.js",
            "| `src/orchestrator.js` | the kit: turns the contract's shapes into JavaScript's |",
            "Node.js 18 or newer with `npm`",
        ),
        Language::Python => (
            "Python",
            "src/app.py",
            "| `src/orchestrator.py` | the kit: turns the contract's shapes into Python's |",
            "Python 3.10 or newer with its module `venv`",
        ),
    };
    text.replace("{{id}}", name)
        .replace("{{language}}", title)
        .replace("{{source}}", source)
        .replace("{{kit}}", kit)
        .replace("{{needs}}", needs)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text));
    written.with_context(|| format!("cannot write {}", path.display()))
}

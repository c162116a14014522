//! `orchestrator plugin new`: a folder with a small plugin, complete with what it takes to build it elsewhere.
//!
//! The kit for Rust is copied with it, since it is on no registry; the contract is, in every language.

use super::files;
use super::project::Language;
use crate::plugins::{Manifest, Plugins, is_plugin_id};
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
    /// What it is for: a type of task, or a way to deliver notifications
    #[arg(long, value_enum, default_value = "task")]
    kind: TemplateKind,
    /// Where its folder is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    within: PathBuf,
}

/// The kinds of plugins, each with its folder of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum TemplateKind {
    Task,
    Delivery,
}

impl TemplateKind {
    fn folder(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Delivery => "delivery",
        }
    }

    /// What the template does.
    fn what(self) -> &'static str {
        match self {
            Self::Task => {
                "A task type for Orchestrator: starts an export at an API and waits until it is ready."
            }
            Self::Delivery => {
                "A delivery of Orchestrator's notifications: opens an alert at an API for what went wrong, and closes it when it is over."
            }
        }
    }
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
    for (path, text) in contents(args.lang, args.kind) {
        write(&dir.join(path), &fill_in(text, args))?;
    }
    if is_builtin(name) {
        writeln!(
            out,
            "note: a plugin {name} comes with every server, which therefore refuses another one of that id (PLUGIN_ID_TAKEN): choose another name before you push it"
        )?;
    }
    let shown = dir.display();
    writeln!(
        out,
        "{shown} holds the plugin {name}. Next:\n\n  orchestrator plugin build {shown}\n  orchestrator plugin test {shown}"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn is_builtin(name: &str) -> bool {
    Plugins::builtin_components()
        .filter_map(|(_, component)| Manifest::of_component(component).ok())
        .any(|manifest| manifest.id == name)
}

/// Every file of a new plugin, by its path in its folder: of the language, of the kind, of both, and of all.
fn contents(language: Language, kind: TemplateKind) -> Vec<(String, &'static str)> {
    let own = match language {
        Language::Rust => "rust",
        Language::Js => "js",
        Language::Python => "python",
    };
    let mut files = Vec::new();
    let (both, kind) = (format!("{}/{own}", kind.folder()), kind.folder());
    for (path, text) in files::below(TEMPLATES) {
        let within = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/');
        let place = within(&both)
            .or_else(|| within(own))
            .or_else(|| within(kind).and_then(|path| of_kind(path, language)))
            .or_else(|| (!path.contains('/')).then_some(path));
        if let Some(place) = place {
            let place = match place {
                "gitignore.txt" => ".gitignore",
                place => place,
            };
            files.push((place.to_owned(), text));
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

/// Where a file of the kind's own, not of one language, is in the plugin.
fn of_kind(path: &str, language: Language) -> Option<&str> {
    match path {
        // The kit for Rust names the world itself.
        "plugin.wit" => (language != Language::Rust).then_some("wit/plugin.wit"),
        "plugin.toml" => Some(path),
        path => path.starts_with("scenarios/").then_some(path),
    }
}

fn fill_in(text: &str, args: &NewArgs) -> String {
    let (source, kit, needs) = match args.lang {
        Language::Rust => (
            "src/lib.rs",
            "| `vendor/orchestrator-sdk/` | the kit |",
            "Rust 1.95 or newer with `rustup`",
        ),
        Language::Js => (
            "src/plugin.js",
            "| `src/orchestrator.js`, `src/host.js` | the kit: turns the contract's shapes into JavaScript's |",
            "Node.js 18 or newer with `npm`",
        ),
        Language::Python => (
            "src/app.py",
            "| `src/orchestrator.py`, `src/host.py` | the kit: turns the contract's shapes into Python's |",
            "Python 3.10 or newer with its module `venv`",
        ),
    };
    text.replace("{{id}}", &args.name)
        .replace("{{what}}", args.kind.what())
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

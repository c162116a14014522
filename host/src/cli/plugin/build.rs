//! `orchestrator plugin build`: a language's own tools make a component, its manifest is put into it, and it is checked.
//!
//! What the tools need beyond themselves is installed into the plugin's folder, from the language's registry, where it is
//! not there yet.

use super::check;
use super::project::{Component, Language, Project};
use anyhow::{Context as _, bail};
use guest_build::Lock;
use serde::Deserialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What of the world `wit/plugin.wit` is there for the capability `http` only.
const HTTP_IMPORT: &str = "import orchestrator:host/http@";

#[derive(Clone, Debug, clap::Args)]
pub(super) struct BuildArgs {
    /// The plugin's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    cache: super::compiled::CacheArgs,
}

pub(super) fn run(args: &BuildArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let project = Project::open(&args.dir)?;
    let language = project.language()?;
    // Tools are started from within it.
    let dir = fs::canonicalize(&project.dir)
        .with_context(|| format!("cannot open {}", project.dir.display()))?;
    let project = Project { dir, ..project };
    let component = project.component_path();
    let build_dir = project.dir.join("build");
    fs::create_dir_all(&build_dir)
        .with_context(|| format!("cannot make {}", build_dir.display()))?;
    match language {
        Language::Rust => rust(&project, &component)?,
        Language::Js => {
            let built = build_dir.join("unfinished.wasm");
            js(&project, &built, out)?;
            finish(&project, &built, &component)?;
        }
        Language::Python => {
            let built = build_dir.join("unfinished.wasm");
            python(&project, &built, out)?;
            finish(&project, &built, &component)?;
        }
    }
    let component = Component::find(&component)?;
    check::report(&component, &args.cache, out)
}

fn rust(project: &Project, component: &Path) -> anyhow::Result<()> {
    let guests =
        guest_build::build_workspace(&project.dir, &project.dir.join("target"), Lock::Open)?;
    let built = guests
        .into_iter()
        .find(|guest| guest.name == project.id)
        .with_context(|| format!("cargo built no plugin {}", project.id))?;
    fs::copy(&built.component_path, component)
        .with_context(|| format!("cannot write {}", component.display()))?;
    Ok(())
}

/// With QuickJS as the engine in the component: 1.6 MB instead of the 12 MB of a larger engine.
fn js(project: &Project, built: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let dir = &project.dir;
    let tool = dir.join("node_modules/.bin/componentize-qjs");
    if !tool.exists() {
        writeln!(out, "installing what package.json names (npm)")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
        succeed(&mut npm, dir, "Install Node.js 18 or newer, with npm")?;
    }
    let mut componentize = Command::new(&tool);
    componentize
        .arg("--wit")
        .arg(world(project)?)
        .args(["--world", "plugin", "--sync"])
        .args(["--js", "src/plugin.js", "--module-root", "."])
        .arg("--output")
        .arg(built);
    succeed(
        &mut componentize,
        dir,
        "package.json has to name componentize-qjs",
    )
}

fn python(project: &Project, built: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let dir = &project.dir;
    let venv = dir.join(".venv");
    let tool = venv.join("bin/componentize-py");
    if !tool.exists() {
        writeln!(out, "installing what requirements.txt names (pip)")?;
        let mut python = Command::new("python3");
        python.args(["-m", "venv", ".venv"]);
        let hint = "Install Python 3.10 or newer with its module venv (on Debian: apt install python3-venv)";
        succeed(&mut python, dir, hint)?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["-r", "requirements.txt"]);
        succeed(&mut pip, dir, "The folder .venv has no pip: remove it")?;
    }
    let mut componentize = Command::new(&tool);
    componentize
        .env("VIRTUAL_ENV", &venv)
        .args(["--quiet", "-d"])
        .arg(world(project)?)
        .args(["-w", "plugin", "componentize"])
        .args(["-p", "src", "app", "-o"])
        .arg(built);
    succeed(
        &mut componentize,
        dir,
        "requirements.txt has to name componentize-py",
    )
}

/// The folder with the plugin's world: `wit/`, or a copy without the import of HTTP where the manifest does not ask for that.
/// The languages' tools import whatever the world has, used or not, and a server provides only what is asked for.
fn world(project: &Project) -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        capabilities: Vec<String>,
    }
    let given = project.dir.join("wit");
    let path = project.manifest_path();
    let text = read(&path)?;
    let asked: Asked =
        toml::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))?;
    if asked.capabilities.iter().any(|one| one == "http") {
        return Ok(given);
    }
    let copy = project.dir.join("build/wit");
    match fs::remove_dir_all(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", copy.display()));
        }
        _ => copy_without_http(&given, &copy)?,
    }
    Ok(copy)
}

fn copy_without_http(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let listed = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in listed {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let target = to.join(name);
        if path.is_dir() {
            copy_without_http(&path, &target)?;
            continue;
        }
        let text = read(&path)?;
        let kept = text
            .split_inclusive('\n')
            .filter(|line| !line.trim_start().starts_with(HTTP_IMPORT));
        fs::write(&target, kept.collect::<String>())
            .with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn finish(project: &Project, built: &Path, component: &Path) -> anyhow::Result<()> {
    guest_build::add_manifest(built, &project.manifest_path(), component)?;
    fs::remove_file(built).with_context(|| format!("cannot remove {}", built.display()))
}

/// Runs a tool and shows what it said where it fails.
fn succeed(command: &mut Command, dir: &Path, if_missing: &str) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = match command.current_dir(dir).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("the tool {name} is not there. {if_missing}")
        }
        Err(error) => return Err(error).with_context(|| format!("{name} could not be started")),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    bail!("{name} failed ({}):\n{}", output.status, said.trim())
}

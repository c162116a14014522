//! A task type that ends at once, in each language: as an author makes it, by `orchestrator plugin new` and `build`, with
//! the template's steps replaced.

use crate::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One language's guest.
pub struct Guest {
    pub language: &'static str,
    pub component: Vec<u8>,
    /// How often it is run: interpreters take their time.
    pub rounds: usize,
}

const JS: &str = r#"import { defineTask, done } from "./orchestrator.js";

export const { task, resumable } = defineTask({ start: () => done(null), resume: () => done(null) });
"#;

const PYTHON: &str = r#"from orchestrator import define_task, done

Task, Resumable = define_task(lambda context: done(None), lambda context, state: done(None))
"#;

/// Those whose tools are here; a line says which are not.
pub fn all() -> Result<Vec<Guest>, Failure> {
    let mut guests = vec![Guest {
        language: "Rust",
        component: noop()?,
        rounds: 2_000,
    }];
    if has("npm", &["--version"], "JavaScript") {
        guests.push(Guest {
            language: "JavaScript",
            component: made("js", "src/plugin.js", JS)?,
            rounds: 400,
        });
    }
    if has("python3", &["-c", "import ensurepip, venv"], "Python") {
        guests.push(Guest {
            language: "Python",
            component: made("python", "src/app.py", PYTHON)?,
            rounds: 100,
        });
    }
    Ok(guests)
}

/// The guest `noop` of the tests.
pub fn noop() -> Result<Vec<u8>, Failure> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let guests = guest_build::build_guests(&workspace, &target)?;
    let noop = guests
        .iter()
        .find(|guest| guest.name == "noop")
        .ok_or("there is no guest noop")?;
    Ok(fs::read(&noop.component_path)?)
}

fn has(tool: &str, arguments: &[&str], language: &str) -> bool {
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_there = command.status().is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: a guest in {language}, because {tool} is not installed");
    }
    is_there
}

/// Begins, changes and builds a plugin. What the language's tools have installed for it is kept for the next run, and so
/// is the component where nothing has changed.
fn made(language: &str, source: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let within = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    fs::create_dir_all(&within)?;
    let name = format!("noop-{language}");
    let project: PathBuf = within.join(&name);
    if !project.is_dir() {
        let within = within.to_string_lossy();
        orchestrator(&["new", &name, "--lang", language, "--within", &within])?;
    }
    let component = project.join("build").join(format!("{name}.wasm"));
    let source = project.join(source);
    if fs::read_to_string(&source)? != text || !component.is_file() {
        fs::write(&source, text)?;
        orchestrator(&["build", &project.to_string_lossy()])?;
    }
    Ok(fs::read(&component)?)
}

fn orchestrator(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    let output = command.arg("plugin").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned().into())
}

//! An author at a terminal: calls `orchestrator plugin …` and reads what it says.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The standard output of a command that had to succeed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The one error message of a command that had to fail.
    pub fn error(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        let message = self.err.strip_prefix("error: ");
        message.unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// Calls `orchestrator plugin` with these arguments.
pub fn plugin<A: AsRef<OsStr>>(arguments: &[A]) -> Said {
    said(command(arguments))
}

/// The same, to be given more before it is called.
pub fn command<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server-under-test"));
    command.arg("plugin").args(arguments);
    command.env_remove("ORCHESTRATOR_TOKEN");
    command
}

pub fn said(mut command: Command) -> Said {
    let output = command.output().expect("run");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A folder that outlives the tests: what was compiled for one run need not be for the next.
pub fn lasting_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("authors")
        .join(name);
    std::fs::create_dir_all(&dir).expect("a folder");
    dir
}

/// `--cache=…`, shared by all tests.
pub fn cache() -> String {
    format!("--cache={}", lasting_dir("cache").display())
}

//! Asks for a token: without showing it on a terminal, else as one line of standard input.

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Stdin, Write};

pub(in crate::cli) fn ask(prompt: &str) -> anyhow::Result<String> {
    let stdin = io::stdin();
    let quiet = stdin.is_terminal().then(|| Quiet::begin(&stdin, prompt));
    let quiet = quiet.transpose()?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if quiet.is_some() {
        eprintln!();
    }
    drop(quiet);
    read.context("no token can be read")?;
    let token = line.trim();
    if token.is_empty() {
        bail!("no token was given");
    }
    Ok(token.to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet<'a> {
    terminal: &'a Stdin,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn begin(terminal: &'a Stdin, prompt: &str) -> io::Result<Self> {
        let mut error = io::stderr();
        error.write_all(prompt.as_bytes())?;
        error.flush()?;
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Where this fails there is no terminal any more.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

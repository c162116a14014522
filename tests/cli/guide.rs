//! The guides to the commands name such as exist, and the commands of the terminal's guide do what they are said to do.

use crate::support::person::Person;
use crate::support::process::{Installation, MASTER};
use crate::support::steps::demo;
use serde_json::json;
use std::fs;
use std::path::Path;

/// As a shell splits it, comments and redirections left out.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '#' | '>' | '|') => break,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().expect("one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[tokio::test]
async fn every_command_of_the_guides_and_its_flags_exist() {
    let person = Person::unknown();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut called = 0;
    for guide in ["host/docs/cli.md", "README.md"] {
        let text = fs::read_to_string(root.join(guide)).expect("read");
        let commands = text
            .lines()
            .filter_map(|line| line.strip_prefix("orchestrator "));
        // Those that go on in the next line are not whole.
        for command in commands.filter(|command| !command.ends_with('\\')) {
            let words = words(command);
            let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
            arguments.push("--help");
            let said = person.call(&arguments).await;
            assert_eq!(said.code, Some(0), "{guide}: {command}: {}", said.err);
            called += 1;
        }
    }
    assert!(called > 25, "{called} commands");
}

/// What the guide calls by names of its own, and what that is here. In this order.
fn as_here(line: &str, base: &str) -> String {
    // What the guide makes after it was looked at is there from the beginning, with one task.
    let line = line.replace("create \"Nightly load\"", "create \"Weekly load\"");
    let source = format!("--url {base} --token {MASTER}");
    line.replace(
        "--url https://orchestrator.example.com",
        &format!("--url {base}"),
    )
    .replace("--url https://syrup.keboola.com/orchestrator", &source)
    .replace("--task https://components.example/run ", "")
    .replace("--task ex-db", "--task sync")
    .replace("--task load", "--task 1")
    .replace(" 12", " 1")
}

/// How a command of the guide ends here, where it is not with success.
const ENDS: &[(&str, i32, &str)] = &[
    ("orchestrations delete", 1, "nobody is there to confirm it"),
    ("jobs cancel", 1, "409"),
    ("jobs retry", 1, "ended in success"),
];

/// In the order of the guide: what is made in one place is looked at in the next.
#[tokio::test]
async fn the_commands_of_the_terminals_guide_do_what_they_are_said_to_do() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let body = json!({"name": "Nightly load", "tasks": [{"component": "sync"}]});
    let made = process.client().post("/orchestrations", body).await;
    made.expect(201);
    let mut person = Person::unknown();
    person.set("ORCHESTRATOR_TOKEN", MASTER);
    person.set("ORCHESTRATOR_URL", &process.base);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("host/docs/cli.md")).expect("read");
    let commands = text
        .lines()
        .filter_map(|line| line.strip_prefix("orchestrator "));
    let mut called = 0;
    for command in commands {
        let here = as_here(command, &process.base);
        let words = words(&here);
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();

        let said = person.call(&arguments).await;

        let end = ENDS.iter().find(|(start, ..)| command.starts_with(start));
        let (code, why) = end.map_or((0, ""), |(_, code, why)| (*code, *why));
        assert_eq!(said.code, Some(code), "{here}: {}{}", said.out, said.err);
        assert!(said.err.contains(why), "{here}: {}", said.err);
        called += 1;
    }
    assert!(called > 20, "{called} commands");
}

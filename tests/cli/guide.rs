//! The guide to the commands names such as exist.

use crate::support::person::Person;
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

//! Who calls which server.

use crate::support::person::Person;
use crate::support::process::{Installation, MASTER};
use crate::support::steps::demo;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_person_signs_in_once_and_is_known_until_signing_out() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let mut person = Person::unknown();
    let list = ["orchestrations", "list"];
    let unknown = person.call(&list).await.error();
    assert!(unknown.contains("orchestrator login"), "{unknown}");

    person.set("ORCHESTRATOR_TOKEN", "another-token");
    let login = ["login", "--url", &process.base];
    let refused = person.call(&login).await.error();
    assert!(refused.contains("401"), "{refused}");
    let kept = person.path("orchestrator/profiles.toml");
    assert!(!kept.exists());

    person.set("ORCHESTRATOR_TOKEN", MASTER);
    let said = person.call(&login).await.ok();
    assert!(
        said.contains("Master token") && !said.contains(MASTER),
        "{said}"
    );
    let mode = fs::metadata(&kept).expect("kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    person.set("ORCHESTRATOR_TOKEN", "");
    person.call(&list).await.ok();
    let elsewhere = [&list[..], &["--url", "https://other.example"]].concat();
    let elsewhere = person.call(&elsewhere).await.error();
    assert!(
        elsewhere.contains("no token for https://other.example"),
        "{elsewhere}"
    );
    person.call(&["logout"]).await.ok();
    assert!(person.call(&list).await.error().contains("login"));
    assert!(!fs::read_to_string(&kept).expect("kept").contains(MASTER));
}

#[tokio::test]
async fn each_profile_has_its_server_and_the_last_one_counts() {
    let demo = demo().await;
    let folder_of_one = Installation::new(&demo);
    let one = folder_of_one.start().await;
    let folder_of_other = Installation::new(&demo);
    let other = folder_of_other.start().await;
    let body = json!({"name": "Of the other"});
    other
        .client()
        .post("/orchestrations", body)
        .await
        .expect(201);
    let person = Person::unknown();
    for (profile, process) in [("other", &other), ("one", &one)] {
        let login = [
            "login",
            "--url",
            &process.base,
            "--token",
            MASTER,
            "--profile",
            profile,
        ];
        person.call(&login).await.ok();
    }

    let listed = async |profile: &[&str]| {
        let list = [&["orchestrations", "list"], profile].concat();
        person.json(&list).await.as_array().expect("a list").len()
    };
    assert_eq!(listed(&[]).await, 0);
    assert_eq!(listed(&["--profile", "other"]).await, 1);
    person.call(&["logout", "--profile", "one"]).await.ok();
    assert_eq!(listed(&[]).await, 1);
    let gone = person.call(&["orchestrations", "list", "--profile", "one"]);
    assert!(gone.await.error().contains("no profile \"one\""));
}

#[tokio::test]
async fn a_token_does_not_leave_in_the_clear_and_a_failure_says_what_to_do() {
    let demo = demo().await;
    let mut person = Person::of("http://orchestrator.example");
    let plain = person.call(&["orchestrations", "list"]).await.error();
    assert!(
        plain.contains("in the clear") && plain.contains("--plain-http"),
        "{plain}"
    );
    person.set("ORCHESTRATOR_URL", demo.base_url());
    let untrusted = person.call(&["jobs", "show", "1"]).await.error();
    assert!(untrusted.contains("--ca"), "{untrusted}");
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    person.set("ORCHESTRATOR_URL", &process.base);
    person.set("ORCHESTRATOR_TOKEN", "another-token");
    let unknown = person.call(&["run", "1"]).await.error();
    assert!(
        unknown.contains("401") && unknown.contains("`orchestrator login`"),
        "{unknown}"
    );
}

#[tokio::test]
async fn every_shell_gets_completions_of_the_commands() {
    let person = Person::unknown();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = person.call(&["completions", shell]).await.ok();
        for word in ["orchestrations", "export", "retry", "keboola"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

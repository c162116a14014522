//! Orchestrations as files: applied, and written so that they can be applied.

use crate::support::person::Person;
use crate::support::process::Installation;
use crate::support::steps::demo;
use serde_json::{Value, json};
use std::fs;

const NIGHTLY: &str = r#"# Comments are for people.
name: Nightly load
crontabRecord: "0 3 * * *"
notifications:
  - email: a@b.cz
    channel: error
tasks:
  - id: load
    component: sync
    actionParameters:
      sql: |
        select 1
        from x
  - component: http-request
    actionParameters: {url: "https://x.example/{{tasks.load.response.rows}}", method: POST}
    phase: 10
"#;

#[tokio::test]
async fn files_are_applied_after_their_plan_and_a_second_time_there_is_nothing_to_do() {
    let demo = demo().await;
    let process_home = Installation::new(&demo);
    let process = process_home.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    person.file("dir/nightly.yaml", NIGHTLY);
    person.file(
        "dir/second.json",
        r#"{"name": "Second", "active": false, "tasks": [{"component": "sync"}]}"#,
    );
    person.file("dir/notes.txt", "no orchestration");
    let apply = async |more: &[&str]| {
        person
            .call(&[&["orchestrations", "apply", "-f", "dir"], more].concat())
            .await
    };

    let plan = apply(&["--dry-run"]).await.ok();
    assert!(
        plan.contains("+ create   Nightly load  (2 tasks, from dir/nightly.yaml:2)"),
        "{plan}"
    );
    assert!(plan.contains("Plan: 2 to create, 0 to change"), "{plan}");
    let unasked = apply(&[]).await.error();
    assert!(unasked.contains("--yes"), "{unasked}");
    assert_eq!(client.get("/orchestrations").await.expect(200), json!([]));

    apply(&["--yes"]).await.ok();
    let made = client.get("/orchestrations/1").await.expect(200);
    assert_eq!(
        made["tasks"][0]["actionParameters"]["sql"],
        "select 1\nfrom x\n"
    );
    assert_eq!(made["tasks"][1]["phase"], "10");
    assert_eq!(
        client.get("/orchestrations/2").await.expect(200)["active"],
        false
    );
    let second = apply(&["--yes"]).await.ok();
    assert!(second.contains("Nothing to do: 2 as wanted"), "{second}");
    assert_eq!(client.get("/orchestrations/1").await.expect(200), made);

    // What a file does not say stays as it is.
    client
        .put("/orchestrations/1", json!({"active": false}))
        .await
        .expect(200);
    let changed = NIGHTLY
        .replace("0 3", "0 4")
        .replace("method: POST", "method: PUT");
    person.file("dir/nightly.yaml", &changed);
    let plan = apply(&["--yes"]).await.ok();
    for wanted in [
        "~ change   Nightly load  (id 1)",
        "~ crontabRecord: \"0 3 * * *\" → \"0 4 * * *\"",
        "~ tasks[1].actionParameters.method: \"POST\" → \"PUT\"",
        "= nothing  Second  (id 2)",
    ] {
        assert!(plan.contains(wanted), "{wanted}: {plan}");
    }
    let after = client.get("/orchestrations/1").await.expect(200);
    assert_eq!(
        (&after["crontabRecord"], &after["active"]),
        (&json!("0 4 * * *"), &json!(false))
    );
    assert_eq!(after["tasks"][0], made["tasks"][0]);
    let report = person
        .json(&["orchestrations", "apply", "-f", "dir", "--yes"])
        .await;
    assert_eq!(report["plan"][0]["action"], "nothing");
}

#[tokio::test]
async fn what_is_exported_is_applied_elsewhere_and_here_without_a_change() {
    let demo = demo().await;
    let process_home = Installation::new(&demo);
    let process = process_home.start().await;
    let other_home = Installation::new(&demo);
    let other = other_home.start().await;
    let client = process.client();
    let odd = json!({"yes": "no", "multi": "a\n  b\n", "deep": [[], {}, [{"k": null}]], "n": 1.5, "q": "it's: \"x\" # y", "0x1F": "007"});
    for body in [
        json!({"name": "Odd: *name* #1", "crontabRecord": "*/5 * * * *", "active": false,
        "tasks": [
            {"id": "1", "component": "sync", "actionParameters": odd, "phase": "1"},
            {"component": "sync", "actionParameters": odd, "phase": "1"},
            {"component": "status", "action": "async/x", "timeoutMinutes": 3, "continueOnFailure": true, "active": false},
            {"component": "http-request", "actionParameters": {"url": "https://x.example/{{tasks.1.response.rows}}"}},
        ],
        "notifications": [
            {"email": "a@b.cz", "channel": "processing", "parameters": {"tolerance": 20}},
            {"plugin": "webhook", "channel": "recovery", "config": {"url": "https://hooks.example/x"}},
        ]}),
        json!({"name": "odd name 1"}),
        json!({"name": "Žlutý kůň", "crontabRecord": "@daily"}),
    ] {
        client.post("/orchestrations", body).await.expect(201);
    }
    let (here, there) = (Person::of(&process.base), Person::of(&other.base));

    let written = here
        .call(&["orchestrations", "export", "-o", "out"])
        .await
        .ok();

    assert_eq!(written.lines().count(), 3, "{written}");
    let same = here
        .call(&["orchestrations", "apply", "-f", "out", "--yes"])
        .await
        .ok();
    assert!(same.contains("Nothing to do: 3 as wanted"), "{same}");
    let out = here.path("out");
    let out = out.to_str().expect("text");
    there
        .call(&["orchestrations", "apply", "-f", out, "--yes"])
        .await
        .ok();
    let same = there
        .call(&["orchestrations", "apply", "-f", out, "--dry-run"])
        .await
        .ok();
    assert!(same.contains("Nothing to do: 3 as wanted"), "{same}");
    let own = |mut orchestration: Value| {
        let keep = ["name", "crontabRecord", "active", "tasks", "notifications"];
        let map = orchestration.as_object_mut().expect("an object");
        map.retain(|key, _| keep.contains(&key.as_str()));
        orchestration.to_string()
    };
    let mut exported = Vec::new();
    let mut applied = Vec::new();
    for id in 1..=3 {
        let path = format!("/orchestrations/{id}");
        exported.push(own(client.get(&path).await.expect(200)));
        applied.push(own(other.client().get(&path).await.expect(200)));
    }
    exported.sort();
    applied.sort();
    assert_eq!(exported, applied);

    // As JSON, and by standard output, it is the same.
    let json = here.json(&["orchestrations", "export"]).await.to_string();
    let (json, yaml) = (
        here.file("all.json", &json),
        here.file(
            "all.yaml",
            &here.call(&["orchestrations", "export"]).await.ok(),
        ),
    );
    for file in [json, yaml] {
        let same = here
            .call(&["orchestrations", "apply", "-f", &file, "--dry-run"])
            .await
            .ok();
        assert!(
            same.contains("Nothing to do: 3 as wanted"),
            "{file}: {same}"
        );
    }
    let mine = here.file("out/žlutý-kůň.yaml", "name: Žlutý kůň\n# mine\n");
    let refused = here
        .call(&["orchestrations", "export", "-o", "out"])
        .await
        .error();
    assert!(
        refused.contains("--force") && refused.contains("žlutý-kůň"),
        "{refused}"
    );
    here.call(&["orchestrations", "export", "-o", "out", "--force"])
        .await
        .ok();
    assert!(!fs::read_to_string(mine).expect("read").contains("# mine"));
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_with_its_line_before_and_by_the_server() {
    let demo = demo().await;
    let process_home = Installation::new(&demo);
    let process = process_home.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    let apply = async |file: &str| {
        person
            .call(&["orchestrations", "apply", "--yes", "-f", file])
            .await
            .error()
    };

    let said = apply(&person.file(
        "bad.yaml",
        "name: Bad\ncrontab: '@daily'\ntasks:\n  - component: sync\n    timeoutMinutes: 0\n",
    ))
    .await;
    assert!(
        said.contains("bad.yaml:2: crontab is no key here; crontabRecord is meant?"),
        "{said}"
    );
    assert!(
        said.contains("bad.yaml:5: tasks[0].timeoutMinutes must be an integer"),
        "{said}"
    );
    let said = apply(&person.file("broken.yaml", "name: A\ncrontabRecord: */5 * * * *\n")).await;
    assert!(
        said.contains("broken.yaml:2: ") && said.contains("quotes"),
        "{said}"
    );
    let said = apply("absent.yaml").await;
    assert!(said.contains("absent.yaml cannot be read"), "{said}");
    assert_eq!(client.get("/orchestrations").await.expect(200), json!([]));

    // Only the server knows the tokens. One that is refused does not keep the others from being made.
    let file = person.file(
        "tokens.yaml",
        "name: Refused\ntasks: []\ntokenId: 999\n---\nname: Made\n",
    );
    let said = apply(&file).await;
    assert!(
        said.contains("Refused: ") && said.contains("tokens.yaml:3: tokenId"),
        "{said}"
    );
    let made = client.get("/orchestrations").await.expect(200);
    assert_eq!(
        (made[0]["name"].as_str(), made[1].as_object()),
        (Some("Made"), None)
    );
}

#[tokio::test]
async fn pruning_deletes_what_no_file_names_and_only_when_it_is_asked_for() {
    let demo = demo().await;
    let process_home = Installation::new(&demo);
    let process = process_home.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    for name in ["Kept", "Gone"] {
        client
            .post("/orchestrations", json!({"name": name}))
            .await
            .expect(201);
    }
    let file = person.file("kept.yaml", "name: Kept\n");
    let apply = ["orchestrations", "apply", "-f", &file, "--yes"];

    let said = person.call(&apply).await.ok();
    assert!(said.contains("Nothing to do: 1 as wanted"), "{said}");
    let said = person
        .call(&[&apply[..4], &["--prune", "--dry-run"]].concat())
        .await
        .ok();
    assert!(said.contains("- delete   Gone  (id 2)"), "{said}");
    client.get("/orchestrations/2").await.expect(200);
    person.call(&[&apply[..], &["--prune"]].concat()).await.ok();
    client.get("/orchestrations/2").await.expect(404);
    let nothing = person.file("nothing.yaml", "# all is commented out\n");
    let said = person
        .call(&[
            "orchestrations",
            "apply",
            "-f",
            &nothing,
            "--prune",
            "--yes",
        ])
        .await;
    assert!(said.error().contains("everything would be deleted"));
    client.get("/orchestrations/1").await.expect(200);
}

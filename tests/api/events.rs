//! Events of jobs: pages of them, and streams that lose nothing, say nothing twice and end.

use super::{create_path, start};
use crate::support::events::{Events, brief_of};
use crate::support::server::{MASTER, Server};
use orchestrator::domain::job::Status;
use orchestrator::domain::job_event::{LogLevel, LogLine};
use orchestrator::store::{LeasedStep, StepEnd, StepReport};
use serde_json::{Value, json};
use std::time::Duration;

/// A job with two tasks of which the first one runs.
async fn begin(server: &Server) -> (Value, LeasedStep) {
    let tasks = json!([{"component": "a"}, {"component": "b", "phase": "late"}]);
    let path = create_path(&server.client(), tasks).await;
    let (client, path) = (server.client(), format!("{path}/jobs"));
    let job = client.post(&path, json!({})).await.expect(201)["id"].clone();
    let steps = server.claim().await;
    server.events.poke();
    (job, steps[0].clone())
}

/// Ends what runs until nothing does.
async fn finish(server: &Server, mut step: LeasedStep) {
    loop {
        server.end(&step, Status::Success, None, None).await;
        server.events.poke();
        match server.claim().await.into_iter().next() {
            Some(next) => step = next,
            None => return,
        }
    }
}

async fn say(server: &Server, step: &LeasedStep, text: &str) {
    let line = LogLine {
        at: server.clock.now(),
        level: LogLevel::Warning,
        text: text.into(),
    };
    let kept = server.store.keep_lines(step.lease, vec![line], 2);
    assert!(kept.await.expect("store"));
    server.events.poke();
}

#[tokio::test]
async fn what_happened_to_a_job_is_read_by_pages() {
    let Some(server) = start().await else { return };
    let (job, step) = begin(&server).await;
    say(&server, &step, "careful").await;
    finish(&server, step).await;
    server.settled().await;
    let client = server.client();

    let all = client.get(&format!("/jobs/{job}/events")).await.expect(200);

    let all = all.as_array().expect("a list");
    let briefs: Vec<_> = all.iter().map(brief_of).collect();
    let expected = [
        "job waiting",
        "job processing",
        "task 1 processing",
        "log 1 careful",
        "task 1 success",
        "task 2 processing",
        "task 2 success",
        "job success",
    ];
    assert_eq!(briefs, expected);
    assert_eq!(
        all[3],
        json!({"id": all[3]["id"], "event": "log", "time": "2013-03-02T10:11:24.000+00:00", "jobId": job,
            "orchestrationId": 1, "task": {"id": "1", "component": "a", "phase": null}, "level": "warning",
            "message": "careful"})
    );
    let page = async |query: &str| {
        let page = client.get(&format!("/jobs/{job}/events?{query}")).await;
        let page = page.expect(200);
        let page = page.as_array().expect("a list").iter();
        page.map(|event| event["id"].clone()).collect::<Vec<_>>()
    };
    let ids: Vec<_> = all.iter().map(|event| event["id"].clone()).collect();
    let third = ids[2].as_str().expect("a text");
    assert_eq!(page("limit=3").await, ids[..3]);
    assert_eq!(page(&format!("after={third}&limit=2")).await, ids[3..5]);
    assert_eq!(page("tail=2").await, ids[6..]);
    assert_eq!(page("kinds=job&limit=2").await, ids[..2]);
    assert_eq!(page("kinds=log,limit").await, ids[3..4]);
    let whole = client.get("/events").await.expect(200);
    assert_eq!(whole.as_array().expect("a list"), all);
    for query in ["after=1", "tail=x", "kinds=all", "limit=501"] {
        let path = format!("/jobs/{job}/events?{query}");
        assert_eq!(
            client.get(&path).await.refusal(400),
            "VALIDATION",
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_stream_is_continued_where_it_broke_off_and_ends_with_its_job() {
    let Some(server) = start().await else { return };
    let (job, step) = begin(&server).await;
    let client = server.client();
    let path = format!("/jobs/{job}/events");

    let mut first = Events::open(&client, &path, None)
        .await
        .moving(&server.clock);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(first.next().await.expect("an event"));
    }
    drop(first);
    say(&server, &step, "unseen").await;
    let last = seen[2].id.clone();
    let second = Events::open(&client, &path, Some(&last)).await;
    let second = tokio::spawn(second.moving(&server.clock).rest());
    finish(&server, step).await;
    seen.extend(second.await.expect("read"));
    server.settled().await;

    let end = seen.pop().expect("an end");
    assert_eq!(
        (end.event.as_str(), end.data),
        ("end", json!({"status": "success"}))
    );
    let stored = client.get(&path).await.expect(200);
    let stored = stored.as_array().expect("a list");
    let of_stream: Vec<_> = seen.iter().map(|frame| frame.data.clone()).collect();
    assert_eq!(&of_stream, stored);
    assert!(
        seen.iter()
            .all(|frame| frame.data["id"] == frame.id.as_str())
    );
    assert!(
        seen.iter()
            .all(|frame| frame.data["event"] == frame.event.as_str())
    );
    // A browser comes back by itself after the end: this tells it to stay away.
    let after_the_end = seen.last().map(|frame| frame.id.as_str());
    assert_eq!(
        Events::ask(&client, &path, after_the_end).await.status(),
        204
    );
    let again = Events::open(&client, &path, None).await.rest().await;
    assert_eq!(again.len(), stored.len() + 1);
}

#[tokio::test]
async fn a_stream_of_the_project_begins_now_or_with_its_newest_events() {
    let Some(server) = start().await else { return };
    begin(&server).await;
    server.settled().await;
    let other = server.add_project("Other").await;
    let client = server.client();

    let now = Events::open(&client, "/events?kinds=job", None).await;
    let tail = Events::open(&client, "/events?tail=1&kinds=job", None).await;
    let theirs = Events::open(&other, "/events?tail=500", None).await;
    let (second, _step) = {
        let path = create_path(&client, json!([])).await;
        let job = client.post(&format!("{path}/jobs"), json!({})).await;
        (job.expect(201)["id"].clone(), server.events.poke())
    };
    let of_others = create_path(&other, json!([])).await;
    let of_others = format!("{of_others}/jobs");
    let job = other.post(&of_others, json!({})).await.expect(201);
    let third = job["id"].clone();

    let first_of = async |events: Events| {
        let mut events = events.moving(&server.clock);
        let frame = events.next().await.expect("an event");
        (frame.data["jobId"].clone(), frame.brief())
    };
    assert_eq!(first_of(now).await, (second, "job waiting".to_owned()));
    assert_eq!(
        first_of(tail).await,
        (json!(1), "job processing".to_owned())
    );
    assert_eq!(first_of(theirs).await, (third, "job waiting".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let Some(server) = start().await else { return };
    let (job, step) = begin(&server).await;
    let (bearer, id) = server.add_plain_token("for a while").await;
    let path = format!("/jobs/{job}/events");
    let mut events = Events::open(&bearer, &path, None)
        .await
        .moving(&server.clock);
    events.next().await.expect("an event");

    let token = format!("/v2/storage/tokens/{id}");
    server.client().delete(&token).await.expect(204);
    say(&server, &step, "not for everybody").await;
    let rest = events.rest().await;

    assert!(!rest.iter().any(|frame| frame.event == "log"), "{rest:?}");
    assert!(!rest.iter().any(|frame| frame.event == "end"), "{rest:?}");
}

#[tokio::test]
async fn streams_end_with_the_server() {
    let Some(server) = start().await else { return };
    let events = Events::open(&server.client(), "/events", None).await;

    server.stop.stop();

    assert_eq!(events.rest().await, []);
}

#[tokio::test]
async fn a_token_has_so_many_streams_and_one_more_when_one_has_ended() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Events::open(&client, "/events", None).await);
    }

    let refused = client
        .request(reqwest::Method::GET, "/events")
        .header("Accept", "text/event-stream");
    let refused = client.send(refused).await;
    let (plain, _) = server.add_plain_token("another").await;
    Events::open(&plain, "/events", None).await;
    open.pop();

    assert_eq!(refused.headers["retry-after"], "5");
    let message = refused.json["message"].clone();
    assert!(
        message
            .as_str()
            .expect("a text")
            .contains("token has 20 streams")
    );
    assert_eq!(refused.refusal(429), "TOO_MANY_STREAMS");
    crate::support::process::until("room for another one", || async {
        let answer = Events::ask(&client, "/events", None).await;
        if answer.status() == 200 {
            Ok(())
        } else {
            Err(answer.status().to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_let_go() {
    let Some(server) = start().await else { return };
    let mut all = 0;
    for _ in 0..8 {
        let (_, step) = begin(&server).await;
        let lines = (0..250).map(|_| LogLine {
            at: server.clock.now(),
            level: LogLevel::Info,
            text: "x".repeat(8_000),
        });
        let wait = StepEnd::Wait {
            state: Vec::new(),
            wake_at: server.clock.now().plus(Duration::from_secs(1_000_000)),
            response: None,
            message: None,
            component_digest: "d".into(),
        };
        let report = StepReport {
            said: lines.collect(),
            tasks: 1,
            ..StepReport::default()
        };
        let ended = server
            .store
            .end_step(step.lease, wait, report, server.clock.now());
        ended.await.expect("store");
        all += 250;
    }
    server.settled().await;
    let path = "/events?after=0-0&kinds=log";
    let mut events = Events::open(&server.client(), path, None).await;
    events.next().await.expect("an event");

    // It takes nothing more; the server's time goes on.
    server
        .bearer(MASTER)
        .get("/events?limit=1")
        .await
        .expect(200);
    let mut taken = 1;
    crate::support::process::until("the stream to be given up", || async {
        server.clock.advance(Duration::from_secs(31));
        let open = server.streams.count();
        if open == 0 {
            Ok(())
        } else {
            Err(open.to_string())
        }
    })
    .await;
    while events.next().await.is_some() {
        taken += 1;
    }

    assert!(taken < all, "{taken} of {all} lines were waiting for it");
}

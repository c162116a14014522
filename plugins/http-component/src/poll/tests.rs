//! The polls of a component's job, each with a scripted answer: what brings news, what is tried again, what ends the task.

use super::*;
use crate::testing::{Script, answer, answer_with, context, done, waits};

const URL: &str = "https://queue.example/jobs/5";

fn polled(polls: u32) -> Poll {
    Poll {
        url: URL.into(),
        polls,
        response: Some(r#"{"status":"waiting"}"#.into()),
        ..Poll::default()
    }
}

fn poll_with(state: Poll, response: Result<Response, Error>) -> Result<Step, Failure> {
    let mut script = Script::new([response]);
    poll(&context(), state, &mut |request| script.exchange(request))
}

#[test]
fn the_request_is_the_protocols() {
    let mut script = Script::new([answer(200, r#"{"status":"success"}"#)]);

    poll(&context(), polled(0), &mut |request| {
        script.exchange(request)
    })
    .unwrap();

    let request = &script.requests[0];
    assert_eq!(
        (request.method(), request.url(), request.body()),
        ("GET", URL, &[][..])
    );
    let headers: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        headers,
        [("Accept", "application/json"), ("X-KBC-RunId", "7.1")]
    );
}

#[test]
fn a_running_job_is_polled_again_more_slowly() {
    let body = r#"{"status":"processing"}"#;
    let failing = Poll {
        failures: 4,
        refusals: 2,
        ..polled(2)
    };

    let (state, delay, wait) = waits(poll_with(failing, answer(200, body)).unwrap());

    assert_eq!(
        state,
        State::Poll(Poll {
            url: URL.into(),
            polls: 3,
            response: Some(body.into()),
            ..Poll::default()
        })
    );
    assert_eq!(delay, Duration::from_millis(2250));
    assert_eq!(wait.response.as_deref(), Some(body));

    let (_, delay, _) =
        waits(poll_with(polled(2), answer_with(200, ("Retry-After", "90"), body)).unwrap());
    assert_eq!(delay, Duration::from_secs(90));
}

#[test]
fn a_job_ends_with_its_status_and_its_response() {
    for (body, verdict, summary) in [
        (r#"{"status":"success"}"#, Verdict::Success, ""),
        (
            r#"{"status":"warning","isFinished":true}"#,
            Verdict::Warning,
            "the component's job ended with status warning",
        ),
        (
            r#"{"status":"terminated"}"#,
            Verdict::Error,
            "the component's job ended with status terminated",
        ),
        (
            r#"{"isFinished":true,"result":{"message":"no quota"}}"#,
            Verdict::Error,
            "the component's job ended with status unknown: no quota",
        ),
    ] {
        let outcome = done(poll_with(polled(0), answer(200, body)).unwrap());
        assert_eq!(
            (
                outcome.verdict,
                outcome.summary.as_str(),
                outcome.response.as_str()
            ),
            (verdict, summary, body)
        );
    }
}

#[test]
fn a_poll_without_news_is_repeated_and_keeps_the_last_response() {
    for response in [
        answer(500, "<html>"),
        answer(503, ""),
        answer(429, ""),
        answer(408, ""),
        answer(304, ""),
        answer(200, "<html>"),
        answer(200, "{}"),
        Err(Error::NotSent("refused".into())),
        Err(Error::NoAnswer("closed".into())),
    ] {
        let (state, delay, wait) = waits(poll_with(polled(0), response).unwrap());
        assert_eq!(
            state,
            State::Poll(Poll {
                failures: 1,
                ..polled(1)
            })
        );
        assert_eq!(delay, Duration::from_secs(1));
        assert_eq!(wait.response.as_deref(), Some(r#"{"status":"waiting"}"#));
    }
    let (_, delay, _) =
        waits(poll_with(polled(0), answer_with(503, ("Retry-After", "30"), "")).unwrap());
    assert_eq!(delay, Duration::from_secs(30));
}

#[test]
fn without_a_time_limit_two_hundred_failures_are_enough() {
    let failing = || Poll {
        failures: 199,
        ..polled(300)
    };
    let failure = poll_with(failing(), answer(500, "")).unwrap_err();
    assert_eq!(failure.code, "COMPONENT_UNAVAILABLE");
    assert_eq!(
        failure.message,
        "200 polls of the component's job in a row failed; at last, \
         component answered 500 Internal Server Error to the poll of its job"
    );

    let mut context = context();
    context.remaining_ms = Some(1);
    let mut script = Script::new([answer(500, "")]);
    waits(poll(&context, failing(), &mut |request| script.exchange(request)).unwrap());
}

#[test]
fn a_refused_poll_is_tried_three_times() {
    let (state, ..) = waits(
        poll_with(
            Poll {
                refusals: 1,
                ..polled(1)
            },
            answer(404, ""),
        )
        .unwrap(),
    );
    assert_eq!(
        state,
        State::Poll(Poll {
            refusals: 2,
            ..polled(2)
        })
    );

    let refused = || Poll {
        refusals: 2,
        ..polled(2)
    };
    let outcome = done(poll_with(refused(), answer(403, r#"{"message":"no"}"#)).unwrap());
    assert_eq!(
        (outcome.verdict, outcome.response.as_str()),
        (Verdict::Error, r#"{"message":"no"}"#)
    );
    assert_eq!(
        outcome.summary,
        "component answered 403 Forbidden to the poll of its job: no"
    );

    let outcome = done(poll_with(refused(), answer(410, "gone")).unwrap());
    assert_eq!(outcome.response, r#"{"status":"waiting"}"#);
}

#[test]
fn a_redirect_is_followed_to_https_only() {
    let redirect = |location| answer_with(307, ("Location", location), "");
    let mut script = Script::new([
        redirect("/moved/5"),
        redirect("https://other.example/5"),
        answer(200, r#"{"status":"success"}"#),
    ]);
    done(
        poll(&context(), polled(0), &mut |request| {
            script.exchange(request)
        })
        .unwrap(),
    );
    let urls: Vec<&str> = script.requests.iter().map(Request::url).collect();
    assert_eq!(
        urls,
        [
            URL,
            "https://queue.example/moved/5",
            "https://other.example/5"
        ]
    );

    assert_eq!(
        poll_with(polled(0), redirect("http://queue.example/jobs/5"))
            .unwrap_err()
            .code,
        "NOT_HTTPS"
    );

    let mut script = Script::new((0..6).map(|_| redirect("/round")));
    waits(
        poll(&context(), polled(0), &mut |request| {
            script.exchange(request)
        })
        .unwrap(),
    );
}

#[test]
fn what_no_repetition_can_cure_ends_the_task() {
    for (error, code) in [
        (Error::Denied("no".into()), "ADDRESS_REFUSED"),
        (Error::TooLarge, "RESPONSE_TOO_LARGE"),
    ] {
        assert_eq!(poll_with(polled(0), Err(error)).unwrap_err().code, code);
    }
    let nowhere = Poll {
        url: "nowhere".into(),
        ..Poll::default()
    };
    assert_eq!(
        poll(&context(), nowhere, &mut |_| panic!("a request was sent"))
            .unwrap_err()
            .code,
        "BAD_STATE"
    );
}

#[test]
fn a_job_is_cancelled_where_its_address_looks_like_one() {
    let cancelled = |url: &str| {
        let mut script = Script::new([answer(500, "")]);
        let poll = Poll {
            url: url.into(),
            ..Poll::default()
        };
        cancel(&context(), &poll, &mut |request| script.exchange(request));
        script
            .requests
            .iter()
            .map(|request| format!("{} {}", request.method(), request.url()))
            .collect::<Vec<_>>()
    };
    assert_eq!(cancelled(URL), ["DELETE https://queue.example/jobs/5"]);
    assert_eq!(
        cancelled("https://queue.example/queue/job/a1-b2/"),
        ["DELETE https://queue.example/queue/job/a1-b2/"]
    );
    assert!(cancelled("https://queue.example/status/5").is_empty());
    assert!(cancelled("https://queue.example/jobs/latest").is_empty());
    assert!(cancelled("https://queue.example/jobs").is_empty());
}

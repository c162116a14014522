//! The start of a component, with scripted answers: what is sent, what an answer means, and what is never sent twice.

use super::*;
use crate::testing::{Script, answer, answer_with, context, done, waits};

fn start_with(context: &Context, response: Result<Response, Error>) -> Result<Step, Failure> {
    let mut script = Script::new([response]);
    start(context, &mut |request| script.exchange(request))
}

#[test]
fn the_request_is_the_protocols() {
    let mut script = Script::new([answer(200, "{}")]);

    start(&context(), &mut |request| script.exchange(request)).unwrap();

    let request = &script.requests[0];
    assert_eq!(
        (request.method(), request.url()),
        ("POST", "https://components.example/ex-db/run")
    );
    assert_eq!(request.body(), br#"{"config":1}"#);
    let headers: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        headers,
        [
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("X-KBC-RunId", "7.1"),
            ("Idempotency-Key", "key-1"),
        ]
    );
}

#[test]
fn an_answer_without_a_job_is_the_result_of_a_synchronous_call() {
    for (status, body, response) in [
        (200, r#"{"rows":3}"#, r#"{"rows":3}"#),
        (
            201,
            r#"{"status":"processing"}"#,
            r#"{"status":"processing"}"#,
        ),
        (
            200,
            r#"{"url":"https://a.example/"}"#,
            r#"{"url":"https://a.example/"}"#,
        ),
        (204, "", "null"),
        (200, "<html>", "null"),
    ] {
        let outcome = done(start_with(&context(), answer(status, body)).unwrap());
        assert_eq!(
            (outcome.verdict, outcome.response.as_str()),
            (Verdict::Success, response),
            "{body}"
        );
    }
}

#[test]
fn a_job_is_polled_at_the_address_that_it_names() {
    let body = r#"{"url":"../jobs/5","status":"waiting"}"#;

    let (state, delay, wait) = waits(start_with(&context(), answer(202, body)).unwrap());

    let poll = Poll {
        url: "https://components.example/jobs/5".into(),
        response: Some(body.into()),
        ..Poll::default()
    };
    assert_eq!(state, State::Poll(poll));
    assert_eq!(delay, Duration::from_millis(500));
    assert_eq!(wait.response.as_deref(), Some(body));
    assert_eq!(
        wait.progress.unwrap().message,
        "the component's job is waiting"
    );
}

#[test]
fn retry_after_bounds_the_first_poll() {
    let body = r#"{"url":"https://queue.example/jobs/5","status":"success","isFinished":false}"#;
    let (_, delay, _) =
        waits(start_with(&context(), answer_with(202, ("Retry-After", "7"), body)).unwrap());
    assert_eq!(delay, Duration::from_secs(7));
}

#[test]
fn a_job_that_has_ended_already_is_not_polled() {
    let body = r#"{"url":"/jobs/5","status":"error","message":"no table"}"#;

    let outcome = done(start_with(&context(), answer(200, body)).unwrap());

    assert_eq!(
        (outcome.verdict, outcome.response.as_str()),
        (Verdict::Error, body)
    );
    assert_eq!(
        outcome.summary,
        "the component's job ended with status error: no table"
    );
}

#[test]
fn a_job_whose_address_is_not_https_is_an_error() {
    for (url, code) in [
        ("http://queue.example/jobs/5", "NOT_HTTPS"),
        ("ftp://queue.example/", "NOT_HTTPS"),
        ("https://u@queue.example/", "BAD_ADDRESS"),
    ] {
        let body = format!(r#"{{"url":"{url}","status":"waiting"}}"#);
        assert_eq!(
            start_with(&context(), answer(200, &body)).unwrap_err().code,
            code,
            "{url}"
        );
    }
}

#[test]
fn refusals_and_faults_end_the_task_in_error() {
    for (status, body, summary, response) in [
        (
            404,
            r#"{"message":"No such component"}"#,
            "component answered 404 Not Found: No such component",
            None,
        ),
        (
            400,
            "nope",
            "component answered 400 Bad Request",
            Some("null"),
        ),
        (
            500,
            r#"{"error":"Application error"}"#,
            "component answered 500 Internal Server Error: Application error",
            None,
        ),
        (
            502,
            "<html>",
            "component answered 502 Bad Gateway",
            Some("null"),
        ),
        (
            302,
            "",
            "component answered 302 Found: the request that starts a component is not sent on to another address",
            Some("null"),
        ),
    ] {
        let outcome = done(start_with(&context(), answer(status, body)).unwrap());
        assert_eq!(
            (outcome.verdict, outcome.summary.as_str()),
            (Verdict::Error, summary)
        );
        assert_eq!(outcome.response, response.unwrap_or(body));
    }
}

#[test]
fn a_component_that_is_busy_or_away_is_tried_again() {
    let busy = answer_with(503, ("retry-after", "5000"), r#"{"message":"restarting"}"#);
    let (state, delay, wait) = waits(start_with(&context(), busy).unwrap());
    assert_eq!(
        state,
        State::Retry(Retry {
            tries: 1,
            waited_ms: 3_600_000
        })
    );
    assert_eq!(delay, Duration::from_secs(3600));
    assert_eq!(
        wait.progress.unwrap().message,
        "try 2 follows in 3600 s: component answered 503 Service Unavailable: restarting"
    );

    let away = Err(Error::NotSent("the connection was refused".into()));
    let (state, delay, _) = waits(start_with(&context(), away).unwrap());
    assert_eq!(
        state,
        State::Retry(Retry {
            tries: 1,
            waited_ms: 1000
        })
    );
    assert_eq!(delay, Duration::from_secs(1));
}

#[test]
fn without_a_time_limit_a_minute_of_waiting_is_enough() {
    let mut script = Script::new((0..7).map(|_| answer(429, "")));
    let mut exchange = |request| script.exchange(request);
    let mut step = start(&context(), &mut exchange);
    let mut seconds = Vec::new();
    while let Ok(Step::Wait(wait)) = step {
        seconds.push(wait.after_ms / 1000);
        let State::Retry(retry) = State::decode(&wait.state).unwrap() else {
            panic!("not a retry")
        };
        step = start_again(&context(), retry, &mut exchange);
    }

    assert_eq!(seconds, [1, 2, 4, 8, 16, 30]);
    let failure = step.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Transient, "COMPONENT_UNAVAILABLE")
    );
    assert_eq!(
        failure.message,
        "the component was not started in 7 tries over 61 seconds; at last, component answered 429 Too Many Requests"
    );
}

#[test]
fn with_a_time_limit_it_is_tried_until_the_host_ends_the_task() {
    let mut context = context();
    context.remaining_ms = Some(100);
    let mut script = Script::new([answer(429, "")]);

    let retry = Retry {
        tries: 99,
        waited_ms: 1_000_000,
    };
    let step = start_again(&context, retry, &mut |request| script.exchange(request)).unwrap();

    let (state, delay, _) = waits(step);
    assert_eq!(
        state,
        State::Retry(Retry {
            tries: 100,
            waited_ms: 1_030_000
        })
    );
    assert_eq!(delay, Duration::from_secs(30));
}

#[test]
fn a_start_in_doubt_is_not_repeated_unless_the_component_is_idempotent() {
    let mut context = context();
    context.certainty = Certainty::InDoubt;
    for retry in [
        Retry::default(),
        Retry {
            tries: 1,
            waited_ms: 1000,
        },
    ] {
        let failure =
            start_again(&context, retry, &mut |_| panic!("a request was sent")).unwrap_err();
        assert_eq!(failure.code, "IN_DOUBT");
    }

    context.config = r#"{"idempotent":true}"#.into();
    assert_eq!(
        done(start_with(&context, answer(200, "{}")).unwrap()).verdict,
        Verdict::Success
    );
}

#[test]
fn a_request_without_an_answer_says_whether_it_may_have_arrived() {
    for (error, kind, code) in [
        (
            Error::NoAnswer("the connection was closed".into()),
            FailureKind::Transient,
            "NO_ANSWER",
        ),
        (
            Error::Denied("not granted".into()),
            FailureKind::Config,
            "ADDRESS_REFUSED",
        ),
        (
            Error::Invalid("bad".into()),
            FailureKind::Config,
            "BAD_ADDRESS",
        ),
        (Error::TooLarge, FailureKind::Remote, "RESPONSE_TOO_LARGE"),
    ] {
        let failure = start_with(&context(), Err(error)).unwrap_err();
        assert_eq!((failure.kind, failure.code.as_str()), (kind, code));
    }
    let failure = start_with(&context(), Err(Error::NoAnswer("it was closed".into()))).unwrap_err();
    assert_eq!(
        failure.message,
        "https://components.example/ex-db/run gave no answer: it was closed. \
         The request may have been acted on, so it is not made again"
    );
}

#[test]
fn a_wrong_configuration_is_named() {
    let mut context = context();
    context.config = r#"{"idempotent":"yes"}"#.into();
    let failure = start(&context, &mut |_| panic!("a request was sent")).unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Config, "BAD_CONFIGURATION")
    );
}

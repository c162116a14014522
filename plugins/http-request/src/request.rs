//! The step: one try of the request. It is made again only where it certainly did nothing, where the other side asked for
//! that (429, 503), or where it may be made twice.

use std::time::Duration;

use orchestrator_sdk::http::{Address, Error, Request, Response};
use orchestrator_sdk::task::{Certainty, Context, Failure, FailureKind, Step, Verdict, Wait};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::parameters::Parameters;
use crate::pointer::find;

/// Raise it when an older version of the plugin could no longer read the state.
pub const STATE_FORMAT: u32 = 1;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A task without a time limit of its own gives up after these many milliseconds of waiting.
const MAX_WAITED_MS: u64 = 60_000;
/// A larger answer is not kept with the task; a note takes its place.
const MAX_KEPT_BYTES: usize = 256 << 10;

type Exchange<'a> = &'a mut dyn FnMut(Request) -> Result<Response, Error>;

/// All that is remembered between two tries.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    pub tries: u32,
    pub waited_ms: u64,
}

pub fn attempt(context: &Context, retry: Retry, exchange: Exchange) -> Result<Step, Failure> {
    let parameters = Parameters::of(context)?;
    if context.certainty == Certainty::InDoubt && !parameters.is_idempotent() {
        let message = "the host stopped while the request was under way: it may have been acted on, so it is not made again";
        return Err(Failure::new(FailureKind::Transient, "IN_DOUBT", message));
    }
    let address = parameters.address()?;
    let may_repeat = parameters.is_idempotent();
    match exchange(build(context, &parameters, &address)) {
        Ok(response) => answered(context, &parameters, retry, &response),
        Err(Error::NotSent(why)) => try_again(context, retry, None, &why),
        Err(Error::NoAnswer(why)) if may_repeat => try_again(context, retry, None, &why),
        Err(error) => Err(failure(&error, &address)),
    }
}

fn build(context: &Context, parameters: &Parameters, address: &Address) -> Request {
    let mut request = Request::new(parameters.method(), address.to_string())
        .connect_timeout(CONNECT_TIMEOUT)
        .answer_timeout(Duration::from_secs(parameters.timeout_seconds()));
    for (name, value) in &parameters.headers {
        request = request.header(name, value);
    }
    let is_set = |name: &str| {
        let mut names = parameters.headers.keys();
        names.any(|other| other.eq_ignore_ascii_case(name))
    };
    if !is_set("Idempotency-Key") {
        request = request.header("Idempotency-Key", &context.idempotency_key);
    }
    if let Some(body) = parameters.body() {
        if !is_set("Content-Type") {
            request = request.header("Content-Type", body.content_type);
        }
        request = request.with_body(body.bytes);
    }
    request
}

fn answered(
    context: &Context,
    parameters: &Parameters,
    retry: Retry,
    response: &Response,
) -> Result<Step, Failure> {
    let status = response.status();
    if parameters.expects(status) {
        return Ok(checked(parameters, response));
    }
    let asks_to_come_back = matches!(status, 429 | 503);
    if asks_to_come_back || (matches!(status, 502 | 504) && parameters.is_idempotent()) {
        let why = format!("the answer was {status}");
        return try_again(context, retry, response.retry_after(), &why);
    }
    let summary = format!("the answer was {status}, which is not expected");
    Ok(Step::ended(Verdict::Error, kept(response), summary))
}

/// The end of a task whose request was answered as expected, if the answer says what it should.
fn checked(parameters: &Parameters, response: &Response) -> Step {
    let text = text(response);
    let failed = |summary: String| Step::ended(Verdict::Error, kept(response), summary);
    for (pointer, expected) in &parameters.checks {
        let found = text.and_then(|text| find(text, pointer));
        let Some(found) = found else {
            return failed(format!(
                "the answer has nothing at {pointer}, where {expected} is expected"
            ));
        };
        let is_equal =
            serde_json::from_str::<Value>(found).is_ok_and(|found| is_same(&found, expected));
        if !is_equal {
            let shown: String = found.chars().take(100).collect();
            return failed(format!(
                "the answer has {shown} at {pointer}, where {expected} is expected"
            ));
        }
    }
    let Some(pointer) = &parameters.result else {
        return Step::success(kept(response));
    };
    match text.and_then(|text| find(text, pointer)) {
        Some(found) => Step::success(bounded(found.to_owned())),
        None => failed(format!(
            "the answer has nothing at {pointer}, which is to be kept"
        )),
    }
}

/// Equal, numbers by value.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => found == expected,
        _ => found == expected,
    }
}

fn text(response: &Response) -> Option<&str> {
    let text = std::str::from_utf8(response.body()).ok()?;
    Some(text.trim_start_matches('\u{feff}').trim())
}

/// The answer's JSON as it was written, any other text as a JSON string, and `null` for no body.
fn kept(response: &Response) -> String {
    let Some(text) = text(response) else {
        return format!(r#"{{"bytes":{}}}"#, response.body().len());
    };
    if text.is_empty() {
        return "null".to_owned();
    }
    // Read in full, so that what is kept can be read in full again: not too deep, no number out of range.
    match serde_json::from_str::<Value>(text) {
        Ok(_) => bounded(text.to_owned()),
        Err(_) => bounded(Value::from(text).to_string()),
    }
}

fn bounded(json: String) -> String {
    if json.len() <= MAX_KEPT_BYTES {
        return json;
    }
    format!(r#"{{"truncated":true,"bytes":{}}}"#, json.len())
}

fn try_again(
    context: &Context,
    retry: Retry,
    asked: Option<Duration>,
    why: &str,
) -> Result<Step, Failure> {
    let tries = retry.tries.saturating_add(1);
    if context.deadline_ms.is_none() && retry.waited_ms >= MAX_WAITED_MS {
        let seconds = retry.waited_ms / 1000;
        let message = format!(
            "the request was not answered as expected in {tries} tries over {seconds} seconds; at last, {why}"
        );
        return Err(Failure::new(FailureKind::Transient, "UNAVAILABLE", message));
    }
    let delay = delay(tries, asked);
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    let next = Retry {
        tries,
        waited_ms: retry.waited_ms.saturating_add(delay_ms),
    };
    let progress = format!(
        "try {} follows in {} s: {why}",
        tries.saturating_add(1),
        delay_ms.div_ceil(1000)
    );
    Ok(Wait::new(
        orchestrator_sdk::task::Checkpoint::encode(STATE_FORMAT, &next),
        delay,
    )
    .progress(progress)
    .into())
}

/// 1, 2, 4, 8, 16, 30, 30, … seconds, or what was asked for: a second to an hour.
fn delay(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled = 1_u64
        .checked_shl(tries.saturating_sub(1))
        .unwrap_or(u64::MAX);
    asked.map_or(Duration::from_secs(doubled.min(30)), |asked| {
        asked.clamp(Duration::from_secs(1), Duration::from_secs(3600))
    })
}

/// Why a task ends where a request brought no answer and is not repeated. A query can hold secrets: it is not shown.
fn failure(error: &Error, address: &Address) -> Failure {
    let shown = address.to_string();
    let shown = shown.split('?').next().unwrap_or_default();
    let (kind, code, message) = match error {
        Error::Denied(why) => (
            FailureKind::Config,
            "ADDRESS_REFUSED",
            format!("the host does not call {shown}: {why}"),
        ),
        Error::Invalid(why) => (
            FailureKind::Config,
            "BAD_ADDRESS",
            format!("the request to {shown} cannot be made: {why}"),
        ),
        Error::TooLarge => (
            FailureKind::Remote,
            "RESPONSE_TOO_LARGE",
            format!("the answer of {shown} is too large"),
        ),
        Error::NotSent(why) | Error::NoAnswer(why) => (
            FailureKind::Transient,
            "NO_ANSWER",
            format!(
                "{shown} gave no answer: {why}. The request may have been acted on, so it is not made again"
            ),
        ),
    };
    Failure::new(kind, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;
    use orchestrator_sdk::task::Outcome;

    const GET: &str = r#"{"url": "https://x.example/a"}"#;
    const POST: &str = r#"{"url": "https://x.example/a", "body": {"a": 1}}"#;

    fn try_once(
        context: &Context,
        answer: Result<Response, Error>,
    ) -> (Result<Step, Failure>, Vec<Request>) {
        let mut requests = Vec::new();
        let step = attempt(context, Retry::default(), &mut |request| {
            requests.push(request);
            answer.clone()
        });
        (step, requests)
    }

    fn answer(status: u16, body: &str) -> Result<Response, Error> {
        Ok(Response::new(status, Vec::new(), body.into()))
    }

    #[track_caller]
    fn done(step: Result<Step, Failure>) -> Outcome {
        match step.unwrap() {
            Step::Done(outcome) => outcome,
            Step::Wait(wait) => panic!("the task waits: {wait:?}"),
        }
    }

    fn waits_ms(step: Result<Step, Failure>) -> Option<u64> {
        match step {
            Ok(Step::Wait(wait)) => Some(wait.after_ms),
            _ => None,
        }
    }

    #[test]
    fn a_request_has_what_the_task_says() {
        let json = r#"{"method": "patch", "url": "https://x.example/a", "headers": {"content-type": "text/csv"},
            "body": "a;b", "query": {"q": "1"}}"#;
        let (_, requests) = try_once(&context(json), answer(200, ""));

        let request = &requests[0];
        assert_eq!(
            (request.method(), request.url()),
            ("PATCH", "https://x.example/a?q=1")
        );
        let headers = request.headers();
        assert_eq!(headers[0], ("content-type".into(), "text/csv".into()));
        assert_eq!(headers[1], ("Idempotency-Key".into(), "key-1".into()));
        assert_eq!((headers.len(), request.body()), (2, b"a;b".as_slice()));
    }

    #[test]
    fn the_answer_is_kept_as_it_was_written() {
        for (body, kept) in [
            (r#" {"n": 1.50} "#, r#"{"n": 1.50}"#),
            ("", "null"),
            ("a \"b\"", r#""a \"b\"""#),
        ] {
            let outcome = done(try_once(&context(GET), answer(200, body)).0);
            assert_eq!(
                (outcome.verdict, outcome.response.as_str()),
                (Verdict::Success, kept)
            );
        }
        let long = format!("[{}1]", "1,".repeat(MAX_KEPT_BYTES / 2));
        let outcome = done(try_once(&context(GET), answer(200, &long)).0);
        assert_eq!(
            outcome.response,
            format!(r#"{{"truncated":true,"bytes":{}}}"#, long.len())
        );
    }

    #[test]
    fn checks_and_the_result_are_found_by_pointers() {
        let body = r#"{"state": "ok", "count": 3, "data": {"id": 12345678901234567890}}"#;
        let with = |rest: &str| format!(r#"{{"url": "https://x.example/", {rest}}}"#);
        for (rest, expected) in [
            (
                r#""checks": {"/state": "ok", "/count": 3.0}, "result": "/data/id""#,
                Ok("12345678901234567890"),
            ),
            (
                r#""checks": {"/state": "bad"}"#,
                Err(r#"has "ok" at /state, where "bad""#),
            ),
            (r#""checks": {"/gone": null}"#, Err("has nothing at /gone")),
            (r#""result": "/data/no""#, Err("has nothing at /data/no")),
        ] {
            let outcome = done(try_once(&context(&with(rest)), answer(200, body)).0);
            match expected {
                Ok(response) => assert_eq!(outcome.response, response, "{rest}"),
                Err(why) => {
                    assert_eq!(outcome.verdict, Verdict::Error, "{rest}");
                    assert!(outcome.summary.contains(why), "{}", outcome.summary);
                    assert_eq!(outcome.response, body);
                }
            }
        }
    }

    #[test]
    fn only_what_did_nothing_or_may_be_done_twice_is_tried_again() {
        let lost = || Err(Error::NoAnswer("closed".into()));
        let refused = || Err(Error::NotSent("refused".into()));
        for (parameters, answered, is_repeated) in [
            (POST, refused(), true),
            (POST, answer(503, ""), true),
            (POST, answer(429, ""), true),
            (POST, answer(502, ""), false),
            (POST, lost(), false),
            (GET, answer(502, ""), true),
            (GET, lost(), true),
            (GET, answer(500, ""), false),
            (GET, answer(404, ""), false),
        ] {
            let (step, _) = try_once(&context(parameters), answered.clone());
            assert_eq!(waits_ms(step), is_repeated.then_some(1000), "{answered:?}");
        }
        let code = try_once(&context(POST), lost()).0.unwrap_err().code;
        assert_eq!(code, "NO_ANSWER");
    }

    #[test]
    fn a_status_that_is_expected_is_not_tried_again() {
        let json = r#"{"url": "https://x.example/", "expectedStatus": [503]}"#;
        let outcome = done(try_once(&context(json), answer(503, "")).0);
        assert_eq!(outcome.verdict, Verdict::Success);
    }

    #[test]
    fn the_time_that_the_other_side_asks_for_is_given_to_it() {
        let asks = Response::new(429, vec![("Retry-After".into(), b"7".to_vec())], Vec::new());
        assert_eq!(waits_ms(try_once(&context(GET), Ok(asks)).0), Some(7000));
    }

    #[test]
    fn without_a_time_limit_it_gives_up_after_a_minute_of_waiting() {
        let late = Retry {
            tries: 9,
            waited_ms: MAX_WAITED_MS,
        };
        let mut exchange = |_| answer(503, "");
        let failure = attempt(&context(GET), late, &mut exchange).unwrap_err();
        assert_eq!(failure.code, "UNAVAILABLE");
        assert!(failure.message.contains("10 tries"), "{}", failure.message);
    }

    #[test]
    fn a_request_in_doubt_is_made_again_only_where_it_may_be_made_twice() {
        let doubt = |parameters| Context {
            certainty: Certainty::InDoubt,
            ..context(parameters)
        };
        let (step, requests) = try_once(&doubt(POST), answer(200, ""));
        assert_eq!(
            (step.unwrap_err().code.as_str(), requests.len()),
            ("IN_DOUBT", 0)
        );

        let (step, requests) = try_once(&doubt(GET), answer(200, ""));
        assert_eq!((done(step).verdict, requests.len()), (Verdict::Success, 1));
    }

    #[test]
    fn the_layout_of_format_1_stays() {
        let read: Retry = serde_json::from_str(r#"{"tries":2,"waited_ms":3000}"#).unwrap();
        assert_eq!((read.tries, read.waited_ms), (2, 3000));
    }
}

//! The step: one try of the request. It is made again only where it certainly did nothing, where the other side asked for
//! that (429, 503), or where it may be made twice.

use std::time::Duration;

use orchestrator_sdk::http::{Address, Error, Request, Response};
use orchestrator_sdk::retry::Retry;
use orchestrator_sdk::task::{Certainty, Checkpoint, Context, Failure, FailureKind, Step, Verdict};

use crate::answer::{checked, kept};
use crate::parameters::Parameters;

/// Raise it when an older version of the plugin could no longer read the state.
pub const STATE_FORMAT: u32 = 1;

type Exchange<'a> = &'a mut dyn FnMut(Request) -> Result<Response, Error>;

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
        Err(error) => Err(error.ends_task(&address)),
    }
}

fn build(context: &Context, parameters: &Parameters, address: &Address) -> Request {
    let mut request = Request::new(parameters.method(), address.to_string())
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

fn try_again(
    context: &Context,
    retry: Retry,
    asked: Option<Duration>,
    why: &str,
) -> Result<Step, Failure> {
    let next = retry.again(context, asked, why).map_err(|tries| {
        let message = format!("the request was not answered as expected {tries}");
        Failure::new(FailureKind::Transient, "UNAVAILABLE", message)
    })?;
    Ok(next
        .wait(Checkpoint::encode(STATE_FORMAT, &next.retry))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answer, context, done};
    use orchestrator_sdk::retry::MAX_WAITED_MS;

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
}

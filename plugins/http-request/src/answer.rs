//! An answer that came as expected: whether it says what it should, and what of it is kept as the task's response.

use orchestrator_sdk::http::Response;
use orchestrator_sdk::task::{Step, Verdict};
use serde_json::Value;

use crate::parameters::Parameters;
use crate::pointer::find;

/// A larger answer is not kept with the task; a note takes its place.
const MAX_KEPT_BYTES: usize = 256 << 10;

/// The end of a task whose request was answered as expected, if the answer says what it should.
pub fn checked(parameters: &Parameters, response: &Response) -> Step {
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
pub fn kept(response: &Response) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, done};
    use orchestrator_sdk::task::Outcome;

    const GET: &str = r#"{"url": "https://x.example/a"}"#;

    fn ended(parameters: &str, body: &str) -> Outcome {
        let parameters = Parameters::of(&context(parameters)).unwrap();
        let response = Response::new(200, Vec::new(), body.into());
        done(Ok(checked(&parameters, &response)))
    }

    #[test]
    fn the_answer_is_kept_as_it_was_written() {
        for (body, kept) in [
            (r#" {"n": 1.50} "#, r#"{"n": 1.50}"#),
            ("", "null"),
            ("a \"b\"", r#""a \"b\"""#),
        ] {
            let outcome = ended(GET, body);
            assert_eq!(
                (outcome.verdict, outcome.response.as_str()),
                (Verdict::Success, kept)
            );
        }
        let long = format!("[{}1]", "1,".repeat(MAX_KEPT_BYTES / 2));
        let outcome = ended(GET, &long);
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
            let outcome = ended(&with(rest), body);
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
}

//! What a component's answer says: its JSON, and the few fields of it that the protocol reads.

use std::collections::BTreeMap;

use orchestrator_sdk::http::Response;
use orchestrator_sdk::task::Verdict;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

/// A larger JSON is not kept with the task; a note takes its place.
const MAX_KEPT_BYTES: usize = 256 << 10;
const MAX_MESSAGE_CHARS: usize = 300;

#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The JSON to keep, as the component wrote it.
    pub json: Option<String>,
    pub url: Option<String>,
    pub status: Option<String>,
    is_finished: Option<bool>,
    message: Option<String>,
}

/// Where the job stands that an answer describes.
#[derive(Debug, PartialEq)]
pub enum Job {
    Running,
    Ended(Verdict),
    /// The answer describes no job.
    Unknown,
}

impl Answer {
    pub fn read(response: &Response) -> Self {
        let text = std::str::from_utf8(response.body()).unwrap_or_default();
        let text = text.trim_start_matches('\u{feff}').trim();
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
        Self {
            json: kept(text),
            url: field(&fields, "url"),
            status: field(&fields, "status"),
            is_finished: field(&fields, "isFinished"),
            message: message(&fields),
        }
    }

    pub fn job(&self) -> Job {
        match (self.is_finished, self.status.as_deref()) {
            (Some(false), _) => Job::Running,
            (_, Some("success")) => Job::Ended(Verdict::Success),
            (_, Some("warning")) => Job::Ended(Verdict::Warning),
            (_, Some("error" | "cancelled" | "terminated")) | (Some(true), _) => {
                Job::Ended(Verdict::Error)
            }
            (None, Some(_)) => Job::Running,
            (None, None) => Job::Unknown,
        }
    }

    /// Whether a first answer describes a job at all. One that does not is the whole result of a synchronous call.
    pub fn names_a_job(&self) -> bool {
        self.url.is_some() && (self.status.is_some() || self.is_finished == Some(false))
    }

    /// The sentence with the component's own message at its end, where it gave one.
    pub fn explain(&self, sentence: &str) -> String {
        match &self.message {
            Some(message) => format!("{sentence}: {message}"),
            None => sentence.to_owned(),
        }
    }
}

fn kept(text: &str) -> Option<String> {
    if text.len() <= MAX_KEPT_BYTES {
        // Read in full, so that what is kept can be read in full again: not too deep, no number out of range.
        serde_json::from_str::<Value>(text).ok()?;
        return Some(text.to_owned());
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(format!(r#"{{"truncated":true,"bytes":{}}}"#, text.len()))
}

fn field<T: DeserializeOwned>(fields: &BTreeMap<String, &RawValue>, name: &str) -> Option<T> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

/// Components say what went wrong in `message`, in `error`, or, with a job's result, in `result.message`.
fn message(fields: &BTreeMap<String, &RawValue>) -> Option<String> {
    let of_result = || {
        let result: BTreeMap<String, &RawValue> =
            serde_json::from_str(fields.get("result")?.get()).ok()?;
        field::<String>(&result, "message")
    };
    let message = field::<String>(fields, "message")
        .or_else(|| field(fields, "error"))
        .or_else(of_result)?;
    let mut one_line = String::new();
    for word in message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !one_line.is_empty() {
            one_line.push(' ');
        }
        one_line.push_str(word);
    }
    if let Some((end, _)) = one_line.char_indices().nth(MAX_MESSAGE_CHARS) {
        one_line.truncate(end);
        one_line.push('…');
    }
    (!one_line.is_empty()).then_some(one_line)
}

/// A status as people know it: `404 Not Found`.
pub fn status_line(status: u16) -> String {
    let reason = match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return status.to_string(),
    };
    format!("{status} {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Answer {
        Answer::read(&Response::new(200, Vec::new(), body.into()))
    }

    #[test]
    fn a_job_ends_by_is_finished_and_where_that_is_absent_by_status() {
        use Verdict::{Error, Success, Warning};
        for (body, expected) in [
            (r#"{"status":"waiting"}"#, Job::Running),
            (r#"{"status":"processing"}"#, Job::Running),
            (r#"{"status":"terminating"}"#, Job::Running),
            (r#"{"status":"something new"}"#, Job::Running),
            (r#"{"status":"success"}"#, Job::Ended(Success)),
            (r#"{"status":"warning"}"#, Job::Ended(Warning)),
            (r#"{"status":"error"}"#, Job::Ended(Error)),
            (r#"{"status":"cancelled"}"#, Job::Ended(Error)),
            (r#"{"status":"terminated"}"#, Job::Ended(Error)),
            (r#"{"status":"success","isFinished":false}"#, Job::Running),
            (r#"{"isFinished":false}"#, Job::Running),
            (
                r#"{"status":"success","isFinished":true}"#,
                Job::Ended(Success),
            ),
            (
                r#"{"status":"processing","isFinished":true}"#,
                Job::Ended(Error),
            ),
            (r#"{"isFinished":true}"#, Job::Ended(Error)),
            (r#"{"status":"error","isFinished":null}"#, Job::Ended(Error)),
            (r#"{"status":7,"isFinished":"no"}"#, Job::Unknown),
            ("{}", Job::Unknown),
            ("[1]", Job::Unknown),
        ] {
            assert_eq!(read(body).job(), expected, "{body}");
        }
    }

    #[test]
    fn only_an_address_together_with_a_status_names_a_job() {
        assert!(read(r#"{"url":"/j/1","status":"waiting"}"#).names_a_job());
        assert!(read(r#"{"url":"/j/1","isFinished":false}"#).names_a_job());
        assert!(!read(r#"{"url":"/j/1"}"#).names_a_job());
        assert!(!read(r#"{"url":["/j/1"],"status":"waiting"}"#).names_a_job());
        assert!(!read(r#"{"status":"waiting"}"#).names_a_job());
        assert!(!read(r#"["/j/1","waiting"]"#).names_a_job());
    }

    #[test]
    fn json_is_kept_as_it_was_written() {
        let text = r#"{ "b": 1.0, "a": 123456789012345678901234567890, "b": "\u0000é" }"#;
        assert_eq!(
            read(&format!("\u{feff}{text}\n")).json.as_deref(),
            Some(text)
        );
        assert_eq!(read("[]").json.as_deref(), Some("[]"));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_kept() {
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        for body in [
            "",
            "  ",
            "<html>",
            "{\"a\":1",
            "1e999",
            r#""\ud800""#,
            &deep,
        ] {
            assert_eq!(read(body).json, None, "{body}");
        }
        assert_eq!(
            Answer::read(&Response::new(200, Vec::new(), vec![b'"', 0xff, b'"'])).json,
            None
        );
    }

    #[test]
    fn a_large_json_is_replaced_by_a_note_but_still_understood() {
        let body = format!(
            r#"{{"url":"/j/1","status":"waiting","x":"{}"}}"#,
            "x".repeat(MAX_KEPT_BYTES)
        );
        let answer = read(&body);

        assert_eq!(
            answer.json,
            Some(format!(r#"{{"truncated":true,"bytes":{}}}"#, body.len()))
        );
        assert!(answer.names_a_job());
        assert_eq!(read(&body[1..]).json, None);
    }

    #[test]
    fn the_components_message_is_one_capped_line() {
        let explained = |body: &str| read(body).explain("it failed");
        assert_eq!(
            explained(r#"{"message":" no\n such\ttable "}"#),
            "it failed: no such table"
        );
        assert_eq!(
            explained(r#"{"error":"User error"}"#),
            "it failed: User error"
        );
        assert_eq!(
            explained(r#"{"error":{},"result":{"message":"quota"}}"#),
            "it failed: quota"
        );
        assert_eq!(explained(r#"{"message":""}"#), "it failed");
        assert_eq!(explained("null"), "it failed");

        let long = explained(&format!(r#"{{"message":"{}"}}"#, "é".repeat(400)));
        assert_eq!(long, format!("it failed: {}…", "é".repeat(300)));
    }
}

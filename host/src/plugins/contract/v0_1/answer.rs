//! From the contract's types to the domain's: what a plugin answers, which is checked before it is believed.

use super::task::orchestrator::task::types as task_types;
use super::task::orchestrator::types::types as shared;
use crate::domain::job::Status;
use crate::domain::step::{
    Checkpoint, Failure, FailureKind, MOST_STATE_BYTES, Outcome, Step, Wait,
};
use crate::plugins::output::cut;
use serde::de::IgnoredAny;
use std::time::Duration;

const MOST_TEXT_BYTES: usize = 2_000;
const MOST_CODE_BYTES: usize = 64;

/// How an answer breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plugins) enum BadAnswer {
    NotResumable,
    ResponseTooLarge { bytes: usize },
    StateTooLarge { bytes: usize },
    NotJson(String),
}

pub(super) fn step(
    step: task_types::Step,
    is_resumable: bool,
    response_bytes: usize,
) -> Result<Step, BadAnswer> {
    match step {
        task_types::Step::Done(outcome) => {
            let status = match outcome.verdict {
                task_types::Verdict::Success => Status::Success,
                task_types::Verdict::Warning => Status::Warning,
                task_types::Verdict::Error => Status::Error,
            };
            let summary = match status {
                Status::Success => String::new(),
                _ => sentence(&outcome.summary),
            };
            Ok(Step::Done(Outcome {
                status,
                response: response(Some(outcome.response), response_bytes)?,
                summary,
            }))
        }
        task_types::Step::Wait(_) if !is_resumable => Err(BadAnswer::NotResumable),
        task_types::Step::Wait(wait) => {
            if wait.state.data.len() > MOST_STATE_BYTES {
                return Err(BadAnswer::StateTooLarge {
                    bytes: wait.state.data.len(),
                });
            }
            Ok(Step::Wait(Wait {
                state: Checkpoint {
                    format: wait.state.format,
                    data: wait.state.data,
                },
                after: Duration::from_millis(wait.after_ms),
                progress: wait.progress.as_ref().map(progress),
                response: response(wait.response, response_bytes)?,
            }))
        }
    }
}

/// JSON as it came, where it is JSON and not `null`.
fn response(json: Option<String>, most_bytes: usize) -> Result<Option<String>, BadAnswer> {
    let Some(json) = json else { return Ok(None) };
    if json.len() > most_bytes {
        return Err(BadAnswer::ResponseTooLarge { bytes: json.len() });
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&json) {
        return Err(BadAnswer::NotJson(error.to_string()));
    }
    Ok((json.trim() != "null").then_some(json))
}

fn progress(progress: &task_types::Progress) -> String {
    let message = sentence(&progress.message);
    match progress.percent {
        Some(percent) => format!("{} %: {message}", percent.min(100)),
        None => message,
    }
}

pub(super) fn failure(failure: shared::Failure) -> Failure {
    let kind = match failure.kind {
        shared::FailureKind::Config => FailureKind::Config,
        shared::FailureKind::Auth => FailureKind::Auth,
        shared::FailureKind::NotFound => FailureKind::NotFound,
        shared::FailureKind::RateLimit => FailureKind::RateLimit,
        shared::FailureKind::Transient => FailureKind::Transient,
        shared::FailureKind::Remote => FailureKind::Remote,
        shared::FailureKind::Internal => FailureKind::Internal,
    };
    Failure {
        kind,
        code: code(failure.code),
        message: sentence(&failure.message),
        retry_after: failure.retry_after_ms.map(Duration::from_millis),
    }
}

pub(super) fn receipt(text: &str) -> String {
    sentence(text)
}

/// Clients compare codes, so anything that is not one becomes one that says so.
fn code(code: String) -> String {
    let is_code = !code.is_empty()
        && code.len() <= MOST_CODE_BYTES
        && code
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if is_code {
        code
    } else {
        "PLUGIN_FAILURE".to_owned()
    }
}

/// Text for people: on one line, and no longer than somebody reads.
fn sentence(text: &str) -> String {
    let text = cut(text, MOST_TEXT_BYTES);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_json_or_nothing() {
        assert_eq!(response(None, 9), Ok(None));
        assert_eq!(response(Some(" null ".into()), 9), Ok(None));
        assert_eq!(response(Some("[1]".into()), 9), Ok(Some("[1]".into())));
        assert_eq!(
            response(Some("\"12345678\"".into()), 9),
            Err(BadAnswer::ResponseTooLarge { bytes: 10 })
        );
        assert!(matches!(
            response(Some("{".into()), 9),
            Err(BadAnswer::NotJson(_))
        ));
    }

    #[test]
    fn texts_are_one_line_and_codes_are_names() {
        assert_eq!(sentence("a\r\nb"), "a  b");
        assert_eq!(sentence(&"é".repeat(2000)).len(), MOST_TEXT_BYTES);
        assert_eq!(code("IN_DOUBT".into()), "IN_DOUBT");
        assert_eq!(code("in doubt".into()), "PLUGIN_FAILURE");
        assert_eq!(code(String::new()), "PLUGIN_FAILURE");
    }
}

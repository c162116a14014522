//! The API's envelope of errors: what the server says when it does not do what it was asked.

use crate::error::Remedy;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Such as 404.
    pub status: u16,
    /// Stable name, such as `VALIDATION`; `None` where the answer is not in the envelope, as that of a proxy.
    pub code: Option<String>,
    /// One sentence.
    pub message: Option<String>,
    /// Under which the server's log has more.
    pub exception_id: Option<String>,
    /// Every fault of the request's body.
    pub faults: Vec<Fault>,
    /// How long to wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// What was asked.
    pub path: String,
}

/// Something that is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// Such as `tasks[1].componentUrl`; empty for the body itself.
    pub path: String,
    pub message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Envelope {
    code: Option<String>,
    message: Option<String>,
    exception_id: Option<String>,
    errors: Vec<Fault>,
}

impl Refusal {
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8], path: &str) -> Self {
        let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
        let seconds = headers.get(RETRY_AFTER).and_then(|value| {
            let text = value.to_str().ok()?;
            text.trim().parse().ok()
        });
        Self {
            status: status.as_u16(),
            code: envelope.code,
            message: envelope.message,
            exception_id: envelope.exception_id,
            faults: envelope.errors,
            retry_after: seconds.map(Duration::from_secs),
            path: path.to_owned(),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self.status {
            401 => Remedy::SignIn,
            403 => Remedy::AskForRights,
            404 => Remedy::LookElsewhere,
            409 => Remedy::ReadAnew,
            408 | 429 | 502 | 503 | 504 => Remedy::TryAgain {
                after: self.retry_after,
            },
            400..=499 => Remedy::MendRequest,
            _ => Remedy::Report,
        }
    }

    fn is_of_server(&self) -> bool {
        self.status >= 500
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        match &self.message {
            Some(message) => write!(f, "{message} ({status})")?,
            None => write!(f, "the server answered {status} to {}", self.path)?,
        }
        // The message of one fault names it.
        for fault in self.faults.iter().filter(|_| self.faults.len() > 1) {
            write!(f, "\n  {} {}", fault.path, fault.message)?;
        }
        if let Some(id) = self.exception_id.as_ref().filter(|_| self.is_of_server()) {
            write!(f, "; exceptionId {id}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        let status = StatusCode::from_u16(status).expect("a status");
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().expect("a header"));
        Refusal::of(status, &headers, body.as_bytes(), "/run")
    }

    #[test]
    fn an_answer_in_the_envelope_tells_all_that_it_holds() {
        let refusal = refusal(
            400,
            r#"{"status":"warning","error":"User error","code":"VALIDATION","message":"The request has 2 faults",
                "exceptionId":"e1","runId":null,"errors":[{"path":"name","message":"is required"},{"path":"tasks[0].phase","message":"must be a string"}]}"#,
        );
        assert_eq!(refusal.code.as_deref(), Some("VALIDATION"));
        assert_eq!(refusal.exception_id.as_deref(), Some("e1"));
        assert_eq!(refusal.remedy(), Remedy::MendRequest);
        assert_eq!(
            refusal.to_string(),
            "The request has 2 faults (400 Bad Request)\n  name is required\n  tasks[0].phase must be a string"
        );
    }

    #[test]
    fn an_answer_of_somebody_else_is_told_by_its_status() {
        let refusal = refusal(503, "<html>away</html>");
        assert_eq!(
            refusal.to_string(),
            "the server answered 503 Service Unavailable to /run"
        );
        let after = Some(Duration::from_secs(7));
        assert_eq!(refusal.remedy(), Remedy::TryAgain { after });
    }

    #[test]
    fn each_status_has_a_remedy() {
        for (status, remedy) in [
            (401, Remedy::SignIn),
            (403, Remedy::AskForRights),
            (404, Remedy::LookElsewhere),
            (409, Remedy::ReadAnew),
            (413, Remedy::MendRequest),
            (500, Remedy::Report),
        ] {
            assert_eq!(refusal(status, "").remedy(), remedy, "{status}");
        }
    }
}

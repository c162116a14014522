//! The delivery `email`: turns an event into one message and hands it to the host's mail server.
//!
//! What the message says is put together once, in [`notice`], and then written out twice: as plain text and as HTML.
//! The host adds what belongs to the letter rather than to its contents: sender, date, message id, thread.

mod html;
mod notice;
#[cfg(test)]
mod testing;
mod text;
mod words;

use orchestrator_sdk::delivery::{Delivery, Event, Failure, FailureKind};
use orchestrator_sdk::mail::{self, Message, SendError};

use notice::Notice;

struct Email;

impl Delivery for Email {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        let Some(to) = &event.email else {
            let message = "the notification has no email";
            return Err(Failure::new(FailureKind::Config, "NO_RECIPIENT", message));
        };
        let sent = mail::send(&compose(to, &event));
        sent.map(Some).map_err(failure)
    }
}

orchestrator_sdk::export_delivery!(Email);

fn compose(to: &str, event: &Event) -> Message {
    let notice = Notice::of(event);
    Message {
        to: to.to_owned(),
        subject: notice.subject.clone(),
        text: text::write(&notice),
        html: Some(html::write(&notice)),
    }
}

/// Only what the mail server may think better of is worth another attempt.
fn failure(error: SendError) -> Failure {
    let (kind, code, why) = match error {
        SendError::Transient(why) => (FailureKind::Transient, "MAIL_UNAVAILABLE", why),
        SendError::Refused(why) => (FailureKind::Remote, "MAIL_REFUSED", why),
        SendError::Denied(why) => (FailureKind::Config, "MAIL_DENIED", why),
        SendError::Invalid(why) => (FailureKind::Config, "MAIL_INVALID", why),
    };
    Failure::new(kind, code, format!("the mail was not sent: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_recipient_and_both_parts() {
        let message = compose("ops@example.com", &testing::event());

        assert_eq!(message.to, "ops@example.com");
        assert_eq!(message.subject, "[Orchestrator] Nightly <load>: job failed");
        assert!(
            message
                .text
                .contains("https://orchestrator.example/jobs/12")
        );
        assert!(
            message
                .html
                .is_some_and(|html| html.contains("https://orchestrator.example/jobs/12"))
        );
    }

    #[test]
    fn only_a_passing_fault_is_transient() {
        for (error, kind, code) in [
            (
                SendError::Transient("451 later".into()),
                FailureKind::Transient,
                "MAIL_UNAVAILABLE",
            ),
            (
                SendError::Refused("550 no such user".into()),
                FailureKind::Remote,
                "MAIL_REFUSED",
            ),
            (
                SendError::Denied("not granted".into()),
                FailureKind::Config,
                "MAIL_DENIED",
            ),
            (
                SendError::Invalid("no address".into()),
                FailureKind::Config,
                "MAIL_INVALID",
            ),
        ] {
            let failure = failure(error);
            assert_eq!((failure.kind, failure.code.as_str()), (kind, code));
        }
    }
}

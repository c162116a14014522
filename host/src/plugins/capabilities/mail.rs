//! `orchestrator:host/mail`: one message to the delivery's own recipient, for deliveries whose manifest asks for `mail`.

use crate::plugins::contract::v0_1::mail::{Host, Message, SendError};
use crate::plugins::mailer::{Letter, MailError};
use crate::plugins::state::{CallState, Caller};
use std::sync::Arc;

impl Host for CallState {
    async fn send(&mut self, message: Message) -> wasmtime::Result<Result<String, SendError>> {
        let Caller::Delivery {
            address,
            thread,
            mailer,
            mail_is_granted,
        } = &self.caller
        else {
            return Ok(Err(SendError::Denied(
                "only deliveries send mail".to_owned(),
            )));
        };
        if !mail_is_granted {
            return Ok(Err(SendError::Denied(
                "the plugin asks for mail, but its project does not grant it".to_owned(),
            )));
        }
        if message.to != *address {
            return Ok(Err(SendError::Denied(
                "the recipient is not the one of this delivery".to_owned(),
            )));
        }
        let mailer = Arc::clone(mailer);
        let letter = Letter {
            to: message.to,
            subject: message.subject,
            text: message.text,
            html: message.html,
            thread: thread.clone(),
        };
        Ok(mailer.send(letter).await.map_err(|error| match error {
            MailError::Invalid(why) => SendError::Invalid(why),
            MailError::Refused(why) => SendError::Refused(why),
            MailError::Transient(why) => SendError::Transient(why),
        }))
    }
}

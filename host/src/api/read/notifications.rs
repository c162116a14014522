//! Subscriptions and email addresses of a body.

use super::Fields;
use super::schemas::{optional, parameters};
use crate::domain::credential::{NAMING_KEY, is_credential_name};
use crate::domain::faults::Faults;
use crate::domain::notification::{Channel, DEFAULT_PLUGIN, MOST_NOTIFICATIONS, Notification};
use schemars::json_schema;
use serde_json::{Map, Value};
use url::Url;

/// Longest email address, in characters (RFC 5321).
const MOST_ADDRESS: usize = 254;
/// Longest id of a plugin, in characters.
const MOST_PLUGIN: usize = 64;
const MOST_CONFIG_BYTES: usize = 8 << 10;
/// Longest time to wait before a `waiting` mail, in minutes: a week.
const MOST_TIMEOUT_MINUTES: u64 = 7 * 24 * 60;
/// Largest tolerance of a `processing` mail, in percent: a hundredfold.
const MOST_TOLERANCE_PERCENT: u64 = 10_000;

/// One subscription of a body.
pub(in crate::api) struct NotificationBody;

body_schema!(
    NotificationBody,
    "NotificationInput",
    |generator| json_schema!({
        "type": "object",
        "description": "A subscription to events of an orchestration's jobs.",
        "properties": {
            "email": optional(email_schema()),
            "channel": {
                "type": "string", "enum": Channel::ALL.map(Channel::as_str),
                "description": "`waiting` and `processing` are told of jobs that wait or run for too long.",
            },
            "parameters": parameters(
                generator,
                "Of `waiting` the `timeout` in minutes, of `processing` the `tolerance` in percent.",
            ),
            "plugin": {
                "type": ["string", "null"], "maxLength": MOST_PLUGIN, "pattern": "^[a-z][a-z0-9-]*$",
                "description": "The plugin that delivers it; `email` where it is absent.",
            },
            "config": parameters(generator, "Where and how that plugin delivers."),
        },
        "required": ["channel"],
        "anyOf": [
            {"required": ["email"], "properties": {"email": {"type": "string"}}},
            {
                "required": ["plugin"],
                "properties": {"plugin": {"type": "string", "not": {"const": DEFAULT_PLUGIN}}},
            },
        ],
        "allOf": [
            channel_parameter("waiting", "timeout", 1, MOST_TIMEOUT_MINUTES),
            channel_parameter("processing", "tolerance", 0, MOST_TOLERANCE_PERCENT),
        ],
    })
);

/// An address that mail can be sent to.
pub(super) fn email_schema() -> Value {
    serde_json::json!({
        "type": "string", "format": "email", "maxLength": MOST_ADDRESS, "description": "An email address.",
    })
}

/// What one channel wants of its parameter.
fn channel_parameter(channel: &str, key: &str, least: u64, most: u64) -> Value {
    serde_json::json!({
        "if": {"properties": {"channel": {"const": channel}}},
        "then": {"properties": {"parameters": {"properties": {
            key: {"type": ["integer", "null"], "minimum": least, "maximum": most},
        }}}},
    })
}

/// Reads a list of subscriptions that stands at `path`.
pub(in crate::api) fn read_notifications(
    values: &[Value],
    path: &str,
    faults: &mut Faults,
) -> Vec<Notification> {
    if values.len() > MOST_NOTIFICATIONS {
        faults.add(
            path,
            format!("must not have more than {MOST_NOTIFICATIONS} notifications"),
        );
        return Vec::new();
    }
    let mut notifications = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let Some(object) = value.as_object() else {
            faults.add(path, "must be an object");
            continue;
        };
        notifications.extend(read_notification(object, &path, faults));
    }
    notifications
}

fn read_notification(
    object: &Map<String, Value>,
    path: &str,
    faults: &mut Faults,
) -> Option<Notification> {
    let mut fields = Fields::new(object, path, faults);
    let plugin = read_plugin(&mut fields);
    let is_mail = plugin.is_none_or(|plugin| plugin == DEFAULT_PLUGIN);
    if is_mail && fields.get("email").is_none() {
        fields.fault("email", "is required");
    }
    let email = fields.text("email", MOST_ADDRESS);
    if email.is_some_and(|email| !is_email(email)) {
        fields.fault("email", "must be an email address");
    }
    let config = read_config(&mut fields);
    let channel = read_channel(&mut fields);
    let mut parameters = fields.parameters("parameters");
    if let Some(channel) = channel {
        let path = fields.path_of("parameters");
        check_parameters(channel, &mut parameters, &path, faults);
    }
    Some(Notification {
        email: email.map(str::to_owned),
        channel: channel?,
        parameters,
        plugin: plugin.map(str::to_owned),
        config,
    })
}

fn read_plugin<'a>(fields: &mut Fields<'a, '_>) -> Option<&'a str> {
    let plugin = fields.text("plugin", MOST_PLUGIN)?;
    let is_id = plugin.starts_with(|c: char| c.is_ascii_lowercase())
        && plugin
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_id {
        fields.fault("plugin", "must be the id of a plugin, such as webhook");
    }
    Some(plugin)
}

/// What every delivery plugin has in common is checked here: an address has to be https, a credential's name a name.
fn read_config(fields: &mut Fields<'_, '_>) -> Option<Map<String, Value>> {
    fields.get("config")?;
    let config = fields.parameters("config");
    let fault_of_url = |url: &Value| match url.as_str().map(Url::parse) {
        Some(Ok(url)) => (url.scheme() != "https")
            .then_some("must be an https address: no other protocol is allowed"),
        _ => Some("must be an absolute https address"),
    };
    if let Some(why) = config.get("url").and_then(fault_of_url) {
        fields.fault("config.url", why);
    }
    let is_name = |name: &Value| name.as_str().is_some_and(is_credential_name);
    if config.get(NAMING_KEY).is_some_and(|name| !is_name(name)) {
        fields.fault(
            &format!("config.{NAMING_KEY}"),
            "must be the name of a credential: 1 to 64 of the characters A-Z a-z 0-9 . _ -",
        );
    }
    if Value::Object(config.clone()).to_string().len() > MOST_CONFIG_BYTES {
        fields.fault(
            "config",
            format!("must not have more than {MOST_CONFIG_BYTES} bytes"),
        );
    }
    Some(config)
}

fn read_channel(fields: &mut Fields<'_, '_>) -> Option<Channel> {
    let channel = fields
        .get("channel")
        .and_then(Value::as_str)
        .and_then(Channel::from_text);
    if channel.is_none() {
        let names = Channel::ALL.map(Channel::as_str).join(", ");
        fields.fault("channel", format!("must be one of {names}"));
    }
    channel
}

/// What a channel does not know is kept as sent. A whole number that was sent as a float is kept as an integer.
fn check_parameters(
    channel: Channel,
    parameters: &mut Map<String, Value>,
    path: &str,
    faults: &mut Faults,
) {
    let (key, range, unit) = match channel {
        Channel::Error | Channel::Success | Channel::Warning | Channel::Recovery => return,
        Channel::Waiting => ("timeout", 1..=MOST_TIMEOUT_MINUTES, "minutes"),
        Channel::Processing => ("tolerance", 0..=MOST_TOLERANCE_PERCENT, "percent"),
    };
    if let Some(number) = Fields::new(parameters, path, faults).integer(key, range, unit) {
        parameters.insert(key.to_owned(), number.into());
    }
}

/// Reads the subscriptions under the key `notifications`; `None` where it is absent or `null`.
pub(super) fn read_notifications_of(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> Option<Vec<Notification>> {
    let values = Fields::new(body, "", faults).array("notifications")?;
    Some(read_notifications(values, "notifications", faults))
}

/// Reads the addresses under the key `notificationsEmails`; `None` where none are given.
pub(super) fn read_emails_of(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    const KEY: &str = "notificationsEmails";
    let values = Fields::new(body, "", faults).array(KEY)?;
    if values.len() > MOST_NOTIFICATIONS {
        faults.add(
            KEY,
            format!("must not have more than {MOST_NOTIFICATIONS} addresses"),
        );
    }
    let mut emails = Vec::with_capacity(values.len().min(MOST_NOTIFICATIONS));
    for (at, value) in values.iter().enumerate().take(MOST_NOTIFICATIONS) {
        match value.as_str().filter(|email| is_email(email)) {
            Some(email) => emails.push(email.to_owned()),
            None => faults.add(format!("{KEY}[{at}]"), "must be an email address"),
        }
    }
    (!emails.is_empty()).then_some(emails)
}

/// Whether mail can be addressed to it: judged by the parser that sends it.
fn is_email(text: &str) -> bool {
    text.chars().count() <= MOST_ADDRESS
        && !text.contains(|c: char| c.is_control() || c.is_whitespace())
        && text.parse::<lettre::Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mail_cannot_go_to_are_refused() {
        for good in [
            "someone@somewhere.com",
            "a.b+c@d.example",
            "root@localhost",
            "jan@žluť.cz",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "someone",
            "@somewhere.com",
            "someone@",
            "a b@c.cz",
            "a@b@c.cz",
            "Someone <someone@somewhere.com>",
            "a@b.cz, c@d.cz",
            "a@b.cz\r\nBcc: c@d.cz",
            "a@-b-.cz",
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }
}

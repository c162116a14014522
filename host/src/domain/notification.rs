//! Subscriptions to events of an orchestration's jobs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What a subscription listens to. The API calls it `channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The job ended with status `error`.
    Error,
    /// The job waits for its start for longer than `timeout` minutes.
    Waiting,
    /// The job runs longer than its predecessors did on average, by more than `tolerance` percent.
    Processing,
    /// The job ended with status `success`.
    Success,
    /// The job ended with status `warning`.
    Warning,
    /// The job ended with status `success`, and one since the `success` before it with `error`.
    Recovery,
}

impl Channel {
    pub const ALL: [Self; 6] = [
        Self::Error,
        Self::Waiting,
        Self::Processing,
        Self::Success,
        Self::Warning,
        Self::Recovery,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Recovery => "recovery",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
    }
}

/// One subscription. Its JSON form is both the API's and the database's: what the blueprint does not have is there only
/// where it was set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Always set where `plugin` is [`DEFAULT_PLUGIN`] or not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub channel: Channel,
    pub parameters: Map<String, Value>,
    /// The delivery plugin; not set for [`DEFAULT_PLUGIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Where and how that plugin delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
}

/// The delivery plugin of subscriptions that name none.
pub const DEFAULT_PLUGIN: &str = "email";
/// Digits of a configuration's digest in a target.
const DIGEST_DIGITS: usize = 16;

/// Most subscriptions of one orchestration, and most addresses of one run.
pub const MOST_NOTIFICATIONS: usize = 100;
/// Used by a `waiting` subscription that gives no `timeout`, in minutes.
pub const DEFAULT_TIMEOUT_MINUTES: u64 = 10;
/// Used by a `processing` subscription that gives no `tolerance`, in percent.
pub const DEFAULT_TOLERANCE_PERCENT: u64 = 20;
/// With fewer finished jobs than this, an average says nothing and `processing` stays silent.
pub const FEWEST_SAMPLES: usize = 3;
/// How many finished jobs the average is taken over.
pub const MOST_SAMPLES: usize = 20;

/// Where a notification goes: by what plugin, to whom, how.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub plugin: String,
    /// Empty where there is none.
    pub email: String,
    /// JSON object.
    pub config: String,
}

impl Target {
    /// Mail to an address.
    #[must_use]
    pub fn of_email(email: &str) -> Self {
        Self {
            plugin: DEFAULT_PLUGIN.to_owned(),
            email: email.to_owned(),
            config: "{}".to_owned(),
        }
    }

    /// What distinguishes targets of one plugin: the address, and a digest of the configuration where there is one.
    #[must_use]
    pub fn address(&self) -> String {
        if self.config == "{}" {
            return self.email.clone();
        }
        let digest = Sha256::digest(self.config.as_bytes());
        let digits: String = hex::encode(digest).chars().take(DIGEST_DIGITS).collect();
        format!("{}#{digits}", self.email)
    }
}

impl Notification {
    /// Where it goes.
    #[must_use]
    pub fn target(&self) -> Target {
        let config = self.config.clone().unwrap_or_default();
        Target {
            plugin: self.plugin.clone().unwrap_or(DEFAULT_PLUGIN.to_owned()),
            email: self.email.clone().unwrap_or_default(),
            config: Value::Object(config).to_string(),
        }
    }

    /// For `waiting`: how long a job may wait.
    #[must_use]
    pub fn waiting_timeout(&self) -> Duration {
        Duration::from_secs(60 * self.number("timeout").unwrap_or(DEFAULT_TIMEOUT_MINUTES))
    }

    /// For `processing`: how long a job may run when its predecessors took `average`.
    #[must_use]
    pub fn processing_limit(&self, average: Duration) -> Duration {
        let percent = self
            .number("tolerance")
            .unwrap_or(DEFAULT_TOLERANCE_PERCENT);
        let micros = average
            .as_micros()
            .saturating_mul(u128::from(100 + percent))
            / 100;
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.parameters.get(key).and_then(Value::as_u64)
    }
}

/// The mean of the given run times, or `None` with fewer than [`FEWEST_SAMPLES`].
#[must_use]
pub fn average(samples: &[Duration]) -> Option<Duration> {
    let count = u32::try_from(samples.len()).ok()?;
    (samples.len() >= FEWEST_SAMPLES).then(|| samples.iter().sum::<Duration>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_a_percentage_on_top_of_the_average() {
        let subscription: Notification = serde_json::from_str(
            r#"{"email":"a@b.cz","channel":"processing","parameters":{"tolerance":20}}"#,
        )
        .expect("valid");
        assert_eq!(
            subscription.processing_limit(Duration::from_secs(10)),
            Duration::from_secs(12)
        );
    }

    #[test]
    fn two_samples_make_no_average() {
        let second = Duration::from_secs(1);
        assert_eq!(average(&[second, second]), None);
        assert_eq!(average(&[second, second, 4 * second]), Some(2 * second));
    }
}

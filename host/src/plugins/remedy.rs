//! How a limit is raised: told together with the limit, to whoever met it.
//!
//! What bounds a call is the least of what the server allows, the plugin's manifest asks for and its project's grant
//! says; the message names the one of these that it was. What the server sets for every plugin alike, without a setting,
//! is said to be so, that nobody looks for one.

use super::manifest::AskedLimits;
use super::settings::StepLimits;
use crate::domain::plugin::GrantedLimits;
use std::time::Duration;

/// A limit that a call can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Cpu,
    /// Of a task's step.
    Wall,
    DeliveryWall,
    CancelWall,
    Memory,
    Log,
    Response,
    HttpRequest,
    HttpResponse,
    HttpAtOnce,
}

/// Who else had a say in a call's limits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sayings {
    pub(super) asked: AskedLimits,
    pub(super) granted: GrantedLimits,
}

impl Sayings {
    /// A clause that says who set the limit, or how it is raised.
    pub(super) fn remedy(&self, limit: Limit, limits: &StepLimits) -> String {
        let Self { asked, granted } = self;
        let seconds = |value: Option<u32>| value.map(|value| Duration::from_secs(value.into()));
        let bytes = |value: Option<u32>, shift: u32| {
            usize::try_from(value?).ok()?.checked_mul(1_usize << shift)
        };
        let own = |is_own: bool, name: &'static str| is_own.then_some(name);
        let (granted, asked, setting) = match limit {
            Limit::Cpu => (
                own(
                    seconds(granted.cpu_seconds) == Some(limits.cpu),
                    "cpuSeconds",
                ),
                own(asked.cpu() == Some(limits.cpu), "cpu-seconds"),
                Some("step-cpu-seconds"),
            ),
            Limit::Wall | Limit::DeliveryWall | Limit::CancelWall => {
                let (wall, setting) = match limit {
                    Limit::DeliveryWall => (limits.delivery_wall, None),
                    Limit::CancelWall => (limits.cancel_wall, None),
                    _ => (limits.wall, Some("step-wall-seconds")),
                };
                (
                    own(seconds(granted.wall_seconds) == Some(wall), "wallSeconds"),
                    own(asked.wall() == Some(wall), "wall-seconds"),
                    setting,
                )
            }
            Limit::Memory => (
                own(
                    bytes(granted.memory_mebibytes, 20) == Some(limits.memory_bytes),
                    "memoryMebibytes",
                ),
                own(
                    asked.memory_bytes() == Some(limits.memory_bytes),
                    "memory-mebibytes",
                ),
                Some("step-memory-mib"),
            ),
            Limit::Log => {
                let is_own = bytes(granted.log_kibibytes, 10) == Some(limits.log_bytes);
                (own(is_own, "logKibibytes"), None, None)
            }
            Limit::Response => {
                let is_own = bytes(granted.response_kibibytes, 10) == Some(limits.response_bytes);
                (own(is_own, "responseKibibytes"), None, None)
            }
            Limit::HttpRequest => {
                let own_bytes = bytes(granted.http_request_kibibytes, 10);
                let is_own = own_bytes == Some(limits.http_request_bytes);
                (own(is_own, "httpRequestKibibytes"), None, None)
            }
            Limit::HttpResponse => {
                let own_bytes = bytes(granted.http_response_kibibytes, 10);
                let is_own = own_bytes == Some(limits.http_response_bytes);
                (own(is_own, "httpResponseKibibytes"), None, None)
            }
            Limit::HttpAtOnce => {
                let own_number = bytes(granted.http_requests_at_once, 0);
                let is_own = own_number == Some(limits.http_requests_at_once);
                (own(is_own, "httpRequestsAtOnce"), None, None)
            }
        };
        match (granted, asked, setting) {
            (Some(name), _, _) => format!("the project's grant sets it: limits.{name}"),
            (None, Some(name), _) => format!("the plugin's manifest sets it: {name} in [limits]"),
            (None, None, Some(name)) => format!("the server's setting {name} raises it"),
            (None, None, None) => FIXED.to_owned(),
        }
    }
}

/// The clause for a limit without a setting.
pub(super) const FIXED: &str = "it is the same for all plugins and has no setting";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_set_the_limit_is_named_and_of_several_the_grant() {
        let limits = StepLimits {
            cpu: Duration::from_secs(2),
            memory_bytes: 3 << 20,
            ..StepLimits::default()
        };
        let sayings = |asked: &str, granted: &str| Sayings {
            asked: serde_json::from_str(asked).expect("limits"),
            granted: serde_json::from_str(granted).expect("limits"),
        };
        let nobody = sayings("{}", "{}");
        let manifest = sayings(r#"{"cpu-seconds": 2, "memory-mebibytes": 9}"#, "{}");
        let both = sayings(
            r#"{"cpu-seconds": 2}"#,
            r#"{"cpuSeconds": 2, "memoryMebibytes": 3}"#,
        );

        for (sayings, limit, remedy) in [
            (
                nobody,
                Limit::Cpu,
                "the server's setting step-cpu-seconds raises it",
            ),
            (nobody, Limit::DeliveryWall, FIXED),
            (nobody, Limit::Log, FIXED),
            (
                manifest,
                Limit::Cpu,
                "the plugin's manifest sets it: cpu-seconds in [limits]",
            ),
            (
                manifest,
                Limit::Memory,
                "the server's setting step-memory-mib raises it",
            ),
            (
                both,
                Limit::Cpu,
                "the project's grant sets it: limits.cpuSeconds",
            ),
            (
                both,
                Limit::Memory,
                "the project's grant sets it: limits.memoryMebibytes",
            ),
            (both, Limit::HttpAtOnce, FIXED),
        ] {
            assert_eq!(sayings.remedy(limit, &limits), remedy, "{limit:?}");
        }
    }
}

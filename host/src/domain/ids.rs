//! Row ids as distinct types, so that a job's id cannot be passed where an orchestration's belongs.
//!
//! Ids are positive integers per table, as in the API.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Reads a decimal id from a path or a numeric string; `None` where it is not a positive integer.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                let digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
                let value = digits.then(|| text.parse::<i64>().ok())??;
                (value > 0).then_some(Self(value))
            }
        }

        /// A whole number in documents, without a name of its own.
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "integer", "format": "int64", "minimum": 1})
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A tenant. Every other row belongs to exactly one.
    ProjectId,
    /// A Storage API token.
    TokenId,
    /// An orchestration.
    OrchestrationId,
    /// One immutable version of an orchestration's tasks and notifications.
    RevisionId,
    /// One execution of an orchestration.
    JobId,
    /// One execution of a task within a job; the second number of a task's run id.
    TaskRunId,
    /// One notification to one address.
    DeliveryId,
    /// One life of a server process.
    HostId,
    /// A plugin that was uploaded or shared, all its versions together.
    PluginId,
    /// One version of such a plugin.
    PluginVersionId,
}

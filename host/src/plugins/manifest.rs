//! A plugin's manifest: what it is and what it asks for.
//!
//! It travels as JSON in a custom section of the component, so that it can be read and judged before any of the
//! component's code is compiled. Keys that this version does not know are refused: a typing error must not silently
//! become a lack of rights.

mod error;
mod limits;
mod names;

use super::hosts::HostPattern;
use super::schema::Schema;
use super::section::custom_section;
use crate::domain::credential::is_credential_name;
use crate::domain::faults::Faults;
use crate::domain::plugin::Capability;
use crate::domain::step::Restart;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use error::ManifestError;
pub use limits::AskedLimits;
pub use names::is_plugin_id;
use names::is_version;

/// The name of the custom section.
pub const MANIFEST_SECTION: &str = "orchestrator:manifest";
/// The line of the contract that this server speaks.
pub const CONTRACT: &str = "0.1";
/// In `credentials`: whichever the task's parameters, or the notification's `config`, name under the key `credential`.
pub const NAMED: &str = "named";
const MOST_BYTES: usize = 64 << 10;
const MOST_HOSTS: usize = 100;
const MOST_CREDENTIALS: usize = 20;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Task,
    Delivery,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Delivery => "delivery",
        }
    }
}

/// A valid manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub id: String,
    pub version: String,
    pub kind: Kind,
    pub description: String,
    pub capabilities: Vec<Capability>,
    pub(crate) hosts: Vec<HostPattern>,
    /// The project's credentials that the plugin uses, by name; [`NAMED`] is the one that the task or the notification names.
    pub credentials: Vec<String>,
    /// For deliveries, whose attempts are always repeated, `idempotent`.
    pub restart: Restart,
    /// Less than the server's limits, where the plugin is content with less.
    pub limits: AskedLimits,
    /// What the plugin's configuration in a project must fit.
    pub(super) config_schema: Schema,
    /// What a task's `actionParameters` must fit, where the plugin says.
    pub(super) parameters_schema: Schema,
    /// The manifest as the component carries it.
    json: String,
}

/// Read on its own first: a manifest of another line may have keys that this one does not know.
#[derive(Deserialize)]
struct Line {
    contract: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    id: String,
    version: String,
    kind: String,
    #[serde(rename = "contract")]
    _contract: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    credentials: Vec<String>,
    restart: Option<String>,
    #[serde(default)]
    limits: AskedLimits,
    #[serde(default = "no_schema")]
    config_schema: Value,
    #[serde(default = "no_schema")]
    parameters_schema: Value,
}

/// One of a few words; an error names the key and the words.
fn word<T: DeserializeOwned>(key: &'static str, text: String) -> Result<T, ManifestError> {
    serde_json::from_value(Value::String(text)).map_err(|error| ManifestError::Value {
        key,
        why: error.to_string(),
    })
}

fn no_schema() -> Value {
    serde_json::json!({})
}

impl Manifest {
    /// Reads the manifest of a component, of which nothing else is looked at.
    ///
    /// # Errors
    /// There is none, or it is not valid.
    pub fn of_component(component: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Self::parse(custom_section(component, MANIFEST_SECTION)?)?;
        manifest.check_schemas()?;
        Ok(manifest)
    }

    fn check_schemas(&self) -> Result<(), ManifestError> {
        for (key, schema) in [
            ("config-schema", &self.config_schema),
            ("parameters-schema", &self.parameters_schema),
        ] {
            let checked = schema.check_itself();
            checked.map_err(|why| ManifestError::Value { key, why })?;
        }
        Ok(())
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() > MOST_BYTES {
            return Err(ManifestError::TooLarge(json.len()));
        }
        let Line { contract } = serde_json::from_slice(json)?;
        if contract != CONTRACT {
            return Err(ManifestError::OtherContract(contract));
        }
        let raw: Raw = serde_json::from_slice(json)?;
        let kind = word("kind", raw.kind)?;
        let restart = raw.restart.map(|text| word("restart", text)).transpose()?;
        let capabilities = raw.capabilities.into_iter();
        let capabilities: Vec<Capability> = capabilities
            .map(|text| word("capabilities", text))
            .collect::<Result<_, _>>()?;
        let wrong = |key, why: &str| {
            Err(ManifestError::Value {
                key,
                why: why.to_owned(),
            })
        };
        if !is_plugin_id(&raw.id) {
            return wrong(
                "id",
                "lower-case letters, digits and hyphens, at most 64, a letter first",
            );
        }
        if !is_version(&raw.version) {
            return wrong("version", "three numbers with dots between, such as 1.0.2");
        }
        if capabilities.contains(&Capability::Mail) && kind != Kind::Delivery {
            return wrong("capabilities", "mail is for plugins of the kind delivery");
        }
        if capabilities.contains(&Capability::Http) == raw.hosts.is_empty() {
            return wrong(
                "hosts",
                "named where the capability http is asked for, and only there",
            );
        }
        if raw.hosts.len() > MOST_HOSTS {
            return wrong("hosts", "at most 100");
        }
        if raw.credentials.len() > MOST_CREDENTIALS
            || !raw.credentials.iter().all(|name| is_credential_name(name))
        {
            return wrong(
                "credentials",
                "at most 20 names of credentials, or \"named\"",
            );
        }
        if kind == Kind::Delivery && raw.parameters_schema != no_schema() {
            return wrong("parameters-schema", "for plugins of the kind task only");
        }
        let restart = match (kind, restart) {
            (Kind::Task, Some(restart)) => restart,
            (Kind::Task, None) => {
                return wrong(
                    "restart",
                    "idempotent, lookup or never, for plugins of the kind task",
                );
            }
            (Kind::Delivery, None) => Restart::Idempotent,
            (Kind::Delivery, Some(_)) => {
                return wrong("restart", "for plugins of the kind task only");
            }
        };
        let hosts = raw.hosts.iter().map(|text| HostPattern::parse(text));
        let hosts = hosts
            .collect::<Result<_, _>>()
            .map_err(|why| ManifestError::Value { key: "hosts", why })?;
        Ok(Self {
            id: raw.id,
            version: raw.version,
            kind,
            description: raw.description,
            capabilities,
            hosts,
            credentials: raw.credentials,
            restart,
            limits: raw.limits,
            config_schema: Schema::of(raw.config_schema),
            parameters_schema: Schema::of(raw.parameters_schema),
            json: String::from_utf8_lossy(json).into_owned(),
        })
    }

    /// The names of the credentials that a call may use, where the task or the notification names this one, of those entries
    /// that are granted.
    pub(super) fn credentials_wanted(
        &self,
        named: Option<&str>,
        is_granted: impl Fn(&String) -> bool,
    ) -> Vec<String> {
        let wanted = self.credentials.iter().filter(|asked| is_granted(asked));
        let wanted = wanted.filter_map(|name| if name == NAMED { named } else { Some(name) });
        wanted.map(str::to_owned).collect()
    }

    /// Reads a manifest that [`Self::json`] gave.
    ///
    /// # Errors
    /// It was written by a version that knows other keys.
    pub fn of_json(json: &str) -> Result<Self, ManifestError> {
        Self::parse(json.as_bytes())
    }

    /// The manifest as the component carries it.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    pub(super) fn asks_for(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The addresses that it asks for, as texts.
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(ToString::to_string)
    }

    /// What is wrong with a configuration of the plugin that stands at `path`.
    pub fn check_config(&self, config: &Map<String, Value>, path: &str, faults: &mut Faults) {
        self.config_schema.check(config, path, faults);
    }

    /// What is wrong with parameters of a task of the plugin that stand at `path`.
    pub fn check_parameters(&self, given: &Map<String, Value>, path: &str, faults: &mut Faults) {
        self.parameters_schema.check(given, path, faults);
    }
}

#[cfg(test)]
mod tests;

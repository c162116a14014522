//! What a body grants a plugin, and what it says of a component.

use super::Fields;
use super::fields::whole_number;
use super::schemas::{https_address, optional, optional_text, parameters};
use super::tasks::{fault_of_address, fault_of_component};
use crate::domain::credential::is_credential_name;
use crate::domain::faults::Faults;
use crate::domain::plugin::{Capability, Grant, GrantedLimits, MOST_CONFIG_BYTES};
use schemars::json_schema;
use serde_json::{Map, Value, json};
use url::Url;

const MOST_HOSTS: usize = 100;
/// As in a manifest.
const MOST_GRANTED_CREDENTIALS: usize = 20;
const MOST_HOST_CHARACTERS: usize = 300;
const MOST_VERSION_CHARACTERS: usize = 100;
const MOST_NAME_CHARACTERS: usize = 255;
const MOST_ADDRESS_CHARACTERS: usize = 2_048;
/// The plugin that calls components over HTTP.
const HTTP_COMPONENT: &str = "http-component";

/// The limits of a grant, each with its unit and the most that it may be.
const LIMITS: [(&str, &str, u64); 8] = [
    ("cpuSeconds", "seconds", 3_600),
    ("wallSeconds", "seconds", 86_400),
    ("memoryMebibytes", "MiB", 1_024),
    ("logKibibytes", "KiB", 1_048_576),
    ("responseKibibytes", "KiB", 1_048_576),
    ("httpRequestKibibytes", "KiB", 1_048_576),
    ("httpResponseKibibytes", "KiB", 1_048_576),
    ("httpRequestsAtOnce", "requests", 1_000),
];

/// What a plugin is granted.
pub(in crate::api) struct GrantBody;

body_schema!(GrantBody, "GrantInput", |_generator| {
    let limit = |(key, unit, most): (&str, &str, u64)| {
        let schema = json!({"type": ["integer", "null"], "minimum": 1, "maximum": most, "description": unit});
        (key.to_owned(), schema)
    };
    let limits: Map<String, Value> = LIMITS.into_iter().map(limit).collect();
    json_schema!({
        "type": "object",
        "description": "What a plugin may do. What is absent is not allowed.",
        "properties": {
            "version": optional_text(
                MOST_VERSION_CHARACTERS,
                "The version that was looked at: the grant is refused where there is a newer one.",
            ),
            "capabilities": {"type": ["array", "null"], "items": {"enum": ["http", "mail"]}},
            "hosts": {
                "type": ["array", "null"], "maxItems": MOST_HOSTS,
                "items": {"type": "string", "maxLength": MOST_HOST_CHARACTERS, "format": "host-pattern"},
                "description": "Patterns as in a manifest, such as `https://*.example.com`; of use with the capability `http` only.",
            },
            "credentials": {
                "type": ["array", "null"], "maxItems": MOST_GRANTED_CREDENTIALS,
                "items": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
                "description": "Names of credentials, or `named`: those that its configuration names.",
            },
            "limits": {
                "anyOf": [
                    {"type": "object", "properties": limits},
                    {"type": "array", "maxItems": 0},
                    {"type": "null"},
                ],
                "description": "Limits of one call, below those of the server and of the manifest.",
            },
        },
        "if": {"required": ["hosts"], "properties": {"hosts": {"type": "array", "minItems": 1}}},
        "then": {
            "required": ["capabilities"],
            "properties": {"capabilities": {"type": "array", "contains": {"const": "http"}}},
        },
    })
});

body_schema!(ComponentWish, "ComponentInput", |generator| json_schema!({
    "type": "object",
    "description": "What tasks mean by a component's name: a plugin that runs them, or an address.",
    "properties": {
        "plugin": optional_text(MOST_NAME_CHARACTERS, "The id of a plugin of the kind `task`; `http-component` where it is null."),
        "config": parameters(generator, "What that plugin is told."),
        "url": optional(https_address(
            MOST_ADDRESS_CHARACTERS,
            "Where the component lives, without a query; of use with the plugin `http-component` only.",
        )),
    },
    "anyOf": [{"required": ["plugin"]}, {"required": ["url"]}],
}));

/// What absent keys would allow is not allowed. The second value is the version that was looked at.
pub(in crate::api) fn read_grant(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> (Grant, Option<String>) {
    let mut fields = Fields::new(body, "", faults);
    let version = fields.text("version", MOST_VERSION_CHARACTERS);
    let version = version.map(str::to_owned);
    let grant = Grant {
        capabilities: read_capabilities(&mut fields),
        hosts: read_hosts(&mut fields),
        credentials: read_credentials(&mut fields),
        limits: read_limits(&mut fields),
    };
    if !grant.hosts.is_empty() && !grant.capabilities.contains(&Capability::Http) {
        fields.fault("hosts", "are of use only with the capability http");
    }
    (grant, version)
}

fn read_capabilities(fields: &mut Fields<'_, '_>) -> Vec<Capability> {
    const KEY: &str = "capabilities";
    let mut capabilities = Vec::new();
    for (at, value) in fields.array(KEY).unwrap_or_default().iter().enumerate() {
        let capability = match value.as_str() {
            Some("http") => Capability::Http,
            Some("mail") => Capability::Mail,
            _ => {
                fields.fault(&format!("{KEY}[{at}]"), "must be http or mail");
                continue;
            }
        };
        if !capabilities.contains(&capability) {
            capabilities.push(capability);
        }
    }
    capabilities
}

fn read_hosts(fields: &mut Fields<'_, '_>) -> Vec<String> {
    const KEY: &str = "hosts";
    let values = fields.array(KEY).unwrap_or_default();
    if values.len() > MOST_HOSTS {
        fields.fault(KEY, format!("must not have more than {MOST_HOSTS} hosts"));
        return Vec::new();
    }
    let mut hosts = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        match value.as_str() {
            Some(host) if host.chars().count() <= MOST_HOST_CHARACTERS => {
                hosts.push(host.to_owned());
            }
            _ => fields.fault(
                &format!("{KEY}[{at}]"),
                format!("must be a string of at most {MOST_HOST_CHARACTERS} characters"),
            ),
        }
    }
    hosts
}

fn read_credentials(fields: &mut Fields<'_, '_>) -> Vec<String> {
    const KEY: &str = "credentials";
    let values = fields.array(KEY).unwrap_or_default();
    if values.len() > MOST_GRANTED_CREDENTIALS {
        let most = MOST_GRANTED_CREDENTIALS;
        fields.fault(KEY, format!("must not have more than {most} names"));
        return Vec::new();
    }
    let mut names = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        match value.as_str().filter(|name| is_credential_name(name)) {
            Some(name) => names.push(name.to_owned()),
            None => fields.fault(
                &format!("{KEY}[{at}]"),
                "must be the name of a credential, or \"named\"",
            ),
        }
    }
    names
}

fn read_limits(fields: &mut Fields<'_, '_>) -> GrantedLimits {
    const KEY: &str = "limits";
    let given = fields.parameters(KEY);
    let mut limit = |key: &str| {
        let (_, unit, most) = LIMITS.into_iter().find(|(name, ..)| *name == key)?;
        let value = given.get(key).filter(|value| !value.is_null())?;
        let number = whole_number(value).filter(|number| (1..=most).contains(number));
        if number.is_none() {
            fields.fault(
                &format!("{KEY}.{key}"),
                format!("must be an integer from 1 to {most} ({unit})"),
            );
        }
        u32::try_from(number?).ok()
    };
    GrantedLimits {
        cpu_seconds: limit("cpuSeconds"),
        wall_seconds: limit("wallSeconds"),
        memory_mebibytes: limit("memoryMebibytes"),
        log_kibibytes: limit("logKibibytes"),
        response_kibibytes: limit("responseKibibytes"),
        http_request_kibibytes: limit("httpRequestKibibytes"),
        http_response_kibibytes: limit("httpResponseKibibytes"),
        http_requests_at_once: limit("httpRequestsAtOnce"),
    }
}

/// What a body says of a component.
#[derive(Clone, Debug)]
pub(in crate::api) struct ComponentWish {
    pub(in crate::api) plugin: String,
    pub(in crate::api) config: Map<String, Value>,
    pub(in crate::api) url: Option<String>,
}

pub(in crate::api) fn read_component_wish(
    name: &str,
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> ComponentWish {
    let is_name = (1..=MOST_NAME_CHARACTERS).contains(&name.chars().count())
        && !name.trim().is_empty()
        && !name.chars().any(char::is_control);
    if !is_name {
        faults.add("name", "must be a component's name of 1 to 255 characters");
    } else if let Some(reason) = fault_of_component(name) {
        faults.add("name", reason);
    }
    let mut fields = Fields::new(body, "", faults);
    let plugin = fields.text("plugin", MOST_NAME_CHARACTERS);
    let url = fields.text("url", MOST_ADDRESS_CHARACTERS);
    if !fields.has("plugin") && !fields.has("url") {
        fields.fault("plugin", "plugin or url must be set");
    }
    let plugin = plugin.unwrap_or(HTTP_COMPONENT).to_owned();
    if let Some(url) = url {
        if plugin != HTTP_COMPONENT {
            fields.fault(
                "url",
                format!("is of use with the plugin {HTTP_COMPONENT} only"),
            );
        } else if let Some(reason) = fault_of_base(url) {
            fields.fault("url", reason);
        }
    }
    let config = fields.parameters("config");
    if Value::Object(config.clone()).to_string().len() > MOST_CONFIG_BYTES {
        fields.fault(
            "config",
            format!("must not have more than {MOST_CONFIG_BYTES} bytes"),
        );
    }
    ComponentWish {
        plugin,
        config,
        url: url.map(|url| url.trim_end_matches('/').to_owned()),
    }
}

/// Others are appended to it.
fn fault_of_base(address: &str) -> Option<String> {
    if let Some(reason) = fault_of_address(address) {
        return Some(reason);
    }
    let url = Url::parse(address).ok()?;
    (url.query().is_some() || url.fragment().is_some())
        .then(|| "must have no query and no fragment".to_owned())
}

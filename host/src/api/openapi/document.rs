//! Puts the document together from the operations, and makes it plain for those that generate code from it.

use super::failures::{ALL, Failure};
use super::operation::{Access, Answer, Content, JSON, Operation};
use super::routes;
use crate::api::error::Envelope;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

const ABOUT: &str = include_str!("about.md");
/// Bodies by the names that operations give them.
const EXAMPLES: &str = include_str!("examples.json");

/// The document of the server with this address.
pub(super) fn describe(base: &str) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut writer = Writer {
        generator: settings.into_generator(),
        // That it can be read is tested: no operation lacks its example.
        examples: serde_json::from_str(EXAMPLES).unwrap_or_default(),
        responses: Map::new(),
    };
    let mut paths = Map::new();
    for operation in routes::all() {
        let written = writer.operation(&operation);
        let path = paths
            .entry(operation.path_template())
            .or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_ascii_lowercase(), written);
        }
    }
    let examples = ALL
        .iter()
        .map(|failure| {
            let example = json!({"summary": failure.what, "value": failure.example()});
            (failure.example_name(), example)
        })
        .collect::<Map<_, _>>();
    let mut document = json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Orchestrator API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Runs ordered tasks on a schedule.",
            "description": ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "tags": routes::TAGS.map(|(name, description)| json!({"name": name, "description": description})),
        "paths": paths,
        "components": {
            "schemas": writer.generator.take_definitions(true),
            "responses": writer.responses,
            "examples": examples,
            "securitySchemes": {
                "StorageApiToken": {
                    "type": "apiKey", "in": "header", "name": "X-StorageApi-Token",
                    "description": "A token of a project.",
                },
                "Session": {
                    "type": "apiKey", "in": "cookie", "name": "orchestrator-session",
                    "description": "The session of a browser that has signed in; for pages of this server only.",
                },
                "OperatorToken": {
                    "type": "apiKey", "in": "header", "name": "X-Operator-Token",
                    "description": "The token of whoever runs the server.",
                },
            },
        },
    });
    make_plain(&mut document);
    let taken = names_taken(&document);
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        let given = schemas
            .iter_mut()
            .filter(|(name, _)| !taken.contains(*name));
        given.for_each(|(_, schema)| absent_is_not_null(schema));
    }
    document
}

/// The names of the schemas that bodies of requests are made of.
fn names_taken(document: &Value) -> HashSet<String> {
    let mut names = HashSet::new();
    let paths = document.get("paths").and_then(Value::as_object);
    let items = paths
        .into_iter()
        .flat_map(Map::values)
        .filter_map(Value::as_object);
    let bodies = items
        .flat_map(Map::values)
        .filter_map(|one| one.get("requestBody"));
    let mut open: Vec<&Value> = bodies.collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(object) => open.extend(object.values()),
            Value::String(text) => {
                if let Some(name) = text.strip_prefix("#/components/schemas/")
                    && names.insert(name.to_owned())
                {
                    open.extend(document.pointer(text.trim_start_matches('#')));
                }
            }
            _ => {}
        }
    }
    names
}

/// What an answer may leave out it leaves out, rather than to say `null`.
fn absent_is_not_null(schema: &mut Value) {
    let required = schema.get("required").and_then(Value::as_array).cloned();
    let required = required.unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for (name, property) in properties.iter_mut() {
        if required.iter().any(|one| one == name) {
            continue;
        }
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|one| one != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                if let Some(kind) = property.get_mut("type") {
                    *kind = one;
                }
            }
        }
        if let Some(Value::Array(choice)) = property.get_mut("anyOf") {
            choice.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
            if let [Value::Object(one)] = choice.as_mut_slice() {
                let mut one = std::mem::take(one);
                if let Some(described) = property.get("description") {
                    one.insert("description".to_owned(), described.clone());
                }
                *property = one.into();
            }
        }
    }
}

struct Writer {
    generator: SchemaGenerator,
    examples: Map<String, Value>,
    /// Answers to errors that several operations share.
    responses: Map<String, Value>,
}

impl Writer {
    fn operation(&mut self, operation: &Operation) -> Value {
        let mut responses = Map::new();
        for answer in &operation.answers {
            let written = self.answer(answer);
            responses.insert(answer.status.to_string(), written);
        }
        let mut by_status: BTreeMap<u16, Vec<Failure>> = BTreeMap::new();
        for failure in operation.all_failures() {
            by_status.entry(failure.status).or_default().push(failure);
        }
        for (status, failures) in by_status {
            let written = self.failure(status, &failures);
            match responses.get_mut(&status.to_string()) {
                // A health check that fails has a body of its own.
                Some(answer) => add_choice(
                    answer,
                    &self.generator.subschema_for::<Envelope<'_>>().to_value(),
                ),
                None => {
                    responses.insert(status.to_string(), written);
                }
            }
        }
        let mut written = json!({
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "security": match operation.access {
                Access::Token => json!([{"StorageApiToken": []}, {"Session": []}]),
                Access::Operator => json!([{"OperatorToken": []}]),
                Access::Page | Access::Anybody => json!([]),
            },
            "responses": responses,
        });
        if let Some(object) = written.as_object_mut() {
            if !operation.description.is_empty() {
                object.insert("description".to_owned(), operation.description.into());
            }
            if operation.is_deprecated {
                object.insert("deprecated".to_owned(), true.into());
            }
            if !operation.parameters.is_empty() {
                object.insert("parameters".to_owned(), operation.parameters.clone().into());
            }
            if !operation.body.is_empty() {
                let body = json!({
                    "required": operation.needs_body,
                    "content": self.contents(&operation.body),
                });
                object.insert("requestBody".to_owned(), body);
            }
        }
        written
    }

    fn answer(&mut self, answer: &Answer) -> Value {
        let mut written = json!({"description": answer.what});
        if let Some(object) = written.as_object_mut() {
            if !answer.headers.is_empty() {
                let headers = answer.headers.iter();
                let headers = headers.map(|(name, header)| ((*name).to_owned(), header.clone()));
                object.insert("headers".to_owned(), headers.collect::<Map<_, _>>().into());
            }
            if !answer.contents.is_empty() {
                object.insert("content".to_owned(), self.contents(&answer.contents));
            }
        }
        written
    }

    fn contents(&mut self, contents: &[Content]) -> Value {
        let mut written = Map::new();
        for content in contents {
            let mut one = json!({"schema": (content.schema)(&mut self.generator)});
            let example = self.examples.get(content.example);
            if let (Some(one), Some(example)) = (one.as_object_mut(), example) {
                one.insert("example".to_owned(), example.clone());
            }
            written.insert(content.media_type.to_owned(), one);
        }
        written.into()
    }

    /// A reference to the answer to these errors of one status.
    fn failure(&mut self, status: u16, failures: &[Failure]) -> Value {
        let codes: Vec<_> = failures.iter().map(|failure| failure.code).collect();
        let name = format!("{status}.{}", codes.join("."));
        let texts = failures.iter();
        let texts = texts.map(|failure| format!("`{}`: {}", failure.code, failure.what));
        let examples = failures.iter().map(|failure| {
            let place = format!("#/components/examples/{}", failure.example_name());
            (failure.code.to_owned(), json!({"$ref": place}))
        });
        let mut response = json!({
            "description": texts.collect::<Vec<_>>().join("\n\n"),
            "content": {JSON: {
                "schema": self.generator.subschema_for::<Envelope<'_>>(),
                "examples": examples.collect::<Map<_, _>>(),
            }},
            // The codes that stand under this status.
            "x-codes": codes,
        });
        if let (429 | 503, Some(response)) = (status, response.as_object_mut()) {
            let header = json!({"Retry-After": {
                "description": "Seconds after which to come again.",
                "schema": {"type": "integer", "minimum": 1},
            }});
            response.insert("headers".to_owned(), header);
        }
        self.responses.entry(name.clone()).or_insert(response);
        json!({"$ref": format!("#/components/responses/{name}")})
    }
}

/// One more schema that the JSON of an answer may fit.
fn add_choice(answer: &mut Value, schema: &Value) {
    if let Some(first) = answer.pointer_mut("/content/application~1json/schema") {
        *first = json!({"anyOf": [first.clone(), schema]});
    }
}

/// A choice of constants becomes an enumeration, and what is told of each goes into its description: many that generate
/// code know enumerations only. Links of the source are no links here.
fn make_plain(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        Value::Object(object) => {
            let constants = object.get("oneOf").and_then(constants_of);
            if let Some((names, told)) = constants {
                object.remove("oneOf");
                object.insert("type".to_owned(), "string".into());
                object.insert("enum".to_owned(), names.into());
                let before = object.get("description").and_then(Value::as_str);
                let text = format!("{}\n\n{told}", before.unwrap_or_default());
                object.insert("description".to_owned(), text.trim().into());
            }
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                // Not all that generate code know `true` as a schema.
                let free = properties.values_mut().filter(|one| **one == true);
                free.for_each(|one| *one = json!({}));
            }
            object.values_mut().for_each(make_plain);
        }
        _ => {}
    }
}

/// The constants of a choice that consists of nothing else, and a list of what is told of them.
fn constants_of(choice: &Value) -> Option<(Vec<Value>, String)> {
    let mut names = Vec::new();
    let mut told = String::new();
    for one in choice.as_array()? {
        let description = one.get("description").and_then(Value::as_str);
        let many = one.get("enum").and_then(Value::as_array).cloned();
        let found = one.get("const").map(|name| vec![name.clone()]).or(many)?;
        if !found.iter().all(Value::is_string) || one.get("properties").is_some() {
            return None;
        }
        for name in found {
            if let (Some(name), Some(description)) = (name.as_str(), description) {
                told.push_str(&format!("- `{name}`: {}\n", description.replace('\n', " ")));
            }
            names.push(name);
        }
    }
    Some((names, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_body_of_an_operation_has_an_example() {
        let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).expect("JSON");
        for operation in routes::all() {
            let answers = operation.answers.iter().flat_map(|answer| &answer.contents);
            for content in operation.body.iter().chain(answers) {
                let is_named = examples.contains_key(content.example);
                let is_text = content.media_type != JSON && content.example.is_empty();
                assert!(
                    is_named || is_text,
                    "{} {}",
                    operation.id,
                    content.media_type
                );
            }
        }
    }

    #[test]
    fn no_two_operations_share_an_id_or_a_method_and_path() {
        let all = routes::all();
        for (at, one) in all.iter().enumerate() {
            for other in all.iter().skip(at + 1) {
                assert_ne!(one.id, other.id);
                let is_same = one.method == other.method && one.path == other.path;
                assert!(!is_same, "{} {}", one.method, one.path);
            }
            assert!(
                routes::TAGS.iter().any(|(name, _)| *name == one.tag),
                "{}",
                one.tag
            );
        }
    }
}

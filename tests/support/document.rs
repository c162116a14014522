//! The API's document, which every answer to a test is held to, and every body that was accepted.
//!
//! Answers are checked more strictly than the document asks: what an object of an answer has, the document has to name.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Request};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A request, as far as the document speaks of it.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn of(request: &Request) -> Self {
        let content_type = request.headers().get(CONTENT_TYPE);
        Self {
            method: request.method().clone(),
            path: request.url().path().to_owned(),
            content_type: content_type
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into()),
            body: request
                .body()
                .and_then(|body| body.as_bytes())
                .unwrap_or_default()
                .to_vec(),
        }
    }
}

/// The document, and its schemas by the places where they stand in it.
pub struct Document {
    pub json: Value,
    /// As the document has them.
    open: Compiled,
    /// Without any key that the document does not name.
    closed: Compiled,
    /// The same, and without any key that has to be there.
    partial: Compiled,
}

struct Compiled {
    schemas: Schemas,
    places: HashMap<String, SchemaIndex>,
}

const ADDRESS: &str = "https://orchestrator.invalid/openapi.json";

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let json = orchestrator::api::describe("https://orchestrator.invalid");
    let mut places = Vec::new();
    find_schemas(&json, "", &mut places);
    let mut closed = json.clone();
    close(&mut closed);
    let mut partial = closed.clone();
    loosen(&mut partial);
    Document {
        partial: compile(&partial, &places),
        open: compile(&json, &places),
        closed: compile(&closed, &places),
        json,
    }
});

impl Document {
    pub fn get() -> &'static Self {
        &DOCUMENT
    }

    /// Holds an exchange to the document.
    ///
    /// # Panics
    /// Where it does not fit, with the call, the place in the document and the pointer into the body.
    #[track_caller]
    pub fn check(&self, call: &Call, status: u16, headers: &HeaderMap, bytes: &[u8]) {
        if call.method == Method::OPTIONS {
            return;
        }
        let said = format!("{} {} answered {status}", call.method, call.path);
        let Some((path, operation)) = self.operation(call) else {
            // What there is not is not described: it answers as the document's text says.
            let code = json_of(bytes).map(|body| body["code"].clone());
            let expected = [(404, "NOT_FOUND"), (405, "METHOD_NOT_ALLOWED")];
            let is_nothing = expected
                .iter()
                .any(|(number, name)| *number == status && code == Some(json!(name)));
            let is_head = call.method == Method::HEAD && matches!(status, 404 | 405);
            assert!(is_nothing || is_head, "{said}, and is not in the document");
            return;
        };
        let place = format!("{path}/responses/{status}");
        let response = operation["responses"].get(status.to_string());
        let response = response.unwrap_or_else(|| panic!("{said}, which is not in the document"));
        let (place, response) = match response["$ref"].as_str() {
            Some(reference) => {
                let place = reference.trim_start_matches('#').to_owned();
                let response = self.json.pointer(&place).expect("the answer that it names");
                (place, response)
            }
            None => (place, response),
        };
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let is_there = headers.contains_key(name) || header["required"] == false;
            assert!(is_there, "{said} without {name}");
        }
        if call.method == Method::HEAD {
            return;
        }
        let Some(content) = response["content"].as_object() else {
            assert!(bytes.is_empty(), "{said} with a body");
            return;
        };
        let media_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default();
        if media_type != "application/json" {
            let is_known = content.contains_key(media_type) || content.contains_key("*/*");
            assert!(is_known, "{said} with {media_type:?}");
            return;
        }
        if !content.contains_key(media_type) {
            assert!(content.contains_key("*/*"), "{said} with JSON");
            return;
        }
        let body = json_of(bytes).unwrap_or_else(|| panic!("{said} with no JSON"));
        let schema = format!("{place}/content/application~1json/schema");
        if let Err(why) = self.closed.check(&schema, &body) {
            panic!("{said}, which does not fit {schema}:\n{why}\n{body}");
        }
        if let Some(codes) = response["x-codes"].as_array()
            && status >= 400
        {
            let is_listed = codes.contains(&body["code"]);
            assert!(
                is_listed,
                "{said} {}, which is none of {codes:?}",
                body["code"]
            );
        }
        if status < 300 {
            self.check_body(call, &path, operation, &said);
        }
    }

    /// Holds the beginning of a stream to the document; what is no stream and has a body is read by nobody here.
    ///
    /// # Panics
    /// Where its status or type is not in the document.
    #[track_caller]
    pub fn check_head(&self, call: &Call, status: u16, headers: &HeaderMap) {
        let (_, operation) = self.operation(call).expect("an operation");
        let response = operation["responses"].get(status.to_string());
        let response = response.unwrap_or_else(|| panic!("{} answered {status}", call.path));
        let media_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if let (Some(media_type), Some(content)) = (media_type, response["content"].as_object()) {
            assert!(
                content.contains_key(media_type),
                "{} with {media_type}",
                call.path
            );
        }
    }

    /// A body that was accepted has to be one that the document allows.
    #[track_caller]
    fn check_body(&self, call: &Call, path: &str, operation: &Value, said: &str) {
        let declared = call.content_type.as_deref().unwrap_or("application/json");
        let Some(mut body) = json_of(&call.body) else {
            return;
        };
        let media_type = "application/json";
        // As the calls about tokens take it: what does not begin like JSON is a form.
        let is_form =
            declared.contains("form-urlencoded") && !(body.is_object() || body.is_array());
        if is_form
            || declared.contains("wasm")
            || operation
                .pointer("/requestBody/content/application~1json")
                .is_none()
        {
            return;
        }
        let schema = format!("{path}/requestBody/content/{}/schema", escape(media_type));
        // As the document's text has it: `[]` is the empty object, at the place of a whole body.
        if body == json!([]) && self.open.check(&schema, &body).is_err() {
            body = json!({});
        }
        if let Err(why) = self.open.check(&schema, &body) {
            panic!("{said} to a body that does not fit {schema}:\n{why}\n{body}");
        }
    }

    /// Its place in the document, and what is said there; whatever stands in front of the path is the server's address.
    pub fn operation(&self, call: &Call) -> Option<(String, &Value)> {
        let method = if call.method == Method::HEAD {
            "get".to_owned()
        } else {
            call.method.as_str().to_ascii_lowercase()
        };
        let segments: Vec<_> = call.path.split('/').filter(|one| !one.is_empty()).collect();
        (0..=segments.len()).find_map(|skipped| {
            let paths = self.json["paths"].as_object().expect("paths");
            let mut fitting: Vec<_> = paths
                .iter()
                .filter(|(template, _)| fits(template, &segments[skipped..]))
                .collect();
            // What is written out goes before what is a parameter.
            fitting.sort_by_key(|(template, _)| template.matches('{').count());
            let (template, item) = fitting.first()?;
            if template.as_str() == "/" && skipped > 0 && !segments.is_empty() {
                return None;
            }
            let place = format!("/paths/{}/{method}", escape(template));
            item.get(&method).map(|operation| (place, operation))
        })
    }

    /// Says what is wrong with a body at a place of the document where a schema stands.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn fit(&self, place: &str, body: &Value) -> Result<(), String> {
        self.open.check(place, body)
    }

    /// The same for a part of an answer: fields may be missing, but there may be none that the document does not name.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn fit_in_part(&self, place: &str, body: &Value) -> Result<(), String> {
        self.partial.check(place, body)
    }
}

impl Compiled {
    fn check(&self, place: &str, body: &Value) -> Result<(), String> {
        let index = self.places.get(place);
        let index = index.unwrap_or_else(|| panic!("there is no schema at {place}"));
        self.schemas
            .validate(body, *index)
            .map_err(|error| format!("{error:#}"))
    }
}

fn json_of(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

pub fn escape(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// `{path}` alone may stand for several segments.
fn fits(template: &str, segments: &[&str]) -> bool {
    let parts: Vec<_> = template
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let is_same = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
    if parts.last() == Some(&"{path}") {
        let fixed = &parts[..parts.len() - 1];
        return segments.len() > fixed.len() && fixed.iter().zip(segments).all(is_same);
    }
    parts.len() == segments.len() && parts.iter().zip(segments).all(is_same)
}

/// The places of all schemas of bodies and parameters, and of those with names.
fn find_schemas(value: &Value, at: &str, places: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        for (position, one) in value.as_array().into_iter().flatten().enumerate() {
            find_schemas(one, &format!("{at}/{position}"), places);
        }
        return;
    };
    for (key, one) in object {
        let place = format!("{at}/{}", escape(key));
        if key == "schema" || at == "/components/schemas" {
            places.push(place);
        } else if !key.starts_with("example") {
            find_schemas(one, &place, places);
        }
    }
}

fn compile(document: &Value, places: &[String]) -> Compiled {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler
        .add_resource(ADDRESS, document.clone())
        .expect("a document");
    let mut schemas = Schemas::new();
    let index = |place: &String| {
        let place_in = format!(
            "{ADDRESS}#{}",
            place.replace('{', "%7B").replace('}', "%7D")
        );
        let index = compiler.compile(&place_in, &mut schemas);
        let index = index.unwrap_or_else(|error| panic!("{place}: {error:#}"));
        (place.clone(), index)
    };
    let places = places.iter().map(index).collect();
    Compiled { schemas, places }
}

/// Every object of which keys are named has no others.
fn close(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(object) => {
            let is_object = object.get("type").is_some_and(|kind| kind == "object");
            if is_object && object.contains_key("properties") {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        _ => {}
    }
}

/// No key has to be there.
fn loosen(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(loosen),
        Value::Object(object) => {
            if object.get("required").is_some_and(Value::is_array) {
                object.remove("required");
            }
            object.values_mut().for_each(loosen);
        }
        _ => {}
    }
}

/// All operations: method, path and what is said of each.
pub fn operations(document: &Value) -> Vec<(String, String, &Map<String, Value>)> {
    let paths = document["paths"].as_object().expect("paths");
    let items = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("an item");
        item.iter().map(move |(method, operation)| {
            let operation = operation.as_object().expect("an operation");
            (method.to_ascii_uppercase(), path.clone(), operation)
        })
    });
    items.collect()
}

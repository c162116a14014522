//! One operation of the API as it is described: what it takes, what it answers, how it fails.
//!
//! Who may call it and what it reads decide most of its errors; what else can go wrong is said where it is described.

use super::failures::{
    BODY_TIMEOUT, BODY_TOO_LARGE, BODY_UNREADABLE, CROSS_SITE, Failure, INTERNAL_ERROR,
    INVALID_JSON, NOT_FOUND, PROJECT_DISABLED, STORAGE_API_UNAVAILABLE, TOO_MANY_REQUESTS,
    UNAUTHORIZED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE, VALIDATION,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Makes a schema, and notes the ones that it is made of.
pub(super) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

pub(super) const JSON: &str = "application/json";

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever has a token of the project, or the session of a browser.
    Token,
    /// Whoever has the operator's token.
    Operator,
    /// A page of this server, in a browser.
    Page,
    Anybody,
}

/// A body of one type.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) schema: MakeSchema,
    /// Its name in `examples.json`; empty where there is none.
    pub(super) example: &'static str,
}

/// What is answered under one status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) what: &'static str,
    pub(super) contents: Vec<Content>,
    pub(super) headers: Vec<(&'static str, Value)>,
}

pub(super) struct Operation {
    pub(super) method: &'static str,
    /// As in the URL table.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) access: Access,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Vec<Content>,
    pub(super) needs_body: bool,
    pub(super) is_deprecated: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) failures: Vec<Failure>,
}

/// All operations of one group.
pub(super) struct Group(pub(super) &'static str);

impl Group {
    /// `call` is a method and a path: `GET /jobs/{id}`.
    pub(super) fn call(
        &self,
        call: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Operation {
        let (method, path) = call.split_once(' ').unwrap_or(("GET", call));
        Operation {
            method,
            path,
            id,
            tag: self.0,
            summary,
            description: "",
            access: Access::Token,
            parameters: Vec::new(),
            body: Vec::new(),
            needs_body: false,
            is_deprecated: false,
            answers: Vec::new(),
            failures: Vec::new(),
        }
    }
}

impl Operation {
    pub(super) fn by(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    pub(super) fn says(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    pub(super) fn deprecated(mut self) -> Self {
        self.is_deprecated = true;
        self
    }

    /// A parameter of the path.
    pub(super) fn at(self, name: &str, schema: &Value, description: &str) -> Self {
        self.with([json!({
            "name": name, "in": "path", "required": true, "schema": schema, "description": description,
        })])
    }

    /// A number in the path.
    pub(super) fn id(self, name: &str, description: &str) -> Self {
        let schema = json!({"type": "integer", "format": "int64", "minimum": 1});
        self.at(name, &schema, description)
    }

    pub(super) fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A JSON body that must be there.
    pub(super) fn takes<T: JsonSchema + ?Sized>(mut self, example: &'static str) -> Self {
        self.needs_body = true;
        self.may_take::<T>(JSON, example)
    }

    /// A body that may be absent.
    pub(super) fn may_take<T: JsonSchema + ?Sized>(
        mut self,
        media_type: &'static str,
        example: &'static str,
    ) -> Self {
        self.body.push(Content {
            media_type,
            schema: SchemaGenerator::subschema_for::<T>,
            example,
        });
        self
    }

    /// A JSON answer.
    pub(super) fn gives<T: JsonSchema + ?Sized>(
        self,
        status: u16,
        what: &'static str,
        example: &'static str,
    ) -> Self {
        self.gives_nothing(status, what).or::<T>(JSON, example)
    }

    /// An answer without a body.
    pub(super) fn gives_nothing(mut self, status: u16, what: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            what,
            contents: Vec::new(),
            headers: Vec::new(),
        });
        self
    }

    /// An answer that is no JSON.
    pub(super) fn gives_text(
        self,
        status: u16,
        what: &'static str,
        media_type: &'static str,
    ) -> Self {
        self.gives_nothing(status, what)
            .or::<String>(media_type, "")
    }

    /// The last answer may be of this type, too.
    pub(super) fn or<T: JsonSchema + ?Sized>(
        mut self,
        media_type: &'static str,
        example: &'static str,
    ) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.contents.push(Content {
                media_type,
                schema: SchemaGenerator::subschema_for::<T>,
                example,
            });
        }
        self
    }

    /// The last answer carries a header.
    pub(super) fn header(self, name: &'static str, description: &str, schema: &Value) -> Self {
        let header = json!({"description": description, "required": true, "schema": schema});
        self.with_header(name, header)
    }

    /// The last answer carries a header at times.
    pub(super) fn may_have_header(
        self,
        name: &'static str,
        description: &str,
        schema: &Value,
    ) -> Self {
        let header = json!({"description": description, "required": false, "schema": schema});
        self.with_header(name, header)
    }

    fn with_header(mut self, name: &'static str, header: Value) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, header));
        }
        self
    }

    /// The last answer says how many entries there are on all pages together.
    pub(super) fn counted(self) -> Self {
        self.header(
            "X-Total-Count",
            "How many entries there are on all pages together.",
            &json!({"type": "integer", "minimum": 0}),
        )
    }

    pub(super) fn fails(mut self, failures: &[Failure]) -> Self {
        self.failures.extend(failures);
        self
    }

    /// All errors, those that follow from what the operation is included.
    pub(super) fn all_failures(&self) -> Vec<Failure> {
        let mut all = vec![TOO_MANY_REQUESTS, INTERNAL_ERROR, UNAVAILABLE];
        match self.access {
            Access::Token => all.extend([
                UNAUTHORIZED,
                PROJECT_DISABLED,
                CROSS_SITE,
                STORAGE_API_UNAVAILABLE,
            ]),
            Access::Operator => all.extend([UNAUTHORIZED, NOT_FOUND]),
            Access::Page => all.push(CROSS_SITE),
            Access::Anybody => {}
        }
        let is_in = |place: &str| self.parameters.iter().any(|one| one["in"] == *place);
        if is_in("path") {
            all.push(NOT_FOUND);
        }
        if is_in("query") || is_in("header") || !self.body.is_empty() {
            all.push(VALIDATION);
        }
        if !self.body.is_empty() {
            all.extend([BODY_UNREADABLE, BODY_TIMEOUT, BODY_TOO_LARGE]);
            all.push(UNSUPPORTED_MEDIA_TYPE);
            if self.body.iter().any(|body| body.media_type == JSON) {
                all.push(INVALID_JSON);
            }
        }
        all.extend(&self.failures);
        all.sort_by_key(|failure| failure.example_name());
        all.dedup();
        all
    }

    /// The path as documents write it: axum marks a rest of several segments with a star.
    pub(super) fn path_template(&self) -> String {
        self.path.replace("{*", "{")
    }
}

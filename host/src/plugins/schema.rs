//! JSON schemas that plugins bring, for their configuration and for the parameters of their tasks.
//!
//! A schema is its author's code and is checked against others' data inside the server, so it must not be able to take
//! long: it has a bounded size with its references followed, so none of them may come back to itself, and a bounded depth; patterns are
//! matched in linear time; and nothing is loaded from anywhere. The dialect is 2020-12, or what `$schema` names.

use crate::domain::faults::Faults;
use boon::{Compiler, Draft, ErrorKind, InstanceToken, Schemas, UrlLoader, ValidationError};
use serde_json::{Map, Value};
use std::error::Error;

/// Most schemas that one is made of, each counted wherever a reference leads to it.
const MOST_PARTS: usize = 2_000;
/// How deep these may lie in one another.
const MOST_DEPTH: usize = 32;
const MOST_PATTERNS: usize = 50;
const ADDRESS: &str = "https://plugin.invalid/schema";
/// Keywords whose value is a schema.
const ONE: [&str; 10] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 5] = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
/// Keywords whose value holds schemas under names.
const NAMED: [&str; 4] = [
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "properties",
];
/// What could take long, or mean something else than it seems to.
const REFUSED: [&str; 8] = [
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// A JSON schema of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schema(Value);

impl Schema {
    pub(super) fn of(schema: Value) -> Self {
        Self(schema)
    }

    /// Says what is wrong with the schema itself.
    pub(super) fn check_itself(&self) -> Result<(), String> {
        let Some(root) = self.0.as_object() else {
            return Err("must be an object".into());
        };
        let mut walk = Walk {
            root,
            parts: 0,
            depth: 0,
            patterns: 0,
        };
        walk.visit(&self.0, "")?;
        self.compile().map(drop)
    }

    /// What is wrong with an object that stands at `path`.
    pub(super) fn check(&self, object: &Map<String, Value>, path: &str, faults: &mut Faults) {
        if self.0.as_object().is_some_and(Map::is_empty) {
            return;
        }
        match self.compile() {
            // It was checked when its plugin was taken in.
            Err(why) => faults.add(
                path,
                format!("cannot be checked, the schema is broken: {why}"),
            ),
            Ok((schemas, index)) => {
                let object = Value::Object(object.clone());
                if let Err(error) = schemas.validate(&object, index) {
                    collect(&error, path, faults);
                }
            }
        }
    }

    fn compile(&self) -> Result<(Schemas, boon::SchemaIndex), String> {
        let mut schema = self.0.clone();
        if let Some(root) = schema.as_object_mut() {
            // Only a name here; what refers to the schema says `#`.
            root.remove("$id");
        }
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.use_loader(Box::new(Nothing));
        let said = |error: boon::CompileError| {
            let text = format!("{error:#}");
            text.replace(ADDRESS, "").replace('\n', " ")
        };
        compiler.add_resource(ADDRESS, schema).map_err(said)?;
        let mut schemas = Schemas::new();
        let index = compiler.compile(ADDRESS, &mut schemas).map_err(said)?;
        Ok((schemas, index))
    }
}

/// Loads nothing.
struct Nothing;

impl UrlLoader for Nothing {
    fn load(&self, _: &str) -> Result<Value, Box<dyn Error>> {
        Err("a schema is whole in itself here: nothing is loaded".into())
    }
}

/// Follows a schema to all its parts.
struct Walk<'a> {
    root: &'a Map<String, Value>,
    parts: usize,
    depth: usize,
    patterns: usize,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, schema: &'a Value, at: &str) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(format!(
                "has more than {MOST_PARTS} parts with its references followed"
            ));
        }
        if self.depth > MOST_DEPTH {
            return Err(format!(
                "is more than {MOST_DEPTH} parts deep, or a reference comes back to itself"
            ));
        }
        self.depth += 1;
        if let Some(object) = schema.as_object() {
            self.visit_keywords(object, at)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn visit_keywords(&mut self, object: &'a Map<String, Value>, at: &str) -> Result<(), String> {
        for (key, value) in object {
            let here = format!("{at}/{key}");
            if REFUSED.contains(&key.as_str()) && !(at.is_empty() && key == "$id") {
                return Err(format!("{here}: the keyword {key} is not supported"));
            }
            if key == "$ref" {
                let target = self.target(value).ok_or_else(|| {
                    format!(
                        "{here}: must be # or lead to a part of this schema, as in #/$defs/name"
                    )
                })?;
                self.visit(target, &here)?;
            }
            if key == "pattern" {
                self.count_patterns(1)?;
            }
            if ONE.contains(&key.as_str()) && !value.is_array() {
                self.visit(value, &here)?;
            }
            if let Some(list) = value.as_array()
                && LISTS.contains(&key.as_str())
            {
                for part in list {
                    self.visit(part, &here)?;
                }
            }
            if let Some(named) = value.as_object()
                && NAMED.contains(&key.as_str())
            {
                if key == "patternProperties" {
                    self.count_patterns(named.len())?;
                }
                for (name, part) in named {
                    self.visit(part, &format!("{here}/{name}"))?;
                }
            }
        }
        Ok(())
    }

    fn count_patterns(&mut self, more: usize) -> Result<(), String> {
        self.patterns += more;
        if self.patterns > MOST_PATTERNS {
            return Err(format!("has more than {MOST_PATTERNS} patterns"));
        }
        Ok(())
    }

    fn target(&self, reference: &Value) -> Option<&'a Value> {
        let pointer = reference.as_str()?.strip_prefix("#/")?;
        let (first, rest) = pointer.split_once('/')?;
        let first = self.root.get(first)?;
        first.pointer(&format!("/{rest}"))
    }
}

/// The innermost errors: those say what is wrong and not that something is.
fn collect(error: &ValidationError<'_, '_>, path: &str, faults: &mut Faults) {
    if error.causes.is_empty() || matches!(error.kind, ErrorKind::OneOf(_) | ErrorKind::AnyOf) {
        faults.add(
            place(error, path),
            match &error.kind {
                ErrorKind::AnyOf | ErrorKind::OneOf(None) => {
                    "fits none of the forms that the plugin's schema allows".to_owned()
                }
                kind => kind.to_string(),
            },
        );
        return;
    }
    for cause in &error.causes {
        collect(cause, path, faults);
    }
}

/// `config.servers[0].name`
fn place(error: &ValidationError<'_, '_>, path: &str) -> String {
    let mut place = path.to_owned();
    for token in &error.instance_location.tokens {
        match token {
            InstanceToken::Prop(name) => {
                place.push('.');
                place.push_str(name);
            }
            InstanceToken::Item(at) => place.push_str(&format!("[{at}]")),
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(schema: Value, object: &Value) -> Vec<String> {
        let schema = Schema::of(schema);
        schema.check_itself().expect("a valid schema");
        let mut faults = Faults::default();
        let object = object.as_object().expect("an object");
        schema.check(object, "config", &mut faults);
        let faults = faults.into_list().into_iter();
        faults
            .map(|fault| format!("{}: {}", fault.path, fault.message))
            .collect()
    }

    fn refusal(schema: Value) -> String {
        Schema::of(schema)
            .check_itself()
            .expect_err("a schema that is refused")
    }

    #[test]
    fn a_fault_says_where_and_why() {
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {
                "servers": {"type": "array", "items": {"$ref": "#/definitions/server"}},
                "mode": {"enum": ["fast", "safe"]},
            },
            "required": ["mode"],
            "additionalProperties": false,
            "definitions": {"server": {"properties": {"port": {"type": "integer", "maximum": 65535}}}},
        });

        let said = faults(
            schema.clone(),
            &json!({"servers": [{}, {"port": 70000}], "mod": 1}),
        );

        assert_eq!(said.len(), 3, "{said:?}");
        assert!(
            said.iter()
                .any(|fault| fault.starts_with("config.servers[1].port: ")),
            "{said:?}"
        );
        assert!(
            said.iter()
                .any(|fault| fault.contains("missing properties 'mode'")),
            "{said:?}"
        );
        assert!(
            said.iter()
                .any(|fault| fault.contains("additionalProperties 'mod'")),
            "{said:?}"
        );
        assert_eq!(
            faults(schema, &json!({"mode": "safe", "servers": []})),
            [""; 0]
        );
    }

    #[test]
    fn schemas_that_could_take_long_are_refused() {
        let deep: Map<String, Value> = (0..12)
            .map(|at| {
                let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
                (format!("d{at}"), json!({"allOf": [next, next]}))
            })
            .chain([("d12".to_owned(), json!({}))])
            .collect();
        for (schema, why) in [
            (json!(1), "must be an object"),
            (
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
                "comes back to itself",
            ),
            (
                json!({"$ref": "#/$defs/d0", "$defs": deep}),
                "more than 2000 parts",
            ),
            (
                json!({"$ref": "file:///etc/passwd"}),
                "lead to a part of this schema",
            ),
            (
                json!({"$schema": "https://example.com/mine"}),
                "nothing is loaded",
            ),
            (
                json!({"properties": {"a": {"unevaluatedProperties": false}}}),
                "/properties/a/unevaluatedProperties",
            ),
            (
                json!({"properties": {"a": {"type": "strin"}}}),
                "/properties/a/type",
            ),
            (json!({"pattern": "("}), "regex"),
        ] {
            let said = refusal(schema);
            assert!(said.contains(why), "{said:?} lacks {why:?}");
        }
        let patterns: Vec<Value> = (0..51).map(|_| json!({"pattern": "a"})).collect();
        assert!(refusal(json!({"anyOf": patterns})).contains("more than 50 patterns"));
    }

    #[test]
    fn a_property_may_have_the_name_of_a_keyword() {
        let schema =
            json!({"properties": {"$ref": {"type": "string"}, "$id": {"type": "integer"}}});
        assert_eq!(faults(schema, &json!({"$ref": "x", "$id": 1})), [""; 0]);
    }
}

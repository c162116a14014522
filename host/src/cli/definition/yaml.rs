//! YAML as JSON values, with the line of each.
//!
//! YAML 1.2, core schema. Numbers are kept as they are written. What JSON has no form for (other tags, keys that are no text,
//! infinity, …) is refused, and so is what readers of YAML do not agree on.

use super::Document;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;
use std::path::Path;

const MOST_DEPTH: usize = 64;
/// Values in all, those that aliases repeat included.
const MOST_VALUES: usize = 1_000_000;

/// What is wrong with a file, in which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    pub(super) line: usize,
    pub(super) message: String,
}

/// All documents of a file.
pub(super) fn parse(text: &str, file: &Path) -> Result<Vec<Document>, SyntaxFault> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        values: 0,
        lines: HashMap::new(),
    };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::DocumentStart(_) => {
                let (event, span) = reader.some(&span)?;
                let value = reader.value(event, &span, &mut String::new(), 0)?;
                let lines = std::mem::take(&mut reader.lines);
                reader.anchors.clear();
                if value != Value::Null {
                    documents.push(Document::new(value, file, lines));
                }
            }
            Event::StreamEnd => break,
            _ => {}
        }
    }
    Ok(documents)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
    lines: HashMap<String, usize>,
}

fn fault<T>(span: &Span, message: impl Into<String>) -> Result<T, SyntaxFault> {
    Err(SyntaxFault {
        line: span.start.line(),
        message: message.into(),
    })
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, SyntaxFault> {
        match self.parser.next() {
            None => Ok(None),
            Some(Ok(next)) => Ok(Some(next)),
            Some(Err(error)) => {
                let mut message = error.info().to_owned();
                if message.contains("anchor") {
                    message.push_str("; a text that begins with * or & has to stand in quotes");
                }
                Err(SyntaxFault {
                    line: error.marker().line(),
                    message,
                })
            }
        }
    }

    fn some(&mut self, before: &Span) -> Result<(Event<'a>, Span), SyntaxFault> {
        match self.next()? {
            Some(next) => Ok(next),
            None => fault(before, "the file ends too early"),
        }
    }

    fn count(&mut self, values: usize, span: &Span) -> Result<(), SyntaxFault> {
        self.values = self.values.saturating_add(values);
        if self.values > MOST_VALUES {
            return fault(span, format!("there are more than {MOST_VALUES} values"));
        }
        Ok(())
    }

    /// `path` is where the value stands; it is left as it was.
    fn value(
        &mut self,
        event: Event<'a>,
        span: &Span,
        path: &mut String,
        depth: usize,
    ) -> Result<Value, SyntaxFault> {
        if depth > MOST_DEPTH {
            return fault(span, format!("is nested more than {MOST_DEPTH} deep"));
        }
        self.count(1, span)?;
        let before = self.values;
        // That of a key was noted already.
        self.lines.entry(path.clone()).or_insert(span.start.line());
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref(), span)?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span)?;
                (self.sequence(span, path, depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", span)?;
                (self.mapping(span, path, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some((value, size)) = self.anchors.get(&anchor).cloned() else {
                    return fault(span, "an alias within what it names");
                };
                self.count(size, span)?;
                (value, 0)
            }
            _ => return fault(span, "a value is expected"),
        };
        if anchor != 0 {
            let size = self.values - before + 1;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        Ok(value)
    }

    fn sequence(
        &mut self,
        span: &Span,
        path: &mut String,
        depth: usize,
    ) -> Result<Value, SyntaxFault> {
        let mut values = Vec::new();
        let length = path.len();
        loop {
            let (event, span) = self.some(span)?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(values));
            }
            path.push_str(&format!("[{}]", values.len()));
            values.push(self.value(event, &span, path, depth + 1)?);
            path.truncate(length);
        }
    }

    fn mapping(
        &mut self,
        span: &Span,
        path: &mut String,
        depth: usize,
    ) -> Result<Value, SyntaxFault> {
        let mut map = Map::new();
        let length = path.len();
        loop {
            let (event, span) = self.some(span)?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(map)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return fault(&span, "a key has to be a text"),
            };
            if key == "<<" {
                return fault(&span, "<< is not understood: YAML 1.2 has no merge keys");
            }
            if map.contains_key(&key) {
                return fault(&span, format!("the key {key:?} stands here twice"));
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&key);
            self.lines.insert(path.clone(), span.start.line());
            let (event, span) = self.some(&span)?;
            let value = self.value(event, &span, path, depth + 1)?;
            path.truncate(length);
            map.insert(key, value);
        }
    }
}

/// A tag may say what the value is anyway.
fn check_tag(tag: Option<&Tag>, own: &str, span: &Span) -> Result<(), SyntaxFault> {
    match tag {
        Some(tag) if tag.suffix != own => fault(span, format!("the tag {tag} is not understood")),
        _ => Ok(()),
    }
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: &Span,
) -> Result<Value, SyntaxFault> {
    if let Some(tag) = tag {
        check_tag(Some(tag), "str", span)?;
        return Ok(Value::String(text.to_owned()));
    }
    if style != ScalarStyle::Plain {
        return Ok(Value::String(text.to_owned()));
    }
    match plain(text) {
        Plain::Value(value) => Ok(value),
        Plain::Odd(why) => fault(span, format!("{text} {why}")),
    }
}

/// What a text without quotes is.
#[derive(Debug, PartialEq)]
pub(super) enum Plain {
    Value(Value),
    /// Not to be had, for this reason.
    Odd(&'static str),
}

pub(super) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Value::Null),
        "true" | "True" | "TRUE" => return Plain::Value(true.into()),
        "false" | "False" | "FALSE" => return Plain::Value(false.into()),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Plain::Odd("has no form in JSON");
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Plain::Value(Value::String(text.to_owned()));
    }
    // As it is written, however long.
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return Plain::Value(Value::Number(number));
    }
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_digits(digits) {
        return Plain::Odd(
            "is read as an octal number by some: write it without its sign and zeros, or in quotes",
        );
    }
    let based = digits
        .strip_prefix("0x")
        .and_then(|rest| u64::from_str_radix(rest, 16).ok())
        .or_else(|| u64::from_str_radix(digits.strip_prefix("0o")?, 8).ok());
    if based.is_some() {
        return Plain::Odd("has no form in JSON: write it as a decimal number, or in quotes");
    }
    let is_float = digits.bytes().any(|b| b.is_ascii_digit()) && digits.parse::<f64>().is_ok();
    if is_float {
        return Plain::Odd(
            "has no form in JSON: write it with digits around its point, or in quotes",
        );
    }
    Plain::Value(Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Vec<Document> {
        parse(text, Path::new("a.yaml")).expect("YAML")
    }

    fn refused(text: &str) -> SyntaxFault {
        parse(text, Path::new("a.yaml")).expect_err("refused")
    }

    #[test]
    fn values_are_those_of_the_core_schema() {
        let text = "a: 0 3 * * *\nb: [yes, ~, true, 1.50, 123456789012345678901234567890, 2026-11-24, '7']\nc: |\n  x\n  y\n";
        let value = &parsed(text)[0].value;
        assert_eq!(value["a"], "0 3 * * *");
        assert_eq!(
            value["b"].to_string(),
            r#"["yes",null,true,1.50,123456789012345678901234567890,"2026-11-24","7"]"#
        );
        assert_eq!(value["c"], "x\ny\n");
    }

    #[test]
    fn each_value_has_its_line_and_what_is_not_there_that_of_what_is_around_it() {
        let document =
            &parsed("name: a\ntasks:\n  - component: x\n  - component: y\n    phase: p\n")[0];
        let line = |path: &str| document.place_of(path).line;
        assert_eq!(line("tasks"), 2);
        assert_eq!(line("tasks[1]"), 4);
        assert_eq!(line("tasks[1].phase"), 5);
        assert_eq!(line("tasks[1].componentUrl"), 4);
        assert_eq!(line("crontabRecord"), 1);
    }

    #[test]
    fn json_is_yaml_and_a_file_may_have_several_documents() {
        let documents = parsed("{\n\t\"a\": [1,\n\t\t{\"b\": \"\\u00e9\"}]}\n---\nb: 2\n---\n");
        let values: Vec<_> = documents.iter().map(|one| one.value.clone()).collect();
        assert_eq!(values, [json!({"a": [1, {"b": "é"}]}), json!({"b": 2})]);
    }

    #[test]
    fn aliases_repeat_what_they_name_and_do_not_explode() {
        let document = &parsed("a: &x {p: 1}\nb: *x\n")[0];
        assert_eq!(document.value["b"], json!({"p": 1}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            let line = format!(
                "a{level}: &a{level} [{}]\n",
                [alias.as_str(); 10].join(", ")
            );
            bomb.push_str(&line);
        }
        assert!(refused(&bomb).message.contains("more than"));
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, line, wanted) in [
            ("a: 1\na: 2\n", 2, "twice"),
            ("a: 1\nb: *every\n", 2, "quotes"),
            ("a: */5 * * * *\n", 1, "quotes"),
            ("a: 1\nb: 007\n", 2, "octal"),
            ("a: .inf\n", 1, "no form in JSON"),
            ("a: 0x1F\n", 1, "no form in JSON"),
            ("a: !env HOME\n", 1, "tag"),
            ("a: {b: 1\n", 2, ""),
            ("? [a]\n: b\n", 1, "key"),
            ("a: &x [*x]\n", 1, "alias"),
        ] {
            let fault = refused(text);
            assert!(fault.message.contains(wanted), "{text:?}: {fault:?}");
            assert_eq!(fault.line, line, "{text:?}: {fault:?}");
        }
    }
}

//! Takes tokens and credentials out of what the other side answers: a component that echoes one must not give it to the plugin.

use http::{HeaderMap, HeaderValue};

const MASK: &str = "***";

/// The texts that must not be seen.
#[derive(Debug, Default)]
pub(super) struct Mask {
    forms: Vec<Vec<u8>>,
}

impl Mask {
    /// Hides `secret` as it is, as it stands in JSON, and as it stands in an address.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            let json = serde_json::Value::from(secret).to_string();
            let json_inside = json
                .trim_start_matches('"')
                .strip_suffix('"')
                .unwrap_or(&json)
                .to_owned();
            // JSON encoders differ in whether they write a slash as `\/`.
            let json_slashes = json_inside.replace('/', "\\/");
            let in_address: String =
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            forms.extend(
                [secret.to_owned(), json_inside, json_slashes, in_address].map(String::into_bytes),
            );
        }
        // The longest first: a form must not be broken up by another one that is a part of it.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Whether anything was hidden.
    pub(super) fn hide_in_body(&self, body: &mut Vec<u8>) -> bool {
        let mut hidden = false;
        for form in &self.forms {
            if let Some(clean) = replace(body, form) {
                *body = clean;
                hidden = true;
            }
        }
        hidden
    }

    pub(super) fn hide_in_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            if self.hide_in_body(&mut bytes) {
                *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static(MASK));
            }
        }
    }
}

/// None where `form` does not occur.
fn replace(body: &[u8], form: &[u8]) -> Option<Vec<u8>> {
    let first = *form.first()?;
    let mut clean: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(offset) = body.get(at..)?.iter().position(|byte| *byte == first) {
        at += offset;
        if body.get(at..).is_some_and(|rest| rest.starts_with(form)) {
            let clean = clean.get_or_insert_with(|| Vec::with_capacity(body.len()));
            clean.extend_from_slice(body.get(copied..at).unwrap_or_default());
            clean.extend_from_slice(MASK.as_bytes());
            at += form.len();
            copied = at;
        } else {
            at += 1;
        }
    }
    let mut clean = clean?;
    clean.extend_from_slice(body.get(copied..).unwrap_or_default());
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, text: &str) -> String {
        let mut body = text.as_bytes().to_vec();
        Mask::new([secret]).hide_in_body(&mut body);
        String::from_utf8(body).expect("text")
    }

    #[test]
    fn every_occurrence_is_hidden() {
        assert_eq!(
            masked("123-abc", "123-abc 1123-abc123-abc 123-ab"),
            "*** 1****** 123-ab"
        );
        assert_eq!(masked("aab", "aaab"), "a***");
        assert_eq!(masked("", "text"), "text");
    }

    #[test]
    fn the_forms_of_json_and_of_addresses_are_hidden() {
        assert_eq!(
            masked("a\"b/c", r#"{"x":"a\"b/c","y":"a\"b\/c"}"#),
            r#"{"x":"***","y":"***"}"#
        );
        assert_eq!(
            masked("a/b+c", "https://x/?t=a%2Fb%2Bc"),
            "https://x/?t=***"
        );
    }

    #[test]
    fn headers_are_masked_as_well() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("token 123-abc!"));
        Mask::new(["123-abc"]).hide_in_headers(&mut headers);
        assert_eq!(headers.get("x-echo").expect("kept"), "token ***!");
    }
}

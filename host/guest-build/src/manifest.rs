//! The manifest of a plugin, `plugin.toml`, and how it travels inside the component: as compact JSON in a custom section,
//! which can be read before any of the component's code is compiled, and written for every language.

use std::fs;
use std::path::Path;

use crate::GuestBuildError;

/// The name of the custom section that holds the manifest as JSON.
pub const MANIFEST_SECTION: &str = "orchestrator:manifest";

/// What every component starts with: the magic number, version 13 of the format, and the layer "component".
const COMPONENT_HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const CUSTOM_SECTION: u8 = 0;

pub struct Manifest {
    pub id: String,
    pub json: String,
}

pub fn read(path: &Path) -> Result<Manifest, GuestBuildError> {
    let text =
        fs::read_to_string(path).map_err(|source| GuestBuildError::file("read", path, source))?;
    parse(&text).map_err(|why| GuestBuildError::Manifest {
        path: path.to_owned(),
        why,
    })
}

fn parse(text: &str) -> Result<Manifest, String> {
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.to_string())?;
    let id = table
        .get("id")
        .and_then(toml::Value::as_str)
        .unwrap_or_default()
        .to_owned();
    // The id becomes a file name.
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(is_plain) {
        return Err(
            r#"it needs an id of lower-case letters, digits and hyphens, such as id = "my-plugin""#
                .to_owned(),
        );
    }
    let json = serde_json::to_string(&table).map_err(|error| error.to_string())?;
    Ok(Manifest { id, json })
}

/// The component with the manifest as its last section; none where `component` is no component.
pub fn embed(mut component: Vec<u8>, json: &str) -> Option<Vec<u8>> {
    if !component.starts_with(&COMPONENT_HEADER) {
        return None;
    }
    let mut content = Vec::with_capacity(json.len() + MANIFEST_SECTION.len() + 5);
    push_leb128(&mut content, MANIFEST_SECTION.len());
    content.extend_from_slice(MANIFEST_SECTION.as_bytes());
    content.extend_from_slice(json.as_bytes());

    component.push(CUSTOM_SECTION);
    push_leb128(&mut component, content.len());
    component.append(&mut content);
    Some(component)
}

fn push_leb128(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low_bits = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low_bits);
            return;
        }
        bytes.push(low_bits | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_the_last_section_of_the_component() {
        let json = "x".repeat(200);
        let component = embed(COMPONENT_HEADER.to_vec(), &json).unwrap();

        // 222 bytes follow the size: one for the length of the name, 21 for the name, 200 for the content.
        let mut expected = COMPONENT_HEADER.to_vec();
        expected.extend_from_slice(&[0, 0xde, 0x01, 21]);
        expected.extend_from_slice(b"orchestrator:manifest");
        expected.extend_from_slice(json.as_bytes());
        assert_eq!(component, expected);
    }

    #[test]
    fn a_module_is_no_component() {
        assert_eq!(embed(b"\0asm\x01\0\0\0".to_vec(), "{}"), None);
        assert_eq!(embed(Vec::new(), "{}"), None);
    }

    #[test]
    fn a_manifest_becomes_compact_json() {
        let manifest =
            parse("id = \"a-1\"\nhosts = [\"task-origin\"]\n[limits]\nmemory-mib = 16\n").unwrap();

        assert_eq!(manifest.id, "a-1");
        assert_eq!(
            manifest.json,
            r#"{"hosts":["task-origin"],"id":"a-1","limits":{"memory-mib":16}}"#
        );
    }

    #[test]
    fn an_id_that_is_no_file_name_is_refused() {
        for text in [
            "",
            "id = 3",
            "id = \"\"",
            "id = \"../a\"",
            "id = \"A\"",
            "id = \"a b\"",
            "id = \"-a\"",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

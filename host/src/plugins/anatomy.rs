//! What can be told of a component without compiling it: its size and digest, its manifest, what it imports and exports.
//!
//! For people; whether the component may be used is decided where it is loaded (`component.rs`).

use super::cache;
use super::manifest::MANIFEST_SECTION;
use super::section::{SectionError, custom_section};
use wasmparser::{Parser, Payload};

/// A component, looked at from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anatomy {
    pub bytes: usize,
    /// SHA-256 in hexadecimal digits.
    pub digest: String,
    /// The manifest as it stands in the component, valid or not.
    pub manifest: Result<String, SectionError>,
    /// Names of interfaces, in their order.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// The bytes are no component, or a damaged one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a WebAssembly component: {0}")]
pub struct NoComponent(String);

impl Anatomy {
    /// Looks at a component.
    ///
    /// # Errors
    /// It is none.
    pub fn of(component: &[u8]) -> Result<Self, NoComponent> {
        let broken = |error: wasmparser::BinaryReaderError| NoComponent(error.to_string());
        if !Parser::is_component(component) {
            let why = if Parser::is_core_wasm(component) {
                "it is a core module; build it for wasm32-wasip2"
            } else {
                "it does not begin as one"
            };
            return Err(NoComponent(why.to_owned()));
        }
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        // Modules and components lie within the outermost one, which alone counts.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        imports.push(import.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            bytes: component.len(),
            digest: cache::digest(component),
            manifest: custom_section(component, MANIFEST_SECTION)
                .map(|json| String::from_utf8_lossy(json).into_owned()),
            imports,
            exports,
        })
    }
}

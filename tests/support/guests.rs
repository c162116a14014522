//! The guests of `tests/guests`, built once for all tests.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use guest_build::build_guests;

/// Ids of sections.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCES: u8 = 2;

/// The component of that name.
pub fn guest(name: &str) -> &'static [u8] {
    static GUESTS: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
    let guests = GUESTS.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
        let built = build_guests(&workspace, &target).unwrap_or_else(|error| panic!("{error}"));
        let read = |guest: guest_build::Guest| {
            let component =
                fs::read(&guest.component_path).expect("a component that was just built");
            (guest.name, component)
        };
        built.into_iter().map(read).collect()
    });
    guests
        .get(name)
        .unwrap_or_else(|| panic!("there is no guest {name}"))
}

/// The same component with another manifest, or with none.
pub fn with_manifest(component: &[u8], manifest: Option<&serde_json::Value>) -> Vec<u8> {
    let (header, mut rest) = component.split_at(8);
    let mut changed = header.to_vec();
    while let Some((id, after)) = rest.split_first() {
        let (length, body) = read_leb128(after);
        let (body, next) = body.split_at(length);
        let (name_length, name) = read_leb128(body);
        if *id != 0 || &name[..name_length] != guest_build::MANIFEST_SECTION.as_bytes() {
            changed.extend_from_slice(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    if let Some(manifest) = manifest {
        let name = guest_build::MANIFEST_SECTION.as_bytes();
        let json = manifest.to_string();
        let mut content = Vec::new();
        push_leb128(&mut content, name.len());
        content.extend_from_slice(name);
        content.extend_from_slice(json.as_bytes());
        changed.push(0);
        push_leb128(&mut changed, content.len());
        changed.append(&mut content);
    }
    changed
}

/// The same component with a core module of `tests/guests/parts` in it, and so many instances of that, which are made with
/// every instance of the component.
pub fn with_parts(component: &[u8], part: &str, instances: usize) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/parts");
    let text = fs::read_to_string(folder.join(format!("{part}.wat"))).expect("a part");
    let module = wat::parse_str(text).expect("a module");
    let mut changed = component.to_vec();
    changed.push(CORE_MODULE);
    push_leb128(&mut changed, module.len());
    changed.extend_from_slice(&module);
    let index = sections(component).filter(|id| *id == CORE_MODULE).count();
    let mut made = Vec::new();
    push_leb128(&mut made, instances);
    for _ in 0..instances {
        // Instantiate that module, with nothing handed in.
        made.push(0);
        push_leb128(&mut made, index);
        made.push(0);
    }
    changed.push(CORE_INSTANCES);
    push_leb128(&mut changed, made.len());
    changed.append(&mut made);
    changed
}

/// The ids of a component's sections.
fn sections(component: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = &component[8..];
    std::iter::from_fn(move || {
        let (id, after) = rest.split_first()?;
        let (length, body) = read_leb128(after);
        rest = &body[length..];
        Some(*id)
    })
}

/// The same component with one text in place of another of the same length, wherever it occurs.
pub fn with_text(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut changed = component.to_vec();
    let mut at = 0;
    while at + from.len() <= changed.len() {
        if changed[at..].starts_with(from.as_bytes()) {
            changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        at += 1;
    }
    assert_ne!(changed, component, "{from:?} does not occur");
    changed
}

fn read_leb128(bytes: &[u8]) -> (usize, &[u8]) {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (value, &bytes[index + 1..]);
        }
    }
    (value, &[])
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

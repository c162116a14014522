//! Finds a component's custom section without compiling or even validating the rest: a component is a header and a row of
//! sections, each with its length.

/// The magic number, version 13 of the format, and the layer "component".
const HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const CUSTOM: u8 = 0;

/// Why a section was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    #[error("this is empty: a WebAssembly component is expected")]
    Empty,
    #[error(
        "this is a core WebAssembly module and not a component: build it for wasm32-wasip2, or make a component of it"
    )]
    CoreModule,
    #[error("this is a component in its text form: only the binary form is taken")]
    Text,
    #[error(
        "this is a WIT text, the contract: what implements it is expected, a WebAssembly component"
    )]
    Wit,
    #[error("this is a component in an encoding that this server does not know")]
    OtherEncoding,
    #[error("this is not a WebAssembly component")]
    NotAComponent,
    #[error("the component ends in the middle of a section")]
    CutShort,
    #[error("the component has no section \"orchestrator:manifest\"")]
    Missing,
    #[error("the component has more than one section \"orchestrator:manifest\"")]
    Repeated,
}

/// The contents of the only custom section of that name, of the outermost component.
pub(super) fn custom_section<'a>(
    component: &'a [u8],
    name: &str,
) -> Result<&'a [u8], SectionError> {
    let mut rest = component
        .strip_prefix(&HEADER)
        .ok_or_else(|| what_it_is(component))?;
    let mut found = None;
    while let Some((id, after)) = rest.split_first() {
        let (body, after) = sized(after).ok_or(SectionError::CutShort)?;
        rest = after;
        if *id != CUSTOM {
            continue;
        }
        let (its_name, contents) = sized(body).ok_or(SectionError::CutShort)?;
        if its_name == name.as_bytes() && found.replace(contents).is_some() {
            return Err(SectionError::Repeated);
        }
    }
    found.ok_or(SectionError::Missing)
}

/// What was sent in place of a component, so that its sender need not guess.
fn what_it_is(bytes: &[u8]) -> SectionError {
    const MAGIC: &[u8] = b"\0asm";
    if let Some(version) = bytes.strip_prefix(MAGIC) {
        return match version {
            [_, _, 0, 0, ..] => SectionError::CoreModule,
            [_, _, 1, 0, ..] => SectionError::OtherEncoding,
            _ => SectionError::CutShort,
        };
    }
    let Ok(text) = std::str::from_utf8(bytes.get(..bytes.len().min(4096)).unwrap_or_default())
    else {
        return SectionError::NotAComponent;
    };
    let text = text.trim_start();
    if text.is_empty() {
        SectionError::Empty
    } else if text.starts_with("(component") || text.starts_with("(module") {
        SectionError::Text
    } else if text
        .lines()
        .any(|line| line.starts_with("package ") || line.starts_with("world "))
    {
        SectionError::Wit
    } else {
        SectionError::NotAComponent
    }
}

/// Splits off what a LEB128 length announces.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..)?.split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(sections: &[&[u8]]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        sections
            .iter()
            .for_each(|section| bytes.extend_from_slice(section));
        bytes
    }

    #[test]
    fn the_section_is_found_between_others() {
        let bytes = component(&[
            b"\x00\x03\x01bx",
            b"\x07\x02ab",
            b"\x00\x04\x01ahi",
            b"\x00\x02\x01c",
        ]);
        assert_eq!(custom_section(&bytes, "a"), Ok(&b"hi"[..]));
        assert_eq!(custom_section(&bytes, "d"), Err(SectionError::Missing));
    }

    #[test]
    fn what_is_no_component_or_is_damaged_is_refused() {
        for (bytes, what) in [
            (&b""[..], SectionError::Empty),
            (b" \n", SectionError::Empty),
            (b"\0asm\x01\0\0\0", SectionError::CoreModule),
            (b"\0asm\x0e\0\x01\0", SectionError::OtherEncoding),
            (b"\0asm\x0d", SectionError::CutShort),
            (b"(component)", SectionError::Text),
            (b"package a:b@0.1.0;\nworld c {}", SectionError::Wit),
            (b"\xff\xfe\x00", SectionError::NotAComponent),
            (b"{}", SectionError::NotAComponent),
        ] {
            assert_eq!(custom_section(bytes, "a"), Err(what), "{bytes:?}");
        }
        let twice = component(&[b"\x00\x02\x01a", b"\x00\x02\x01a"]);
        assert_eq!(custom_section(&twice, "a"), Err(SectionError::Repeated));
        for cut in [
            &b"\x00\x09\x01a"[..],
            b"\x00",
            b"\x00\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(
                custom_section(&component(&[cut]), "a"),
                Err(SectionError::CutShort)
            );
        }
    }
}

//! Where in a file a value stands.

use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A line of a file, both counted from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Place {
    pub(in crate::cli) file: PathBuf,
    pub(in crate::cli) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One document of a file.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Document {
    pub(in crate::cli) value: Value,
    file: PathBuf,
    /// Lines by path, such as `tasks[0].component`; the document itself is the empty one.
    lines: HashMap<String, usize>,
}

impl Document {
    pub(super) fn new(value: Value, file: &Path, lines: HashMap<String, usize>) -> Self {
        Self {
            value,
            file: file.to_owned(),
            lines,
        }
    }

    /// Where the value at `path` stands, or what is nearest around it.
    pub(in crate::cli) fn place_of(&self, path: &str) -> Place {
        let mut path = path;
        let line = loop {
            if let Some(line) = self.lines.get(path) {
                break *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None if path.is_empty() => break 1,
                None => path = "",
            }
        };
        Place {
            file: self.file.clone(),
            line,
        }
    }

    /// The parts of a document that is a list, each with its own places; else the document.
    pub(super) fn into_parts(self) -> Vec<Self> {
        let Value::Array(values) = self.value else {
            return vec![self];
        };
        let parts = values.into_iter().enumerate();
        let parts = parts.map(|(at, value)| {
            let own = format!("[{at}]");
            let lines = self.lines.iter().filter_map(|(path, line)| {
                let rest = path.strip_prefix(&own)?;
                Some((rest.trim_start_matches('.').to_owned(), *line))
            });
            Self {
                value,
                file: self.file.clone(),
                lines: lines.collect(),
            }
        });
        parts.collect()
    }
}

//! What is logged and how, and where that may be looked up again.

use super::{ConfigError, parse_file, wrong};
use std::fs;
use std::path::PathBuf;

/// The log's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// A level, or a filter by targets.
    pub filter: String,
    /// One JSON object a line.
    pub is_json: bool,
    /// The file that the filter is from; `None`: a flag or the environment set it, or nobody.
    pub(super) file: Option<PathBuf>,
}

impl LogSource {
    pub(super) fn new(filter: Option<&str>, format: Option<&str>) -> Result<Self, ConfigError> {
        Ok(Self {
            filter: checked(filter)?,
            is_json: match format {
                None | Some("text") => false,
                Some("json") => true,
                Some(other) => {
                    let why = format!("must be text or json, not {other:?}");
                    return Err(wrong("log-format", why));
                }
            },
            file: None,
        })
    }

    /// The filter as the file has it now; `None` where the file has no say.
    ///
    /// # Errors
    /// A file that cannot be read, or a filter that is none.
    pub fn reread(&self) -> Result<Option<String>, ConfigError> {
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let wrong_file = |why: String| wrong("config", format!("{}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| wrong_file(error.to_string()))?;
        let file = parse_file(&text).map_err(wrong_file)?;
        checked(file.log.as_deref()).map(Some)
    }
}

fn checked(filter: Option<&str>) -> Result<String, ConfigError> {
    let filter = filter.unwrap_or("info");
    match tracing_subscriber::EnvFilter::try_new(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(wrong(
            "log",
            format!("must be a level or a filter: {error}"),
        )),
    }
}

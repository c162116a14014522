//! Why a manifest is not read.

use crate::plugins::section::SectionError;

/// What is wrong with a manifest; it names the key.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error(transparent)]
    Section(#[from] SectionError),
    #[error("it has {0} bytes; at most 65536 are allowed")]
    TooLarge(usize),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("contract is {0:?}; this server speaks 0.1")]
    OtherContract(String),
    #[error("{key}: {why}")]
    Value { key: &'static str, why: String },
}

impl ManifestError {
    /// The key at fault; empty where it is the manifest or the component as a whole.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::OtherContract(_) => "contract",
            Self::Value { key, .. } => key,
            Self::Section(_) | Self::TooLarge(_) | Self::Json(_) => "",
        }
    }
}

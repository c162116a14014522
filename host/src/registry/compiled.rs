//! Compiled components of this host whose plugin is gone.
//!
//! The bytes of a component go with the last version that has them, in the database that all hosts share. What each host
//! has made of them lies in a folder of its own, which no transaction reaches: so each looks by itself from time to time.

use super::{Registry, RegistryError};
use crate::domain::time::Timestamp;
use std::time::Duration;

/// What is younger is let lie: a component is compiled before it is kept.
const LEAST_AGE: Duration = Duration::from_secs(60 * 60);

impl Registry {
    /// Removes what no version of a plugin refers to any more and what has lain here for an hour. Returns how many.
    ///
    /// # Errors
    /// The database does not answer. A folder that cannot be read is logged.
    pub async fn remove_strays(&self, now: Timestamp) -> Result<usize, RegistryError> {
        let plugins = self.plugins.clone();
        let listing = move || plugins.compiled_uploads(LEAST_AGE, now);
        let digests = match tokio::task::spawn_blocking(listing).await {
            Ok(Ok(digests)) => digests,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the folder of compiled plugins cannot be read");
                return Ok(0);
            }
            // The server is stopping.
            Err(_) => return Ok(0),
        };
        let mut strays = Vec::new();
        for digest in digests {
            if !self.store.has_plugin_bytes(&digest).await? {
                strays.push(digest);
            }
        }
        let (plugins, removed) = (self.plugins.clone(), strays.len());
        let removing = move || strays.iter().for_each(|one| plugins.forget_compiled(one));
        // Where it is cut off, the next pass goes on.
        let _ = tokio::task::spawn_blocking(removing).await;
        Ok(removed)
    }
}

//! The limits of requests, told to the people who run the plugin. The plugin gets a code without words; what it makes of
//! that is its matter.

use super::Call;
use crate::plugins::remedy::{FIXED, Limit};
use crate::plugins::services::LogLevel;
use wasmtime_wasi_http::Error;

impl Call {
    /// Says which limit a request met, and how it is raised; `None`: one that is the same for all.
    pub(super) fn tell(&self, limit: Option<Limit>, most: &str) {
        let remedy = |limit| self.grant.sayings.remedy(limit, &self.limits);
        let remedy = limit.map_or_else(|| FIXED.to_owned(), remedy);
        let plugin = &self.grant.plugin;
        self.output.log(
            LogLevel::Warning,
            &format!("a request of plugin {plugin} failed: it may have at most {most} ({remedy})"),
        );
    }

    /// The same of one answer, or of all of a call.
    pub(super) fn too_large(&self, of_all: bool) -> Error {
        if of_all {
            let most = self.limits.http_total_bytes;
            self.tell(
                None,
                &format!("{most} bytes in the answers to all its requests"),
            );
        } else {
            let most = self.limits.http_response_bytes;
            self.tell(
                Some(Limit::HttpResponse),
                &format!("{most} bytes in an answer"),
            );
        }
        Error::HttpResponseBodySize(u64::try_from(self.limits.http_response_bytes).ok())
    }
}

//! Long lists, a page at a time.

use crate::error::ClientError;
use crate::nouns::Job;
use crate::request::{Call, Client, Method};
use std::collections::VecDeque;

/// What the server gives at most.
const LARGEST_PAGE: u32 = 500;
const PAGE: u32 = 100;

/// The jobs of an orchestration, newest first, asked for as they are read.
///
/// A job that is made meanwhile shifts the later ones; one that was read already is passed over.
#[derive(Debug)]
pub struct JobPages {
    client: Client,
    orchestration: i64,
    limit: u32,
    offset: u64,
    total: Option<u64>,
    last: Option<i64>,
    read: VecDeque<Job>,
}

impl JobPages {
    pub(crate) fn new(client: Client, orchestration: i64) -> Self {
        Self {
            client,
            orchestration,
            limit: PAGE,
            offset: 0,
            total: None,
            last: None,
            read: VecDeque::new(),
        }
    }

    /// How many are asked for at once, 1 to 500.
    #[must_use]
    pub fn of_size(mut self, limit: u32) -> Self {
        self.limit = limit.clamp(1, LARGEST_PAGE);
        self
    }

    /// How many there are; known once the first one was read.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next one; `None` after the oldest.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn next(&mut self) -> Result<Option<Job>, ClientError> {
        while self.read.is_empty() {
            if self.total.is_some_and(|total| self.offset >= total) {
                return Ok(None);
            }
            let path = format!(
                "/orchestrations/{}/jobs?limit={}&offset={}",
                self.orchestration, self.limit, self.offset
            );
            let answer = self.client.send(&Call::new(Method::GET, path)).await?;
            let mut jobs: Vec<Job> = answer.read()?;
            if jobs.is_empty() {
                return Ok(None);
            }
            let count = answer.headers.get("X-Total-Count");
            let count = count.and_then(|value| value.to_str().ok()?.parse().ok());
            self.total = count.or(self.total);
            self.offset += jobs.len() as u64;
            jobs.retain(|job| self.last.is_none_or(|last| job.id < last));
            self.read.extend(jobs);
        }
        let next = self.read.pop_front();
        self.last = next.as_ref().map(|job| job.id);
        Ok(next)
    }
}

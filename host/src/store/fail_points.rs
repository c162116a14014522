//! Where a host may be made to die: at the two borders of each commit.
//!
//! For the tests, which kill a host at every border of a job's life in turn. A server has none.

use std::sync::Arc;

/// A moment at which what is written changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// A host that dies here has written nothing of the transaction.
    BeforeCommit,
    /// A host that dies here has written all of it, and nobody was told.
    AfterCommit,
}

/// Asked at each border whether the host dies there; cloning it is cheap.
#[derive(Clone)]
pub struct FailPoints(Option<Arc<dyn Fn(Border) -> bool + Send + Sync>>);

impl FailPoints {
    pub const NONE: Self = Self(None);

    pub fn new(dies_at: impl Fn(Border) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(dies_at)))
    }

    /// An error where the host dies: an unfinished transaction is rolled back with it.
    pub(super) fn pass(&self, border: Border) -> sqlx::Result<()> {
        match &self.0 {
            Some(dies_at) if dies_at(border) => {
                let reason = format!("fail point: {border:?}");
                Err(sqlx::Error::Io(std::io::Error::other(reason)))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for FailPoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FailPoints")
            .field(&self.0.is_some())
            .finish()
    }
}

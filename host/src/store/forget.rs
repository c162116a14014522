//! Rows that are too old: removed from the front, a bounded number at a time, and without a write where there are none.

use super::{Result, Store};

/// Most rows that one pass removes.
const BATCH: i64 = 1_000;

impl Store {
    /// `found` selects one row that is over at `$1`; `removed` deletes at most `$2` of them. Returns how many.
    pub(super) async fn forget(
        &self,
        found: &'static str,
        removed: &'static str,
        end: i64,
    ) -> Result<u64> {
        // Mostly there is nothing to do.
        let any = sqlx::query(found)
            .bind(end)
            .fetch_optional(&self.read)
            .await?;
        if any.is_none() {
            return Ok(0);
        }
        self.write(move |tx| {
            Box::pin(async move {
                let removed = sqlx::query(removed)
                    .bind(end)
                    .bind(BATCH)
                    .execute(tx)
                    .await?;
                Ok(removed.rows_affected())
            })
        })
        .await
    }
}

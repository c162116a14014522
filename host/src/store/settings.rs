//! Named values of the whole installation.

use super::rows::Columns;
use super::{Result, Store};

impl Store {
    /// Keeps `value` under `name` unless there is one; returns the value that is kept then.
    pub async fn keep_setting(&self, name: &'static str, value: Vec<u8>) -> Result<Vec<u8>> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                    .bind(name)
                    .bind(value)
                    .execute(&mut *tx)
                    .await?;
                let row = sqlx::query("SELECT value FROM settings WHERE name = $1").bind(name).fetch_one(tx).await?;
                Columns::of(&row, "settings").bytes("value")
            })
        })
        .await
    }
}

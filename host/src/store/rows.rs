//! Reading columns: the conversions between what the database keeps and the domain's types.

use super::dialect::Statement;
use super::{Result, Store, StoreError};
use crate::domain::job::Status;
use crate::domain::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

/// A statement that is told what to bind.
pub(super) type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

/// A row and the table that its damage would be reported for.
pub(super) struct Columns<'r> {
    pub(super) row: &'r AnyRow,
    pub(super) table: &'static str,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r AnyRow, table: &'static str) -> Self {
        Self { row, table }
    }

    pub(super) fn damaged(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Damaged {
            table: self.table,
            reason: reason.into(),
        }
    }

    pub(super) fn int(&self, name: &str) -> Result<i64> {
        Ok(self.row.try_get(name)?)
    }

    pub(super) fn maybe_int(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.row.try_get(name)?)
    }

    pub(super) fn count<T: TryFrom<i64>>(&self, name: &str) -> Result<T> {
        T::try_from(self.int(name)?).map_err(|_| self.damaged(format!("{name} is out of range")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    pub(super) fn text(&self, name: &str) -> Result<String> {
        Ok(self.row.try_get(name)?)
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.row.try_get(name)?)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        Ok(self.row.try_get(name)?)
    }

    pub(super) fn maybe_bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.row.try_get(name)?)
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp> {
        Ok(Timestamp(self.int(name)?))
    }

    pub(super) fn maybe_time(&self, name: &str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(name)?.map(Timestamp))
    }

    pub(super) fn status(&self, name: &str) -> Result<Status> {
        let text = self.text(name)?;
        Status::from_text(&text).ok_or_else(|| self.damaged(format!("unknown status {text:?}")))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.parsed(name, &self.text(name)?)
    }

    /// What a text says that was kept under that name.
    pub(super) fn parsed<T: DeserializeOwned>(&self, name: &str, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| self.damaged(format!("{name}: {error}")))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.maybe_text(name)?
            .map(|text| self.parsed(name, &text))
            .transpose()
    }
}

/// What a query finds for many keys at once, in their order. The statement binds `keys` as its one JSON text and says by the
/// column `place` which key a row is for; of several rows the first counts.
pub(super) async fn read_for_keys<K: Serialize, T>(
    store: &Store,
    table: &'static str,
    statement: &'static Statement,
    keys: &[K],
    read: impl Fn(AnyRow) -> Result<T>,
) -> Result<Vec<Result<Option<T>>>> {
    let rows = sqlx::query(statement.text(store.dialect))
        .bind(to_json(table, &keys)?)
        .fetch_all(&store.read)
        .await?;
    let mut answers: Vec<_> = keys.iter().map(|_| Ok(None)).collect();
    for row in rows {
        let place: usize = Columns::of(&row, table).count("place")?;
        if let Some(answer @ Ok(None)) = answers.get_mut(place) {
            *answer = read(row).map(Some);
        }
    }
    Ok(answers)
}

/// Text as every database keeps it: PostgreSQL knows no NUL character, and a component or a client may send one.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// JSON text of a value that always serialises (maps with text keys, numbers, text).
pub(super) fn to_json<T: Serialize>(table: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged {
        table,
        reason: error.to_string(),
    })
}

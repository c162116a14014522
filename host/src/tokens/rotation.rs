//! Which master key is which, and what is sealed under an old one sealed anew.
//!
//! Keys have no names of their own: a key is the one whose known text, kept in the database, opens under it. One that
//! opens none of them is new, and is given the next number, provided that this host has the key in use besides.

use super::keys::Derived;
use super::seal::{self, Label, SealError};
use super::{KEY_CHECK, KeySource, Keys, TokenError, Tokens, lookup, token_label};
use crate::clock::Random;
use crate::store::{KeyState, MasterKey, SEALED_COLUMNS, SealedColumn, Store};
use std::sync::Arc;

/// Values of each kind that are sealed anew in one pass.
const BATCH: u32 = 200;
const FIRST_KEY: u8 = 1;

const CHECK_LABEL: Label<'_> = Label {
    purpose: "key check",
    owner: b"",
};

impl Tokens {
    /// Reads a changed key file and the database's list of keys; returns the list, oldest first.
    ///
    /// # Errors
    /// Where the database or the file does not answer, or the keys are not the database's: the keys stay as they were.
    pub async fn refresh_keys(&self) -> Result<Vec<MasterKey>, TokenError> {
        if self.keys.read_again()? {
            tracing::info!("the key file has changed");
        }
        self.number_keys().await
    }

    /// Gives the keys of this host the numbers that the database knows them by.
    pub(super) async fn number_keys(&self) -> Result<Vec<MasterKey>, TokenError> {
        let mut rows = self.store.list_master_keys().await?;
        if rows.is_empty() {
            // The oldest: those before it are meant to follow it.
            let all = self.keys.all();
            let first = all.last().ok_or(SealError::NoKey)?;
            self.add_key(first, FIRST_KEY, KeyState::Current).await?;
            rows = self.store.list_master_keys().await?;
        }
        let mut keys = number(&self.keys.all(), &rows);
        if !has_all_in_use(&keys, &rows) {
            return Err(TokenError::WrongKey);
        }
        if let Some(unknown) = keys.iter().find(|key| key.id == 0) {
            let last = rows.last().map_or(0, |row| row.id);
            let next = last.checked_add(1).ok_or(TokenError::TooManyKeys)?;
            self.add_key(unknown, next, KeyState::New).await?;
            rows = self.store.list_master_keys().await?;
            keys = number(&self.keys.all(), &rows);
        }
        let current = rows.iter().find(|row| row.state == KeyState::Current);
        let current = current.ok_or(TokenError::WrongKey)?;
        self.keys.use_ring(keys, current.id);
        Ok(rows)
    }

    /// The number of the newest key that this host has; 0 while the database does not know it.
    #[must_use]
    pub fn newest_key(&self) -> u8 {
        self.keys.all().first().map_or(0, |key| key.id)
    }

    async fn add_key(&self, key: &Derived, id: u8, state: KeyState) -> Result<(), TokenError> {
        let check = seal::seal_under(&key.numbered(id), &self.random, CHECK_LABEL, KEY_CHECK)?;
        let now = self.clock.now();
        Ok(self.store.add_master_key(id, check, state, now).await?)
    }

    /// Seals a batch of values anew that are sealed under another key than `current`; returns how many it found.
    ///
    /// # Errors
    /// Where the database does not answer. A value that does not open is told in the log and left as it is.
    pub async fn reseal_batch(&self, current: u8) -> Result<usize, TokenError> {
        let all = self.keys.all();
        let Some(key) = all.iter().find(|key| key.id == current) else {
            return Err(SealError::NoKey.into());
        };
        let mut found = self.reseal_tokens(key).await?;
        for column in SEALED_COLUMNS {
            found += self.reseal_column(column, key).await?;
        }
        Ok(found)
    }

    async fn reseal_tokens(&self, key: &Derived) -> Result<usize, TokenError> {
        let rows = self
            .store
            .list_tokens_sealed_otherwise(key.id, BATCH)
            .await?;
        let found = rows.len();
        for (id, before, sealed) in rows {
            let plain = match seal::open(&self.keys, token_label(&before), &sealed) {
                Ok(plain) => plain,
                Err(error) => {
                    tracing::error!(token = id, %error, "a token cannot be moved to the new master key");
                    continue;
                }
            };
            let secret = String::from_utf8(plain).map_err(|_| SealError::Unreadable)?;
            let after = lookup(key, &secret);
            let label = token_label(&after);
            let sealed = seal::seal_under(key, &self.random, label, secret.as_bytes())?;
            self.store
                .move_token_secret(id, before, after, sealed)
                .await?;
        }
        Ok(found)
    }

    async fn reseal_column(
        &self,
        column: &'static SealedColumn,
        key: &Derived,
    ) -> Result<usize, TokenError> {
        let rows = self
            .store
            .list_sealed_otherwise(column, key.id, BATCH)
            .await?;
        let found = rows.len();
        for (place, before) in rows {
            let owner = [&place.number.to_be_bytes()[..], place.text.as_bytes()].concat();
            let label = Label {
                purpose: column.purpose,
                owner: &owner,
            };
            match seal::open(&self.keys, label, &before) {
                Ok(plain) => {
                    let after = seal::seal_under(key, &self.random, label, &plain)?;
                    self.store
                        .replace_sealed(column, place, before, after)
                        .await?;
                }
                Err(error) => {
                    let table = column.table;
                    tracing::error!(table, row = place.number, %error, "a value cannot be sealed anew");
                }
            }
        }
        Ok(found)
    }
}

/// Whether everything in the database opens under the keys of `source`; nothing is changed.
///
/// # Errors
/// Where the database does not answer or the keys cannot be read.
pub async fn opens_all(
    store: &Store,
    source: KeySource,
    random: &Random,
) -> Result<bool, TokenError> {
    let rows = store.list_master_keys().await?;
    let keys = Keys::from_source(source, random)?;
    Ok(has_all_in_use(&number(&keys.all(), &rows), &rows))
}

/// The same keys with the numbers of those rows that they open; 0 where there is none.
fn number(keys: &[Arc<Derived>], rows: &[MasterKey]) -> Vec<Arc<Derived>> {
    let opens = |key: &Derived, row: &MasterKey| {
        let plain = seal::open_under(key, CHECK_LABEL, &row.check);
        plain.is_ok_and(|plain| plain == KEY_CHECK)
    };
    let number = |key: &Arc<Derived>| {
        let row = rows.iter().find(|row| opens(key, row));
        Arc::new(key.numbered(row.map_or(0, |row| row.id)))
    };
    keys.iter().map(number).collect()
}

/// Whether everything in the database opens under these keys.
fn has_all_in_use(keys: &[Arc<Derived>], rows: &[MasterKey]) -> bool {
    rows.iter()
        .filter(|row| matches!(row.state, KeyState::Current | KeyState::Old))
        .all(|row| keys.iter().any(|key| key.id == row.id))
}

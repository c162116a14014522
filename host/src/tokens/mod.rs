//! Tokens: who calls, and the secrets that are used on a project's behalf.
//!
//! A token's secret is kept twice: as a keyed hash, by which a presented one is found, and sealed, for use in calls to
//! components. Neither can be read without the master key. The state of tasks between their steps is sealed here too.
//! Nothing in this room logs or prints a secret; the one that the first start makes is handed to the caller once.

mod credentials;
mod elsewhere;
mod keys;
mod operator;
mod remote;
mod rotation;
mod seal;
mod sessions;

pub use keys::{
    KEY_FILE, KeyError, KeySource, Keys, add_key_to_file, drop_old_keys_of_file, is_master_key,
};
pub use operator::OperatorToken;
pub use remote::{RemoteError, RemoteSettings};
pub use rotation::opens_all;
pub use seal::SealError;
pub use sessions::{SESSION_LIFE, SessionToken};

use crate::clock::{Clock, Random, RandomUnavailable};
use crate::domain::ids::{ProjectId, TaskRunId, TokenId};
use crate::domain::orchestration::TokenReference;
use crate::domain::token::Rights;
use crate::store::{NewToken, Store, StoreError, Token, TokenSecret};
use hmac::Mac;
use keys::Derived;
use remote::Remote;
use seal::Label;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Lengths that a secret may have; it is visible ASCII.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// Letters and digits of a secret that is made up: 238 bits.
const MADE_CHARACTERS: usize = 40;
/// The file in the data directory that keeps the first start's master token.
pub const MASTER_TOKEN_FILE: &str = "master-token";
const KEY_CHECK: &[u8] = b"this opens under the right master key";

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    #[error(transparent)]
    File(#[from] KeyError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Asked of the embedded backend where there is none.
    #[error("Tokens and projects are kept by the Storage API at {url}: ask there")]
    Elsewhere { url: String },
    #[error(
        "the master key is not the one that this database was made with, or uses now: set ORCHESTRATOR_MASTER_KEY, or \
         put the database's own {KEY_FILE} back into the data directory"
    )]
    WrongKey,
    #[error("a master key was changed 255 times: there is no number left for another one")]
    TooManyKeys,
    #[error(
        "{} must hold 16 to 256 visible ASCII characters: it is the master token of an unfinished first start; remove \
         it to have a new one made", path.display()
    )]
    MalformedMasterToken { path: PathBuf },
}

/// The token backend: the embedded one, or a Storage API elsewhere. Cloning it is cheap.
#[derive(Clone)]
pub struct Tokens {
    store: Store,
    keys: Keys,
    clock: Clock,
    random: Random,
    /// `None`: tokens are kept here.
    remote: Option<Arc<Remote>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Proves that the keys are this database's.
    ///
    /// # Errors
    /// [`TokenError::WrongKey`] where they are not.
    pub async fn open(
        store: Store,
        keys: Keys,
        clock: Clock,
        random: Random,
    ) -> Result<Self, TokenError> {
        let tokens = Self {
            store,
            keys,
            clock,
            random,
            remote: None,
        };
        tokens.number_keys().await?;
        Ok(tokens)
    }

    /// The database that the tokens are in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The token whose secret this is; `None` for unknown, expired and disabled ones and for what cannot be a secret.
    ///
    /// # Errors
    /// Where the database does not answer, or the token's project is disabled.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<Token>, TokenError> {
        if !is_secret(presented) {
            return Ok(None);
        }
        if let Some(remote) = &self.remote {
            return self.authenticate_elsewhere(remote, presented).await;
        }
        let now = self.clock.now();
        // Oldest first: a secret that moves to a newer key meanwhile is found under one of the two.
        for key in self.keys.all().iter().rev() {
            let token = self.store.find_token(&lookup(key, presented)).await?;
            if let Some(token) = token {
                let is_usable = !token.is_disabled && !token.rights.is_expired(now);
                return Ok(is_usable.then_some(token));
            }
        }
        Ok(None)
    }

    /// A token with a made-up secret, to be added for an orchestration: it goes with the last job that uses it.
    ///
    /// # Errors
    /// Without random bytes nothing secret is made.
    pub fn new_token(
        &self,
        description: String,
        creator: Option<TokenReference>,
    ) -> Result<NewToken, TokenError> {
        let (secret, _) = self.new_secret()?;
        Ok(NewToken {
            description,
            secret,
            rights: Rights::of_orchestration(),
            creator,
        })
    }

    /// A made-up secret, as the database keeps it and as its bearer gets to see it, once.
    ///
    /// # Errors
    /// Without random bytes nothing secret is made.
    pub fn new_secret(&self) -> Result<(TokenSecret, String), TokenError> {
        let secret = self.random.text(MADE_CHARACTERS)?;
        Ok((self.keep(&secret)?, secret))
    }

    /// The master token of another project, to be added with it, and its value.
    ///
    /// # Errors
    /// Without random bytes nothing secret is made.
    pub fn new_master_token(&self) -> Result<(NewToken, String), TokenError> {
        let (kept, secret) = self.new_secret()?;
        Ok((master_token(kept), secret))
    }

    /// The secret of a token, for use in a call; `None` where the token is gone, disabled or expired.
    ///
    /// # Errors
    /// Where the database does not answer, or the sealed secret is damaged.
    pub async fn reveal(
        &self,
        project: ProjectId,
        id: TokenId,
    ) -> Result<Option<String>, TokenError> {
        let found = self
            .store
            .read_usable_secret(project, id, self.clock.now())
            .await?;
        let Some(TokenSecret { lookup, sealed }) = found else {
            return Ok(None);
        };
        let plain = seal::open(&self.keys, token_label(&lookup), &sealed)?;
        String::from_utf8(plain)
            .map(Some)
            .map_err(|_| SealError::Unreadable.into())
    }

    /// Seals the state of a task between two steps.
    ///
    /// # Errors
    /// Without random bytes nothing is sealed.
    pub fn seal_state(&self, run: TaskRunId, state: &[u8]) -> Result<Vec<u8>, TokenError> {
        let owner = run.0.to_be_bytes();
        Ok(seal::seal(
            &self.keys,
            &self.random,
            state_label(&owner),
            state,
        )?)
    }

    /// Opens what [`Tokens::seal_state`] sealed for this run.
    ///
    /// # Errors
    /// The state is damaged or another run's.
    pub fn open_state(&self, run: TaskRunId, sealed: &[u8]) -> Result<Vec<u8>, TokenError> {
        let owner = run.0.to_be_bytes();
        Ok(seal::open(&self.keys, state_label(&owner), sealed)?)
    }

    /// On an empty database, makes project 1 with its master token: the given one, else one that is made up and kept in
    /// the data directory. Returns the made-up one, to be shown once.
    ///
    /// The file is written first: a start that dies in between finds it again, and no master token is ever lost.
    ///
    /// # Errors
    /// Where the database does not answer or the file cannot be written.
    pub async fn make_first_project(
        &self,
        given: Option<&str>,
        data_dir: &Path,
    ) -> Result<Option<String>, TokenError> {
        if self.store.has_projects().await? {
            return Ok(None);
        }
        let path = data_dir.join(MASTER_TOKEN_FILE);
        let made = match given {
            Some(_) => None,
            None => Some(self.master_token_of_file(&path)?),
        };
        let secret = given.or(made.as_deref()).unwrap_or_default();
        let master = master_token(self.keep(secret)?);
        let created = self
            .store
            .create_first_project("Project 1".into(), master, self.clock.now())
            .await?;
        if created.is_none() && made.is_some() {
            // Another host on this database was quicker: this token is nobody's.
            let _ = std::fs::remove_file(&path);
            return Ok(None);
        }
        Ok(made)
    }

    fn master_token_of_file(&self, path: &Path) -> Result<String, TokenError> {
        if let Some(text) = keys::read_private(path)? {
            let secret = text.trim_end();
            return if is_secret(secret) {
                Ok(secret.to_owned())
            } else {
                Err(TokenError::MalformedMasterToken {
                    path: path.to_owned(),
                })
            };
        }
        let secret = self.random.text(MADE_CHARACTERS)?;
        keys::write_private(path, &format!("{secret}\n"))?;
        Ok(secret)
    }

    fn keep(&self, secret: &str) -> Result<TokenSecret, SealError> {
        let key = self.keys.current().ok_or(SealError::NoKey)?;
        let lookup = lookup(&key, secret);
        let sealed = seal::seal_under(&key, &self.random, token_label(&lookup), secret.as_bytes())?;
        Ok(TokenSecret { lookup, sealed })
    }
}

/// Finds the row of a secret, and is no secret itself.
fn lookup(key: &Derived, secret: &str) -> Vec<u8> {
    let mut mac = key.lookup.clone();
    mac.update(secret.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn master_token(secret: TokenSecret) -> NewToken {
    NewToken {
        description: "Master token".into(),
        secret,
        rights: Rights::of_master(),
        creator: None,
    }
}

/// Whether a text can be a token's secret at all.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    SECRET_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn token_label(lookup: &[u8]) -> Label<'_> {
    Label {
        purpose: "token",
        owner: lookup,
    }
}

fn state_label(run: &[u8; 8]) -> Label<'_> {
    Label {
        purpose: "state",
        owner: run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    const DAY: Timestamp = Timestamp(1_767_614_400_000_000);

    async fn tokens(dir: &Path, seed: u64) -> Result<Tokens, TokenError> {
        let random = Random::seeded(seed);
        let store = Store::open(&Store::embedded_url(dir)).await?;
        let keys = Keys::load(None, dir, &random)?;
        Tokens::open(store, keys, Clock::manual(DAY), random).await
    }

    #[tokio::test]
    async fn the_first_start_makes_a_master_token_and_later_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens(dir.path(), 1).await.unwrap();

        let made = tokens
            .make_first_project(None, dir.path())
            .await
            .unwrap()
            .unwrap();
        let again = tokens.make_first_project(None, dir.path()).await.unwrap();

        assert_eq!(again, None);
        let token = tokens.authenticate(&made).await.unwrap().unwrap();
        assert_eq!(token.rights, Rights::of_master());
        let file = std::fs::read_to_string(dir.path().join(MASTER_TOKEN_FILE)).unwrap();
        assert_eq!(file.trim_end(), made);
        let revealed = tokens.reveal(token.project_id, token.id).await.unwrap();
        assert_eq!(revealed.as_deref(), Some(made.as_str()));
    }

    #[tokio::test]
    async fn the_token_of_an_unfinished_first_start_is_used() {
        let dir = tempfile::tempdir().unwrap();
        keys::write_private(
            &dir.path().join(MASTER_TOKEN_FILE),
            "left-by-the-last-start\n",
        )
        .unwrap();
        let tokens = tokens(dir.path(), 1).await.unwrap();

        let made = tokens.make_first_project(None, dir.path()).await.unwrap();

        assert_eq!(made.as_deref(), Some("left-by-the-last-start"));
    }

    #[tokio::test]
    async fn a_given_master_token_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens(dir.path(), 1).await.unwrap();
        let given = "given-master-token-1";

        assert_eq!(
            tokens
                .make_first_project(Some(given), dir.path())
                .await
                .unwrap(),
            None
        );

        assert!(tokens.authenticate(given).await.unwrap().is_some());
        assert!(
            tokens
                .authenticate("given-master-token-2")
                .await
                .unwrap()
                .is_none()
        );
        assert!(tokens.authenticate("short").await.unwrap().is_none());
        assert!(!dir.path().join(MASTER_TOKEN_FILE).exists());
    }

    #[tokio::test]
    async fn another_master_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        tokens(dir.path(), 1).await.unwrap();
        std::fs::remove_file(dir.path().join(KEY_FILE)).unwrap();

        let refused = tokens(dir.path(), 2).await;

        assert!(matches!(refused, Err(TokenError::WrongKey)), "{refused:?}");
    }
}

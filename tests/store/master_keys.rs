//! Master keys take turns: no host is left behind, and nothing that was sealed is lost.

use crate::support::store::{NOON, TestStore, new_orchestration, seconds_after};
use orchestrator::clock::{Clock, Random};
use orchestrator::domain::ids::TaskRunId;
use orchestrator::domain::token::Rights;
use orchestrator::store::{KeyState, NewToken, Store};
use orchestrator::tokens::{Keys, TokenError, Tokens};
use std::path::Path;

const OLD: &str = "abababababababababababababababababababababababababababababababab";
const NEW: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

/// A host with these keys, newest first.
async fn host(store: &Store, keys: &[&str], seed: u64) -> Result<Tokens, TokenError> {
    let random = Random::seeded(seed);
    let keys = Keys::load(Some(&keys.join(" ")), Path::new("/nowhere"), &random).unwrap();
    Tokens::open(store.clone(), keys, Clock::manual(NOON), random).await
}

async fn states(store: &Store) -> Vec<KeyState> {
    let keys = store.list_master_keys().await.unwrap();
    keys.iter().map(|key| key.state).collect()
}

#[tokio::test]
async fn a_new_key_is_used_once_every_host_has_it() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let store = &test.store;
    let later = seconds_after(NOON, 10);
    let (one, two) = (
        store.register_host(NOON, later).await.unwrap(),
        store.register_host(NOON, later).await.unwrap(),
    );
    host(store, &[OLD], 1).await.unwrap();
    let renewed = host(store, &[NEW, OLD], 2).await.unwrap();
    assert_eq!(renewed.newest_key(), 2);
    assert_eq!(states(store).await, [KeyState::Current, KeyState::New]);

    store.note_host_key(one, 2).await.unwrap();
    assert!(!store.promote_master_key(2, NOON).await.unwrap());
    store.note_host_key(two, 2).await.unwrap();
    assert!(store.promote_master_key(2, NOON).await.unwrap());

    assert_eq!(states(store).await, [KeyState::Old, KeyState::Current]);
    let unknown = "ef".repeat(32);
    for keys in [&[OLD][..], &[NEW][..], &[unknown.as_str()][..]] {
        let refused = host(store, keys, 3).await;
        assert!(matches!(refused, Err(TokenError::WrongKey)), "{refused:?}");
    }
}

#[tokio::test]
async fn everything_is_sealed_anew_and_the_old_key_can_go() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let store = &test.store;
    let before = host(store, &[OLD], 1).await.unwrap();
    let (kept, secret) = before.new_secret().unwrap();
    let new = NewToken {
        description: "Before".into(),
        secret: kept,
        rights: Rights::of_orchestration(),
        creator: None,
    };
    let token = store.create_token(test.project, new, NOON).await.unwrap();
    store
        .create_orchestration(new_orchestration(test.project, Vec::new()), NOON)
        .await
        .unwrap()
        .unwrap();
    let run = TaskRunId(7);
    let state = before.seal_state(run, b"state").unwrap();
    let tokens = host(store, &[NEW, OLD], 2).await.unwrap();
    assert!(store.promote_master_key(2, NOON).await.unwrap());
    tokens.refresh_keys().await.unwrap();

    assert!(tokens.authenticate(&secret).await.unwrap().is_some());
    assert_eq!(tokens.open_state(run, &state).unwrap(), b"state");
    // The harness's own tokens were sealed under no key at all: they are told in the log and left.
    let first = tokens.reseal_batch(2).await.unwrap();
    let second = tokens.reseal_batch(2).await.unwrap();
    assert_eq!(first, second + 1);
    store.retire_old_master_keys(2).await.unwrap();

    assert_eq!(states(store).await, [KeyState::Retired, KeyState::Current]);
    let after = host(store, &[NEW], 3).await.unwrap();
    let found = after.authenticate(&secret).await.unwrap().unwrap();
    assert_eq!(found.id, token.id);
    let revealed = after.reveal(test.project, token.id).await.unwrap();
    assert_eq!(revealed.as_deref(), Some(secret.as_str()));
    assert!(after.open_state(run, &state).is_err());
}

#[tokio::test]
async fn a_key_that_was_taken_away_before_its_turn_stands_in_nobodys_way() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let store = &test.store;
    host(store, &[OLD], 1).await.unwrap();
    host(store, &[&"ef".repeat(32), OLD], 2).await.unwrap();
    let tokens = host(store, &[NEW, OLD], 3).await.unwrap();
    assert_eq!(tokens.newest_key(), 3);

    assert!(store.promote_master_key(3, NOON).await.unwrap());

    tokens.refresh_keys().await.unwrap();
    let expected = [KeyState::Old, KeyState::Retired, KeyState::Current];
    assert_eq!(states(store).await, expected);
}

#[tokio::test]
async fn a_browsers_session_goes_on_under_another_key() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let store = &test.store;
    let before = host(store, &[OLD], 1).await.unwrap();
    let (session, _) = before
        .open_session(store, test.project, "a-token-of-this-project")
        .await
        .unwrap();
    let tokens = host(store, &[NEW, OLD], 2).await.unwrap();
    assert!(store.promote_master_key(2, NOON).await.unwrap());
    tokens.refresh_keys().await.unwrap();

    tokens.reseal_batch(2).await.unwrap();
    store.retire_old_master_keys(2).await.unwrap();

    let after = host(store, &[NEW], 3).await.unwrap();
    let found = after.session_token(&session).await.unwrap().unwrap();
    assert_eq!(found.secret, "a-token-of-this-project");
}

//! Tokens and those that use them.

use crate::support::store::{NOON, TestStore, new_orchestration, token};
use orchestrator::domain::token::Rights;
use orchestrator::store::{
    ChangedToken, DeletedToken, NewOrchestration, TokenChange, TokenChoice, TokenUse,
};

#[tokio::test]
async fn a_token_is_never_deleted_under_an_orchestration_that_is_given_it() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    for round in 0..20 {
        let made = token(&format!("given in round {round}"));
        let made = test.store.create_token(test.project, made, NOON).await;
        let id = made.unwrap().id;
        let new = NewOrchestration {
            token: TokenChoice::Existing(id),
            ..new_orchestration(test.project, Vec::new())
        };

        let (given, deleted) = tokio::join!(
            test.store.create_orchestration(new, NOON),
            test.store.delete_token(test.project, id, NOON),
        );

        let (given, deleted) = (given.unwrap(), deleted.unwrap());
        let users = given.map(|of| TokenUse {
            orchestrations: vec![of.id],
            jobs: Vec::new(),
        });
        assert_eq!(
            deleted,
            users.map_or(DeletedToken::Done, DeletedToken::InUse)
        );
    }
}

#[tokio::test]
async fn another_project_changes_no_token() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let other = test.another_project().await;
    let made = test
        .store
        .create_token(test.project, token("mine"), NOON)
        .await;
    let made = made.unwrap();
    let all = Rights::of_master();
    let change = TokenChange {
        description: Some("stolen".into()),
        ..TokenChange::default()
    };

    let updated = test
        .store
        .update_token(other, made.id, change, all.clone(), NOON)
        .await;
    let secret = token("new").secret;
    let refreshed = test
        .store
        .refresh_token(other, made.id, secret, all, NOON)
        .await;
    let deleted = test.store.delete_token(other, made.id, NOON).await;

    assert!(matches!(updated.unwrap(), ChangedToken::NotFound));
    assert!(matches!(refreshed.unwrap(), ChangedToken::NotFound));
    assert_eq!(deleted.unwrap(), DeletedToken::NotFound);
    let read = test.store.read_token(test.project, made.id).await.unwrap();
    assert_eq!(read.unwrap().description, "mine");
    assert!(test.store.find_token(b"mine").await.unwrap().is_some());
}

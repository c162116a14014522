//! Orchestrations and the tokens that are made for them.

use crate::support::store::{NOON, TestStore, new_orchestration, task, token};
use orchestrator::domain::ids::TokenId;
use orchestrator::domain::job::Status;
use orchestrator::domain::plugin::Usage;
use orchestrator::store::{OrchestrationChange, StepEnd, TokenChoice, Updated};

#[tokio::test]
async fn what_was_created_is_what_is_read() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let made = test.orchestration(vec![task("a"), task("b")]).await;

    let read = test
        .store
        .read_orchestration(test.project, made.id)
        .await
        .unwrap()
        .unwrap();

    assert_eq!(read.revision, made.revision);
    let ids: Vec<_> = read
        .revision
        .tasks
        .iter()
        .map(|task| task.id.as_str())
        .collect();
    assert_eq!(ids, ["1", "2"]);
    let listed = test.store.list_orchestrations(test.project).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn another_project_sees_changes_and_deletes_nothing() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let made = test.orchestration(vec![task("a")]).await;
    let other = test.another_project().await;

    let read = test.store.read_orchestration(other, made.id).await.unwrap();
    let change = OrchestrationChange {
        name: Some("stolen".into()),
        ..OrchestrationChange::default()
    };
    let updated = test
        .store
        .update_orchestration(other, made.id, change, NOON)
        .await
        .unwrap();
    let deleted = test
        .store
        .delete_orchestration(other, made.id, NOON)
        .await
        .unwrap();

    assert!(read.is_none() && !deleted);
    assert!(matches!(updated, Updated::NotFound));
    assert!(
        test.store
            .list_orchestrations(other)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_token_of_another_project_cannot_be_used() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let other = test.another_project().await;
    let mut new = new_orchestration(other, vec![]);
    new.token = TokenChoice::Existing(TokenId(1));

    assert!(
        test.store
            .create_orchestration(new, NOON)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_made_token_lives_until_the_last_job_that_uses_it_has_ended() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let made = test.orchestration(vec![task("a")]).await;
    test.job(made.id, NOON).await;
    test.job(made.id, NOON).await;
    let steps = test.claim(host, NOON).await;

    assert!(
        test.store
            .delete_orchestration(test.project, made.id, NOON)
            .await
            .unwrap()
    );
    let during = test
        .store
        .read_token(test.project, made.token.id)
        .await
        .unwrap();
    let end = StepEnd::Done {
        status: Status::Success,
        response: None,
        error_code: None,
        message: None,
    };
    test.store
        .end_step(steps[0].lease, end, Usage::default(), NOON)
        .await
        .unwrap();

    assert!(during.is_some());
    assert!(
        test.store
            .read_token(test.project, made.token.id)
            .await
            .unwrap()
            .is_none()
    );
    let job = test
        .store
        .read_job(test.project, steps[0].job.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(job.status, Status::Success);
    assert!(
        test.claim(host, NOON).await.is_empty(),
        "the waiting job was cancelled"
    );
}

#[tokio::test]
async fn a_refreshed_token_keeps_its_id_and_changes_its_secret() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let made = test.orchestration(vec![]).await;

    let refreshed = test
        .store
        .refresh_orchestration_token(test.project, made.id, token("new secret"), NOON)
        .await
        .unwrap()
        .unwrap();

    assert_eq!(refreshed.token, made.token);
    let found = test.store.find_token(b"new secret").await.unwrap().unwrap();
    assert_eq!(found.id, made.token.id);
}

#[tokio::test]
async fn tasks_keep_their_ids_over_an_update_without_ids() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let made = test.orchestration(vec![task("a"), task("b")]).await;

    let change = OrchestrationChange {
        tasks: Some(vec![task("new"), task("b")]),
        ..OrchestrationChange::default()
    };
    let updated = test
        .store
        .update_orchestration(test.project, made.id, change, NOON)
        .await;
    let Ok(Updated::Done(updated)) = updated else {
        panic!("{updated:?}")
    };

    let ids: Vec<_> = updated
        .revision
        .tasks
        .iter()
        .map(|task| task.id.as_str())
        .collect();
    assert_eq!(ids, ["3", "2"]);
}

#[tokio::test]
async fn a_token_that_was_given_is_neither_renewed_nor_deleted_by_the_orchestration_it_was_given_to()
 {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let owner = test.orchestration(vec![]).await;
    let mut new = new_orchestration(test.project, vec![]);
    new.token = TokenChoice::Existing(owner.token.id);
    let other = test.create(new).await;

    let refreshed = test
        .store
        .refresh_orchestration_token(test.project, other.id, token("of the other's own"), NOON)
        .await
        .unwrap()
        .unwrap();
    assert_ne!(refreshed.token.id, owner.token.id);
    for id in [other.id, owner.id] {
        let given = test
            .store
            .read_token(test.project, owner.token.id)
            .await
            .unwrap();
        assert!(given.is_some());
        assert!(
            test.store
                .delete_orchestration(test.project, id, NOON)
                .await
                .unwrap()
        );
    }

    assert!(
        test.store
            .read_token(test.project, owner.token.id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        test.store
            .read_token(test.project, refreshed.token.id)
            .await
            .unwrap()
            .is_none()
    );
}

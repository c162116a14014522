//! The audit log is appended to, and shortened from its old end; refused requests are counted.

use crate::support::database::Database;
use crate::support::store::{NOON, TestStore, new_orchestration, seconds_after};
use orchestrator::domain::audit::Actor;
use orchestrator::domain::ids::TokenId;
use orchestrator::domain::orchestration::TokenReference;
use sqlx::Connection;

fn somebody() -> Actor {
    Actor {
        token: Some(TokenReference {
            id: TokenId(1),
            description: "Somebody".into(),
        }),
        address: "192.0.2.1".into(),
    }
}

#[tokio::test]
async fn entries_are_removed_by_age_only() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let store = test.store.on_behalf_of(somebody());
    for seconds in [0, 100] {
        let new = new_orchestration(test.project, Vec::new());
        let at = seconds_after(NOON, seconds);
        store.create_orchestration(new, at).await.unwrap().unwrap();
    }

    let removed = store.forget_audit(seconds_after(NOON, 1)).await.unwrap();

    assert_eq!(removed, 1);
    let left = store.list_audit(test.project, 10, 0).await.unwrap();
    assert_eq!(left.total, 1);
    assert_eq!(left.entries[0].created_at, seconds_after(NOON, 100));
    assert_eq!(left.entries[0].actor.address, "192.0.2.1");
}

#[tokio::test]
async fn the_database_refuses_to_change_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let database: Database = super::database();
    let Some(url) = database.fresh_url(dir.path()) else {
        return;
    };
    let store = orchestrator::store::Store::open(&url).await.unwrap();
    let first = crate::support::store::token("first");
    let made = store.create_first_project("One".into(), first, NOON).await;
    let project = made.unwrap().unwrap();
    let store = store.on_behalf_of(somebody());
    let new = new_orchestration(project, Vec::new());
    store
        .create_orchestration(new, NOON)
        .await
        .unwrap()
        .unwrap();
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();

    let changed = sqlx::query("UPDATE audit_log SET address = 'elsewhere'")
        .execute(&mut connection)
        .await;

    let refused = changed.unwrap_err().to_string();
    assert!(
        refused.contains("the audit log is not changed"),
        "{refused}"
    );
    let entries = store.list_audit(project, 10, 0).await.unwrap().entries;
    assert_eq!(entries[0].actor.address, "192.0.2.1");
}

#[tokio::test]
async fn refused_requests_are_counted_by_the_hour() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    for (requests, seconds) in [(3, 0), (4, 60), (5, 7_200)] {
        let at = seconds_after(NOON, seconds);
        test.store.count_refused(requests, at).await.unwrap();
    }
    let since = |seconds| test.store.refused_since(seconds_after(NOON, seconds));
    assert_eq!(since(0).await.unwrap(), 12);
    assert_eq!(since(3_600).await.unwrap(), 5);
}

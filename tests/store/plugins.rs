//! A plugin is not deleted from under what uses it, also where both happen at once.

use crate::support::database::Database;
use crate::support::store::{NOON, TestStore, task};
use orchestrator::domain::ids::OrchestrationId;
use orchestrator::domain::task::Task;
use orchestrator::store::{
    DeletedPlugin, NewComponent, NewVersion, OrchestrationChange, PluginUse, Store, Updated,
};
use sqlx::{AnyConnection, Connection};

async fn add_plugin(test: &TestStore, name: &str) {
    let new = NewVersion {
        project_id: test.project,
        name: name.into(),
        kind: "task",
        version: "1.0.0".into(),
        digest: format!("digest-of-{name}"),
        manifest: "{}".into(),
        bytes: vec![1],
        serves: true,
        seen: None,
    };
    test.store.add_plugin_version(new, NOON).await.unwrap();
}

async fn delete(test: &TestStore, name: &str) -> DeletedPlugin {
    let deleted = test.store.delete_plugin(test.project, name.into(), NOON);
    deleted.await.unwrap()
}

async fn save(store: &Store, test: &TestStore, of: OrchestrationId, tasks: Vec<Task>) {
    let change = OrchestrationChange {
        tasks: Some(tasks),
        ..OrchestrationChange::default()
    };
    let saved = store.update_orchestration(test.project, of, change, NOON);
    assert!(matches!(saved.await.unwrap(), Updated::Done(_)));
}

fn used_by(orchestrations: &[OrchestrationId]) -> DeletedPlugin {
    DeletedPlugin::InUse(PluginUse {
        orchestrations: orchestrations.to_vec(),
        ..PluginUse::default()
    })
}

#[tokio::test]
async fn a_plugin_is_deleted_when_no_present_task_names_it_any_more() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    add_plugin(&test, "mine").await;
    add_plugin(&test, "mine-too").await;
    let one = test.orchestration(vec![task("mine")]).await.id;
    let other = test.orchestration(vec![task("a"), task("mine")]).await.id;
    // Neither a part of the name nor the same word in another place.
    let mut said = task("a");
    said.action_parameters
        .insert("component".into(), "mine".into());
    test.orchestration(vec![said, task("mine-t"), task("ine")])
        .await;

    assert_eq!(delete(&test, "mine").await, used_by(&[one, other]));
    assert_eq!(delete(&test, "mine-too").await, DeletedPlugin::Done);
    // What it was changed from does not count, nor what is deleted.
    save(&test.store, &test, one, vec![task("b")]).await;
    assert_eq!(delete(&test, "mine").await, used_by(&[other]));
    let gone = test.store.delete_orchestration(test.project, other, NOON);
    assert!(gone.await.unwrap());
    assert_eq!(delete(&test, "mine").await, DeletedPlugin::Done);
    assert_eq!(delete(&test, "mine").await, DeletedPlugin::NotFound);
}

#[tokio::test]
async fn a_plugin_and_what_names_it_are_never_deleted_and_saved_past_each_other() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    if super::database() == Database::Sqlite {
        // Its writers are alone: there is nothing in between.
        add_plugin(&test, "mine").await;
        let of = test.orchestration(vec![task("a")]).await.id;
        let (deleted, ()) = tokio::join!(
            delete(&test, "mine"),
            save(&test.store, &test, of, vec![task("mine")])
        );
        assert!(deleted == DeletedPlugin::Done || deleted == used_by(&[of]));
        return;
    }
    add_plugin(&test, "mine").await;
    let of = test.orchestration(vec![task("a")]).await.id;
    let mut other = AnyConnection::connect(test.url()).await.unwrap();

    // Somebody saves a task that names it, and has not committed when it is deleted.
    let mut saving = other.begin().await.unwrap();
    for sql in [
        "SELECT id FROM plugins WHERE name = 'mine' FOR SHARE",
        "UPDATE revisions SET tasks = replace(tasks, '\"a\"', '\"mine\"')",
    ] {
        sqlx::query(sql).execute(&mut *saving).await.unwrap();
    }
    let deleting = delete(&test, "mine");
    let finishing = async {
        someone_waits(&test).await;
        saving.commit().await.unwrap();
    };
    assert_eq!(tokio::join!(deleting, finishing).0, used_by(&[of]));

    // Somebody is about to delete it while a task and a component that name it are saved.
    let mut deleting = other.begin().await.unwrap();
    sqlx::query("SELECT id FROM plugins WHERE name = 'mine' FOR NO KEY UPDATE")
        .execute(&mut *deleting)
        .await
        .unwrap();
    let entry = NewComponent {
        name: "entry".into(),
        plugin: "mine".into(),
        config: Default::default(),
        url: None,
    };
    let entering = test.store.save_component(test.project, entry, NOON);
    let finishing = async {
        someone_waits(&test).await;
        deleting.rollback().await.unwrap();
    };
    assert!(tokio::join!(entering, finishing).0.unwrap().is_some());
    let mut deleting = other.begin().await.unwrap();
    sqlx::query("SELECT id FROM plugins WHERE name = 'mine' FOR NO KEY UPDATE")
        .execute(&mut *deleting)
        .await
        .unwrap();
    // A host of its own: this one's memory has what the revision was.
    let host = test.another_host().await;
    let saving = save(&host, &test, of, vec![task("mine"), task("b")]);
    let finishing = async {
        someone_waits(&test).await;
        deleting.rollback().await.unwrap();
    };
    tokio::join!(saving, finishing);
}

/// Until a transaction of this database waits for a lock that another one holds.
async fn someone_waits(test: &TestStore) {
    let mut looking = AnyConnection::connect(test.url()).await.unwrap();
    let looking = &mut looking;
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let deadline = tokio::time::Instant::now() + crate::support::process::PATIENCE;
    while sqlx::query(sql)
        .fetch_all(&mut *looking)
        .await
        .unwrap()
        .is_empty()
    {
        assert!(tokio::time::Instant::now() < deadline, "nobody waits");
    }
}

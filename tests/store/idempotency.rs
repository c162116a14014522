//! Keys under which jobs are asked for once.

use crate::support::store::{NOON, TestStore, new_job, seconds_after, task};
use orchestrator::store::{CreatedJob, CreatedOnce, IdempotencyKey, KEY_LIFE};

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey {
        key: text.into(),
        call: "jobs",
    }
}

#[tokio::test]
async fn keys_that_are_over_are_removed_and_others_stay() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = test.orchestration(vec![task("a")]).await;
    let ask = async |text: &str, after| {
        let asked = test.store.create_job_once(
            new_job(test.project, of.id),
            key(text),
            seconds_after(NOON, after),
        );
        asked.await.unwrap()
    };
    ask("old", 0).await;
    ask("young", 1).await;

    let end = NOON.plus(KEY_LIFE);
    let early = seconds_after(end, -1);
    assert_eq!(test.store.forget_idempotency_keys(early).await.unwrap(), 0);
    assert_eq!(test.store.forget_idempotency_keys(end).await.unwrap(), 1);
    assert_eq!(test.store.forget_idempotency_keys(end).await.unwrap(), 0);

    let day = i64::try_from(KEY_LIFE.as_secs()).unwrap();
    assert!(matches!(ask("young", day).await, CreatedOnce::Again(_)));
    let again = ask("old", day).await;
    assert!(
        matches!(again, CreatedOnce::First(CreatedJob::Created(_))),
        "{again:?}"
    );
}

//! What a dead, silent or late host leaves behind.

use crate::support::store::{NOON, TestStore, seconds_after, task};
use orchestrator::domain::job::Status;
use orchestrator::store::{Accepted, StepEnd};

fn success() -> StepEnd {
    StepEnd::Done {
        status: Status::Success,
        response: None,
        error_code: None,
        message: None,
    }
}

fn wait(seconds: i64) -> StepEnd {
    StepEnd::Wait {
        state: b"sealed state".to_vec(),
        wake_at: seconds_after(NOON, seconds),
        response: Some(r#"{"url":"https://x/1"}"#.into()),
        message: Some("the job is processing".into()),
        component_digest: "d1".into(),
    }
}

#[tokio::test]
async fn a_waiting_task_is_a_row_that_goes_on_when_its_time_has_come() {
    let Some(mut test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = test.orchestration(vec![task("a")]).await;
    test.job(of.id, NOON).await;
    let steps = test.claim(host, NOON).await;
    let accepted = test.store.end_step(steps[0].lease, wait(30), NOON).await;
    assert_eq!(
        accepted.unwrap(),
        Accepted::Yes {
            has_more: false,
            ends_job: false
        }
    );

    test.reopen().await;
    let next = test.store.next_wake_time().await.unwrap();
    assert_eq!(next, Some(seconds_after(NOON, 30)));
    assert!(test.claim(host, seconds_after(NOON, 29)).await.is_empty());
    let resumed = test.claim(host, seconds_after(NOON, 30)).await;

    assert_eq!(resumed.len(), 1);
    assert_eq!((resumed[0].step, resumed[0].attempt), (1, 1));
    assert_eq!(resumed[0].state.as_deref(), Some(&b"sealed state"[..]));
    assert_eq!(resumed[0].component_digest.as_deref(), Some("d1"));
    assert_eq!(resumed[0].start_at, NOON);
}

#[tokio::test]
async fn the_work_of_a_host_that_fell_silent_is_given_back_and_its_late_result_refused() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let silent = test
        .store
        .register_host(NOON, seconds_after(NOON, 10))
        .await
        .unwrap();
    let other = test
        .store
        .register_host(NOON, seconds_after(NOON, 60))
        .await
        .unwrap();
    let of = test.orchestration(vec![task("a")]).await;
    let job = test.job(of.id, NOON).await;
    let before = test.claim(silent, NOON).await;
    assert!(
        test.store
            .mark_sent(before[0].lease, "d1".into())
            .await
            .unwrap()
    );

    let in_time = test
        .store
        .reap_dead_hosts(seconds_after(NOON, 10))
        .await
        .unwrap();
    let too_late = test
        .store
        .reap_dead_hosts(seconds_after(NOON, 11))
        .await
        .unwrap();
    assert_eq!((in_time, too_late), (0, 1));
    let after = test.claim(other, seconds_after(NOON, 11)).await;

    assert_eq!((after[0].attempt, after[0].is_sent), (2, true));
    let late = test
        .store
        .end_step(before[0].lease, success(), NOON)
        .await
        .unwrap();
    assert_eq!(late, Accepted::LeaseLost);
    assert!(
        !test
            .store
            .mark_sent(before[0].lease, "d1".into())
            .await
            .unwrap()
    );
    assert!(
        !test
            .store
            .renew_host(silent, seconds_after(NOON, 99))
            .await
            .unwrap()
    );
    test.store
        .end_step(after[0].lease, success(), NOON)
        .await
        .unwrap();
    let job = test
        .store
        .read_job(test.project, job.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(job.status, Status::Success);
}

#[tokio::test]
async fn a_checkpoint_takes_the_doubt_away_and_is_where_the_task_goes_on() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = test.orchestration(vec![task("a")]).await;
    test.job(of.id, NOON).await;
    let steps = test.claim(host, NOON).await;
    test.store
        .mark_sent(steps[0].lease, "d1".into())
        .await
        .unwrap();
    let saved = test
        .store
        .save_checkpoint(steps[0].lease, b"saved".to_vec(), "d1".into())
        .await;
    assert!(saved.unwrap());

    let next = test.store.register_host(NOON, NOON).await.unwrap();
    assert_eq!(test.store.take_over(next, NOON).await.unwrap(), 1);
    let again = test.claim(next, NOON).await;

    assert_eq!(again[0].state.as_deref(), Some(&b"saved"[..]));
    assert!(again[0].is_checkpointed && !again[0].is_sent);
    let late = test
        .store
        .save_checkpoint(steps[0].lease, b"late".to_vec(), "d1".into())
        .await;
    assert!(!late.unwrap());
}

#[tokio::test]
async fn an_abandoned_step_is_the_same_step_once_more() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = test.orchestration(vec![task("a")]).await;
    test.job(of.id, NOON).await;
    let steps = test.claim(host, NOON).await;

    let wake_at = seconds_after(NOON, 2);
    let abandoned = StepEnd::Abandoned { wake_at };
    test.store
        .end_step(steps[0].lease, abandoned, NOON)
        .await
        .unwrap();
    let again = test.claim(host, wake_at).await;

    assert_eq!((again[0].step, again[0].attempt), (0, 2));
}

#[tokio::test]
async fn a_clock_that_jumps_by_minutes_costs_repeated_steps_and_no_second_result() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let at = |seconds: i64| seconds_after(NOON, seconds);
    let fast = test.store.register_host(NOON, at(60)).await.unwrap();
    let right = test.store.register_host(NOON, at(10)).await.unwrap();
    let of = test.orchestration(vec![task("a")]).await;
    let job = test.job(of.id, NOON).await;
    let before = test.claim(right, NOON).await;

    // One host's clock is five minutes ahead: it takes the other for dead, and its work for its own.
    test.store.renew_host(fast, at(310)).await.unwrap();
    assert_eq!(test.store.reap_dead_hosts(at(300)).await.unwrap(), 1);
    let again = test.claim(fast, at(300)).await;
    let (late, first) = (before[0].lease, again[0].lease);
    let refused = test.store.end_step(late, success(), at(1)).await;
    assert_eq!(refused.unwrap(), Accepted::LeaseLost);
    let waits = test.store.end_step(first, wait(330), at(300)).await;
    assert!(matches!(waits, Ok(Accepted::Yes { .. })), "{waits:?}");

    // Its clock goes back: the task waits for the time that it was told, and no longer.
    assert_eq!(test.claim(fast, at(5)).await.len(), 0);
    let resumed = test.claim(fast, at(330)).await;
    let ended = test
        .store
        .end_step(resumed[0].lease, success(), at(30))
        .await;
    assert!(matches!(ended, Ok(Accepted::Yes { .. })), "{ended:?}");
    let job = test.store.read_job(test.project, job.id).await.unwrap();
    assert_eq!(job.unwrap().status, Status::Success);
}

//! Ticks: fired once, and every one accounted for.

use crate::support::store::{NOON, TestStore, new_orchestration, seconds_after, task};
use orchestrator::clock::Clock;
use orchestrator::domain::orchestration::Orchestration;
use orchestrator::domain::time::Timestamp;
use orchestrator::scheduler::Scheduler;
use orchestrator::store::{OrchestrationChange, Updated};
use orchestrator::wake::{Pause, Stop, Wake};

const MINUTE: i64 = 60;

fn scheduler(test: &TestStore, clock: &Clock) -> Scheduler {
    Scheduler {
        store: test.store.clone(),
        pause: Pause {
            clock: clock.clone(),
            wake: Wake::default(),
            stop: Stop::default(),
        },
        runner: Wake::default(),
        events: Wake::default(),
    }
}

async fn every_five_minutes(test: &TestStore) -> Orchestration {
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.crontab_record = Some("*/5 * * * *".into());
    test.create(new).await
}

async fn ledger(test: &TestStore, of: &Orchestration) -> Vec<(&'static str, i64, i64, u64)> {
    let ticks = test.store.list_ticks(test.project, of.id).await.unwrap();
    let minute = |time: Timestamp| (time.0 - NOON.0) / 60_000_000;
    ticks
        .iter()
        .map(|tick| {
            (
                tick.outcome.as_str(),
                minute(tick.from),
                minute(tick.to),
                tick.ticks,
            )
        })
        .collect()
}

async fn change(test: &TestStore, of: &Orchestration, change: OrchestrationChange, at: Timestamp) {
    let updated = test
        .store
        .update_orchestration(test.project, of.id, change, at)
        .await;
    assert!(matches!(updated, Ok(Updated::Done(_))), "{updated:?}");
}

fn active(active: bool) -> OrchestrationChange {
    OrchestrationChange {
        active: Some(active),
        ..OrchestrationChange::default()
    }
}

#[tokio::test]
async fn a_due_tick_becomes_one_job_however_many_hosts_look() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    assert_eq!(of.next_scheduled_at, Some(seconds_after(NOON, 5 * MINUTE)));

    let clock = Clock::manual(seconds_after(NOON, 5 * MINUTE));
    let (one, other) = (scheduler(&test, &clock), scheduler(&test, &clock));
    let (next, _) = tokio::join!(one.pass(), other.pass());

    assert_eq!(next.unwrap(), Some(seconds_after(NOON, 10 * MINUTE)));
    assert_eq!(ledger(&test, &of).await, [("fired", 5, 5, 1)]);
    let page = test
        .store
        .list_jobs(test.project, of.id, 10, 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page.total, 1);
    let of = test
        .store
        .read_orchestration(test.project, of.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(of.last_scheduled_at, Some(seconds_after(NOON, 5 * MINUTE)));
}

#[tokio::test]
async fn after_a_stop_the_latest_tick_runs_once_and_the_others_are_recorded_as_missed() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    let clock = Clock::manual(seconds_after(NOON, 27 * MINUTE));

    scheduler(&test, &clock).pass().await.unwrap();

    let expected = [("missed", 5, 20, 4), ("caught-up", 25, 25, 1)];
    assert_eq!(ledger(&test, &of).await, expected);
}

#[tokio::test]
async fn a_pause_is_one_row_and_makes_no_backlog() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    let clock = Clock::manual(seconds_after(NOON, 61 * MINUTE));

    change(&test, &of, active(false), seconds_after(NOON, MINUTE)).await;
    change(&test, &of, active(true), seconds_after(NOON, 61 * MINUTE)).await;
    let next = scheduler(&test, &clock).pass().await.unwrap();

    assert_eq!(next, Some(seconds_after(NOON, 65 * MINUTE)));
    assert_eq!(ledger(&test, &of).await, [("paused", 5, 60, 12)]);
}

#[tokio::test]
async fn a_change_that_comes_with_an_old_time_settles_no_tick_twice() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    let fired_at = seconds_after(NOON, 5 * MINUTE + 1);
    let scheduler = scheduler(&test, &Clock::manual(fired_at));
    scheduler.pass().await.unwrap();

    // The host that was asked looked at its clock, was held up, and comes only now.
    change(&test, &of, active(false), seconds_after(NOON, 4 * MINUTE)).await;
    change(&test, &of, active(true), seconds_after(NOON, 21 * MINUTE)).await;
    change(&test, &of, active(false), seconds_after(NOON, 22 * MINUTE)).await;
    change(&test, &of, active(true), seconds_after(NOON, 3 * MINUTE)).await;

    let expected = [("fired", 5, 5, 1), ("paused", 10, 20, 3)];
    assert_eq!(ledger(&test, &of).await, expected);
    let next = scheduler.pass().await.unwrap();
    assert_eq!(next, Some(seconds_after(NOON, 25 * MINUTE)));
}

#[tokio::test]
async fn an_edited_schedule_starts_from_now_and_what_was_overdue_is_missed() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    let hourly = OrchestrationChange {
        crontab_record: Some(Some("@hourly".into())),
        ..OrchestrationChange::default()
    };

    change(&test, &of, hourly, seconds_after(NOON, 6 * MINUTE)).await;

    assert_eq!(ledger(&test, &of).await, [("missed", 5, 5, 1)]);
    let of = test
        .store
        .read_orchestration(test.project, of.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(of.next_scheduled_at, Some(seconds_after(NOON, 60 * MINUTE)));
}

#[tokio::test]
async fn saving_a_schedule_unchanged_does_not_skip_a_tick_that_is_due() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    let same = OrchestrationChange {
        name: Some("renamed".into()),
        crontab_record: Some(Some("*/5 * * * *".into())),
        active: Some(true),
        ..OrchestrationChange::default()
    };
    let now = seconds_after(NOON, 5 * MINUTE + 1);

    change(&test, &of, same, now).await;
    scheduler(&test, &Clock::manual(now)).pass().await.unwrap();

    assert_eq!(ledger(&test, &of).await, [("fired", 5, 5, 1)]);
}

#[tokio::test]
async fn a_deleted_orchestration_is_due_no_more() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;

    test.store
        .delete_orchestration(test.project, of.id, NOON)
        .await
        .unwrap();
    let next = scheduler(&test, &Clock::manual(seconds_after(NOON, 99 * MINUTE)))
        .pass()
        .await;

    assert_eq!(next.unwrap(), None);
}

#[tokio::test]
async fn a_clock_that_jumps_by_minutes_neither_loses_nor_doubles_a_tick() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.crontab_record = Some("* * * * *".into());
    let of = test.create(new).await;
    let clock = Clock::manual(NOON);
    let scheduler = scheduler(&test, &clock);
    let at = |minute: i64| seconds_after(NOON, minute * MINUTE);
    // Five minutes ahead and back again, with passes in between, and an edit that looks for the next time by the wrong
    // clock.
    for minute in [1, 2, 7, 2, 3] {
        clock.set(at(minute));
        scheduler.pass().await.unwrap();
    }
    change(&test, &of, active(false), at(3)).await;
    change(&test, &of, active(true), at(3)).await;
    for minute in 4..=10 {
        clock.set(at(minute));
        scheduler.pass().await.unwrap();
    }

    let rows = ledger(&test, &of).await;
    let mut accounted: Vec<i64> = rows.iter().flat_map(|row| row.1..=row.2).collect();
    accounted.dedup();
    assert_eq!(accounted, (1..=10).collect::<Vec<_>>(), "{rows:?}");
    let fired: Vec<i64> = rows
        .iter()
        .filter(|row| row.0 != "missed")
        .map(|row| row.1)
        .collect();
    assert_eq!(fired, [1, 2, 7, 8, 9, 10], "{rows:?}");
    let page = test.store.list_jobs(test.project, of.id, 20, 0).await;
    assert_eq!(page.unwrap().unwrap().total, 6);
}

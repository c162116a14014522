//! One honest history, and each fault that the checker has to find in it.

use super::super::evidence::{Evidence, Known, SeenMail, Start, ToldOrchestration};
use super::{Broken, check};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::{
    DeliveryId, JobId, OrchestrationId, ProjectId, RevisionId, TaskRunId, TokenId,
};
use crate::domain::job::{Initiator, Job, Status, TaskRun};
use crate::domain::notification::{Channel, Notification, Target};
use crate::domain::orchestration::{Revision, TokenReference};
use crate::domain::plugin::Usage;
use crate::domain::task::Task;
use crate::domain::tick::TickOutcome;
use crate::domain::time::Timestamp;
use crate::store::{Delivery, KeptOrchestration, Tick};
use serde_json::Map;
use std::sync::Arc;

const OF: OrchestrationId = OrchestrationId(1);
const ADDRESS: &str = "a@torture.example";

fn second(minute: i64, second: i64) -> Timestamp {
    Timestamp((minute * 60 + second) * 1_000_000)
}

fn task(phase: Option<&str>) -> Task {
    Task {
        id: String::new(),
        component: Some("sync".into()),
        component_url: None,
        action: None,
        action_parameters: Map::new(),
        continue_on_failure: false,
        timeout_minutes: None,
        active: true,
        phase: phase.map(str::to_owned),
    }
}

/// A job of two tasks in a row, which runs for ten seconds.
fn job(id: i64, start_at: Timestamp, status: Status, request: Option<&str>) -> Job {
    let run = |position: usize, status| TaskRun {
        id: TaskRunId(10 * id + i64::try_from(position).unwrap()),
        position,
        status,
        start_at,
        end_at: Some(Timestamp(start_at.0 + 5_000_000)),
        response: None,
        error_code: None,
        message: None,
        usage: Usage::default(),
    };
    Job {
        id: JobId(id),
        project_id: ProjectId(1),
        orchestration_id: OF,
        revision: Arc::new(Revision {
            id: RevisionId(1),
            tasks: vec![task(None), task(None)],
            notifications: vec![Notification {
                email: Some(ADDRESS.into()),
                channel: Channel::Error,
                parameters: Map::new(),
                plugin: None,
                config: None,
            }],
        }),
        status,
        initialized_by: request.map_or(Initiator::Scheduler, |_| Initiator::Manually),
        created_at: start_at,
        start_at: Some(start_at),
        end_at: Some(Timestamp(start_at.0 + 10_000_000)),
        token: TokenReference {
            id: TokenId(1),
            description: String::new(),
        },
        initiator: None,
        notifications_emails: Vec::new(),
        active_tasks: None,
        parent_run_id: request.map(str::to_owned),
        trace: None,
        task_runs: vec![run(0, Status::Success), run(1, status)],
    }
}

fn tick(outcome: TickOutcome, from: i64, to: i64, job: Option<i64>) -> (OrchestrationId, Tick) {
    let tick = Tick {
        outcome,
        from: second(from, 0),
        to: second(to, 0),
        ticks: u64::try_from(to - from + 1).unwrap(),
        job_id: job.map(JobId),
        reason: None,
    };
    (OF, tick)
}

/// A schedule of every minute, made at 10:00:30 past, paused at 14:30. Job 1 fired, 12 was missed, job 2 caught up and
/// failed, job 3 was asked for, and job 4 was asked for and cancelled.
fn honest() -> Evidence {
    let mut evidence = Evidence::default();
    let kept = &mut evidence.kept;
    kept.orchestrations.push(KeptOrchestration {
        id: OF,
        name: "torture-1-1 v2".into(),
        crontab_record: Some("* * * * *".into()),
        active: false,
        created_at: second(10, 30),
        paused_at: Some(second(14, 30)),
        deleted_at: None,
        job_count: 4,
    });
    let mut cancelled = job(4, second(14, 20), Status::Cancelled, Some("request-4"));
    cancelled.start_at = None;
    cancelled.task_runs.clear();
    kept.jobs = vec![
        job(1, second(11, 0), Status::Success, None),
        job(2, second(13, 5), Status::Error, None),
        job(3, second(14, 5), Status::Success, Some("request-3")),
        cancelled,
    ];
    kept.ticks = vec![
        tick(TickOutcome::Fired, 11, 11, Some(1)),
        tick(TickOutcome::Missed, 12, 12, None),
        tick(TickOutcome::CaughtUp, 13, 13, Some(2)),
        tick(TickOutcome::Missed, 14, 14, None),
    ];
    kept.deliveries.push(Delivery {
        id: DeliveryId(7),
        job_id: JobId(2),
        channel: Channel::Error,
        target: Target::of_email(ADDRESS),
        status: DeliveryStatus::Delivered,
        attempts: 1,
        created_at: second(13, 15),
        next_attempt_at: None,
        end_at: Some(second(13, 16)),
        receipt: None,
        last_attempt: None,
    });
    for job in &kept.jobs {
        for run in &job.task_runs {
            evidence.starts.push(Start {
                key: format!("key-{}", run.id),
                run_id: format!("{}.{}", job.id, run.id),
                is_accepted: true,
                ended: Some(run.status),
            });
        }
        evidence.shown.insert(job.id, Some(job.status));
    }
    evidence.mails.push(SeenMail {
        to: ADDRESS.into(),
        message_id: "delivery-7.installation@localhost".into(),
    });
    let told = &mut evidence.told;
    told.names.insert("torture-1-1".into());
    told.orchestrations.insert(
        OF,
        ToldOrchestration {
            name: Known::new("torture-1-1 v2".into()),
            active: Known::new(false),
            deleted: Known::new(false),
        },
    );
    told.jobs
        .insert("request-3".into(), vec![JobId(3), JobId(3)]);
    told.jobs.insert("request-4".into(), vec![JobId(4)]);
    told.cancelled.insert(JobId(4));
    evidence.settled_until = Some(second(20, 0));
    evidence
}

#[test]
fn an_honest_history_has_no_violation() {
    assert_eq!(check(&honest()), []);
}

#[test]
fn what_is_allowed_is_no_violation() {
    let allowed: [fn(&mut Evidence); 7] = [
        // A start in doubt, which the component may have seen or not, and late.
        |of| {
            of.kept.jobs[1].task_runs[1].error_code = Some("IN_DOUBT".into());
            let late = of.starts.remove(3);
            of.starts.push(late);
        },
        |of| {
            of.kept.jobs[1].task_runs[1].error_code = Some("IN_DOUBT".into());
            of.starts.remove(3);
        },
        // A component that asked to come again.
        |of| {
            let busy = Start {
                is_accepted: false,
                ended: None,
                ..of.starts[0].clone()
            };
            of.starts.insert(0, busy);
        },
        // A mail that came twice, its record once.
        |of| of.mails.push(of.mails[0].clone()),
        // Writes whose answer got lost.
        |of| {
            let told = of.told.orchestrations.get_mut(&OF).unwrap();
            told.name = Known {
                acknowledged: "torture-1-1".into(),
                unanswered: vec!["torture-1-1 v2".into()],
            };
        },
        |of| {
            of.told.jobs.insert("request-3".into(), Vec::new());
        },
        // A pause that has ended.
        |of| {
            of.kept.orchestrations[0].paused_at = None;
            of.kept.ticks.push(tick(TickOutcome::Paused, 15, 20, None));
        },
    ];
    for (number, change) in allowed.into_iter().enumerate() {
        let mut evidence = honest();
        change(&mut evidence);
        assert_eq!(check(&evidence), [], "number {number}");
    }
}

#[test]
fn each_kind_of_violation_is_found() {
    type Change = fn(&mut Evidence);
    let faults: Vec<(&str, Broken, Change)> = vec![
        ("an acknowledged job is gone", Broken::JobLost, |of| {
            of.kept.jobs.remove(2);
        }),
        ("the API does not find it", Broken::JobLost, |of| {
            of.shown.insert(JobId(3), None);
        }),
        ("a tick that fired has no job", Broken::JobLost, |of| {
            of.kept.ticks[0].1.job_id = None;
        }),
        ("its job is gone", Broken::JobLost, |of| {
            of.kept.jobs.remove(0);
        }),
        ("one key, two jobs", Broken::JobDoubled, |of| {
            of.told.jobs.get_mut("request-3").unwrap().push(JobId(4));
        }),
        ("two jobs of one request", Broken::JobDoubled, |of| {
            of.kept.jobs[3].parent_run_id = Some("request-3".into());
        }),
        ("a job that nobody asked for", Broken::JobDoubled, |of| {
            of.kept.jobs[2].parent_run_id = Some("request-9".into());
        }),
        (
            "a job of the scheduler without a tick",
            Broken::JobDoubled,
            |of| {
                of.kept.ticks[0] = tick(TickOutcome::Missed, 11, 11, None);
            },
        ),
        ("a gap in the ledger", Broken::TickLost, |of| {
            of.kept.ticks.remove(1);
        }),
        ("the end of the ledger is open", Broken::TickLost, |of| {
            of.kept.ticks.pop();
        }),
        ("a row that counts wrongly", Broken::TickLost, |of| {
            of.kept.ticks[1].1.ticks = 2;
        }),
        ("a tick with two outcomes", Broken::TickDoubled, |of| {
            of.kept.ticks.push(tick(TickOutcome::Missed, 13, 13, None));
        }),
        ("one job for two ticks", Broken::TickDoubled, |of| {
            of.kept.ticks[2].1.job_id = Some(JobId(1));
        }),
        (
            "a tick before the schedule began",
            Broken::TickDoubled,
            |of| {
                of.kept.ticks.push(tick(TickOutcome::Missed, 9, 9, None));
            },
        ),
        (
            "a remote job started twice",
            Broken::RemoteJobDoubled,
            |of| of.starts.push(of.starts[5].clone()),
        ),
        (
            "started twice under another key",
            Broken::RemoteJobDoubled,
            |of| {
                let again = Start {
                    key: "another".into(),
                    ..of.starts[5].clone()
                };
                of.starts.push(again);
            },
        ),
        ("a success that was never run", Broken::TaskNotRun, |of| {
            of.starts.remove(0);
        }),
        (
            "a success whose component failed",
            Broken::TaskNotRun,
            |of| of.starts[0].ended = Some(Status::Error),
        ),
        ("a task left out", Broken::TaskNotRun, |of| {
            of.kept.jobs[0].task_runs.pop();
        }),
        ("a phase after a failed one", Broken::TaskNotRun, |of| {
            of.kept.jobs[1].task_runs[0].status = Status::Error;
            of.starts[2].ended = Some(Status::Error);
        }),
        ("a result after the end", Broken::LateResult, |of| {
            of.kept.jobs[0].task_runs[1].end_at = Some(second(11, 30));
        }),
        (
            "a job that is not what its tasks say",
            Broken::LateResult,
            |of| {
                of.kept.jobs[1].task_runs[1].status = Status::Success;
                of.starts[3].ended = Some(Status::Success);
            },
        ),
        ("a cancelled job that ran", Broken::LateResult, |of| {
            of.kept.jobs[3].task_runs = of.kept.jobs[2].task_runs.clone();
        }),
        ("a job that still runs", Broken::LeftOver, |of| {
            of.kept.jobs[2].status = Status::Processing;
        }),
        ("a task that still runs", Broken::LeftOver, |of| {
            of.kept.jobs[2].task_runs[1].end_at = None;
        }),
        ("a delivery under way", Broken::LeftOver, |of| {
            of.kept.deliveries[0].status = DeliveryStatus::Pending;
        }),
        (
            "two jobs of an orchestration at once",
            Broken::RanSideBySide,
            |of| of.starts.swap(1, 2),
        ),
        (
            "a failure that nobody was told",
            Broken::NotificationLost,
            |of| {
                of.kept.deliveries.pop();
            },
        ),
        ("a mail that never came", Broken::NotificationLost, |of| {
            of.mails.pop();
        }),
        ("a mail to somebody else", Broken::NotificationLost, |of| {
            of.mails[0].to = "b@torture.example".into();
        }),
        ("a delivery given up", Broken::NotificationLost, |of| {
            of.kept.deliveries[0].status = DeliveryStatus::Failed;
        }),
        (
            "a delivery recorded twice",
            Broken::NotificationDoubled,
            |of| {
                of.kept.deliveries.push(of.kept.deliveries[0].clone());
            },
        ),
        (
            "a delivery for a job that did not fail",
            Broken::NotificationDoubled,
            |of| {
                of.kept.deliveries[0].job_id = JobId(3);
            },
        ),
        ("an orchestration is gone", Broken::WriteLost, |of| {
            of.told
                .orchestrations
                .insert(OrchestrationId(2), of.told.orchestrations[&OF].clone());
        }),
        ("an edit is gone", Broken::WriteLost, |of| {
            of.kept.orchestrations[0].name = "torture-1-1".into();
        }),
        ("a pause is gone", Broken::WriteLost, |of| {
            of.kept.orchestrations[0].active = true;
        }),
        ("a deletion is gone", Broken::WriteLost, |of| {
            of.told.orchestrations.get_mut(&OF).unwrap().deleted = Known::new(true);
        }),
        ("a cancellation is gone", Broken::WriteLost, |of| {
            let _ = of.told.cancelled.insert(JobId(3));
        }),
        (
            "an orchestration that nobody made",
            Broken::WrongAnswer,
            |of| of.told.names.clear(),
        ),
        ("one orchestration too many", Broken::WrongAnswer, |of| {
            let again = KeptOrchestration {
                id: OrchestrationId(2),
                crontab_record: None,
                job_count: 0,
                ..of.kept.orchestrations[0].clone()
            };
            of.kept.orchestrations.push(again);
        }),
        ("a wrong total", Broken::WrongAnswer, |of| {
            of.kept.orchestrations[0].job_count = 5;
        }),
        ("a server error", Broken::WrongAnswer, |of| {
            of.told.wrong_answers.push("500".into());
        }),
    ];
    for (what, broken, change) in faults {
        let mut evidence = honest();
        change(&mut evidence);
        let found = check(&evidence);
        assert!(
            found.iter().any(|one| one.broken == broken),
            "{what}: {found:?}"
        );
    }
}

//! Looking for jobs among all of a project.

use crate::support::store::{NOON, TestStore, seconds_after, task};
use orchestrator::domain::ids::JobId;
use orchestrator::domain::job::{Initiator, Status};
use orchestrator::store::JobSearch;
use std::time::Duration;

/// Job `n` is created `n` seconds after noon; every thousandth fails, every job ran for `n % 100` seconds.
const JOBS: i64 = 12_000;

/// A long history of two orchestrations, written at once, and another project beside it.
async fn filled(test: &TestStore) -> [orchestrator::domain::ids::OrchestrationId; 2] {
    let [one, other] = [
        test.orchestration(vec![task("a")]).await,
        test.orchestration(vec![task("b")]).await,
    ];
    let first = test.job(one.id, NOON).await;
    let copies = |from: &str| {
        format!(
            "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, \
             start_at, end_at, token_id, token_description) \
             SELECT project_id, CASE WHEN n % 3 = 0 THEN {} ELSE orchestration_id END, revision_id, \
             CASE WHEN n % 1000 = 0 THEN 'error' ELSE 'success' END, 0, \
             CASE WHEN n % 2 = 0 THEN 'scheduler' ELSE 'manually' END, {} + n * 1000000, {} + n * 1000000, \
             {} + n * 1000000 + (n % 100) * 1000000, token_id, token_description FROM jobs, ({from}) numbers WHERE id = {} \
             ORDER BY n",
            other.id, NOON.0, NOON.0, NOON.0, first.id
        )
    };
    let numbers = format!(
        "WITH RECURSIVE c (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM c WHERE n < {JOBS}) SELECT n FROM c"
    );
    test.sql(&[copies(&numbers), "ANALYZE".to_owned()]).await;
    [one.id, other.id]
}

/// All pages, and how many there were.
async fn all(test: &TestStore, search: &JobSearch) -> (Vec<JobId>, usize) {
    let (mut found, mut pages, mut before) = (Vec::new(), 0, None);
    loop {
        let now = seconds_after(NOON, JOBS * 2);
        let page = test.store.find_jobs(test.project, search, before, 100, now);
        let page = page.await.unwrap();
        found.extend(page.jobs.iter().map(|one| one.job.id));
        pages += 1;
        before = page.next;
        if before.is_none() {
            return (found, pages);
        }
    }
}

#[tokio::test]
async fn each_filter_finds_its_jobs_newest_first_and_each_once() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let [_, other] = filled(&test).await;
    let at = |second| Some(seconds_after(NOON, second));
    let any = JobSearch::default;

    for (search, count, most_pages) in [
        (any(), 12_001, 121),
        (
            JobSearch {
                statuses: vec![Status::Error],
                ..any()
            },
            12,
            1,
        ),
        (
            JobSearch {
                statuses: vec![Status::Waiting],
                ..any()
            },
            1,
            3,
        ),
        (
            JobSearch {
                statuses: vec![Status::Error, Status::Success],
                ..any()
            },
            12_000,
            125,
        ),
        (
            JobSearch {
                initiator: Some(Initiator::Scheduler),
                ..any()
            },
            6_000,
            65,
        ),
        (
            JobSearch {
                orchestration: Some(other),
                ..any()
            },
            4_000,
            41,
        ),
        (
            JobSearch {
                since: at(11_000),
                until: at(11_099),
                ..any()
            },
            100,
            1,
        ),
        (
            JobSearch {
                orchestration: Some(other),
                since: at(11_000),
                until: at(11_099),
                ..any()
            },
            33,
            1,
        ),
        (
            JobSearch {
                at_least: Some(Duration::from_secs(99)),
                ..any()
            },
            120,
            5,
        ),
        (
            JobSearch {
                at_most: Some(Duration::from_secs(0)),
                until: at(1_000),
                ..any()
            },
            10,
            1,
        ),
        (
            JobSearch {
                statuses: vec![Status::Error],
                initiator: Some(Initiator::Scheduler),
                orchestration: Some(other),
                since: at(1),
                until: at(JOBS),
                at_least: Some(Duration::ZERO),
                at_most: Some(Duration::from_secs(1)),
            },
            4,
            2,
        ),
    ] {
        let (found, pages) = all(&test, &search).await;
        let mut sorted = found.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted.dedup();
        assert_eq!(found.len(), count, "{search:?}");
        assert_eq!(sorted, found, "{search:?}");
        assert!(pages <= most_pages, "{pages} pages: {search:?}");
    }
}

#[tokio::test]
async fn looking_for_jobs_walks_an_index_and_sorts_no_history() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let [_, other] = filled(&test).await;
    let any = JobSearch::default;

    for (search, index) in [
        (any(), "jobs_by_time"),
        (
            JobSearch {
                since: Some(NOON),
                until: Some(NOON),
                ..any()
            },
            "jobs_by_time",
        ),
        (
            JobSearch {
                statuses: vec![Status::Success],
                ..any()
            },
            "jobs_by_time",
        ),
        (
            JobSearch {
                statuses: vec![Status::Error],
                ..any()
            },
            "jobs_by_failure",
        ),
        (
            JobSearch {
                statuses: vec![Status::Warning, Status::Cancelled],
                ..any()
            },
            "jobs_by_failure",
        ),
        (
            JobSearch {
                orchestration: Some(other),
                ..any()
            },
            "jobs_by_orchestration",
        ),
    ] {
        let plan = test.store.explain_find_jobs(test.project, &search, NOON);
        let plan = plan.await.unwrap().join("\n");
        assert!(plan.contains(index), "{search:?}: {plan}");
        // Of jobs, nothing is read whole.
        assert!(!plan.contains("Seq Scan on jobs"), "{plan}");
        assert!(!plan.contains("SCAN jobs\n"), "{plan}");
    }
}

#[tokio::test]
async fn a_page_of_an_orchestrations_jobs_is_read_by_their_ids_whatever_the_project_has() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };

    let plans = test.store.explain_list_jobs().await.unwrap();

    // Indexes that begin with a project or a status lead to far more jobs than a page has.
    for plan in plans.map(|plan| plan.join("\n")) {
        for other in [
            "jobs_by_time",
            "jobs_by_failure",
            "SCAN jobs\n",
            "Seq Scan on jobs",
        ] {
            assert!(!plan.contains(other), "{other}: {plan}");
        }
    }
}

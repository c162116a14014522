//! What is counted, as it is printed.

use super::*;

#[test]
fn what_is_not_the_servers_own_word_is_no_label() {
    let metrics = Metrics::default();
    metrics.request_answered(Some("/jobs/{id}"), "GET", 200, Duration::from_millis(3));
    metrics.request_answered(None, "BREW", 404, Duration::ZERO);
    metrics.task_failed(Some("CPU_LIMIT"));
    metrics.task_failed(Some("A_TENANTS_WORD"));
    metrics.task_ended(None, Status::Error, Duration::from_secs(1));

    let printed = metrics.print().expect("text");

    for line in [
        r#"orchestrator_http_requests_total{route="/jobs/{id}",method="GET",status="200"} 1"#,
        r#"orchestrator_http_requests_total{route="other",method="other",status="404"} 1"#,
        r#"orchestrator_task_failures_total{code="CPU_LIMIT"} 1"#,
        r#"orchestrator_task_failures_total{code="other"} 1"#,
        r#"orchestrator_task_duration_seconds_count{plugin="other",outcome="error"} 1"#,
    ] {
        assert!(printed.contains(line), "{line} is not in\n{printed}");
    }
    assert!(!printed.contains("TENANTS"), "{printed}");
}

#[test]
fn what_waits_is_shown_only_where_the_database_told_it() {
    let metrics = Metrics::default();
    let backlog = Backlog {
        jobs_waiting: 7,
        schedule_overdue: Duration::from_millis(1_500),
        ..Backlog::default()
    };

    metrics.show_backlog(Some(backlog));
    let told = metrics.print().expect("text");
    metrics.show_backlog(None);
    let silent = metrics.print().expect("text");

    assert!(told.contains("orchestrator_jobs_waiting 7\n"), "{told}");
    assert!(
        told.contains("orchestrator_schedule_overdue_seconds 1.5\n"),
        "{told}"
    );
    assert!(told.contains("orchestrator_database_up 1\n"), "{told}");
    assert!(!silent.contains("orchestrator_jobs_waiting"), "{silent}");
    assert!(silent.contains("orchestrator_database_up 0\n"), "{silent}");
}

#[test]
fn a_step_counts_as_running_until_it_is_let_go() {
    let metrics = Metrics::default();
    let running = metrics.step_begun();
    assert!(
        metrics
            .print()
            .expect("text")
            .contains("orchestrator_steps_running 1\n")
    );
    drop(running);
    assert!(
        metrics
            .print()
            .expect("text")
            .contains("orchestrator_steps_running 0\n")
    );
}

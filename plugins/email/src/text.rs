//! The plain text part.

use crate::notice::Notice;

pub fn write(notice: &Notice) -> String {
    let mut text = match notice.url.as_str() {
        "" => format!("{}.\n", notice.lead),
        url => format!("{}: {url}\n", notice.lead),
    };
    if !notice.tasks.is_empty() {
        text.push_str("\nFailed tasks:\n");
    }
    for task in &notice.tasks {
        text.push_str(&format!("- {}: {}\n", task.name, task.status));
        if !task.message.is_empty() {
            text.push_str(&format!("  {}\n", task.message));
        }
    }
    text.push('\n');
    for (label, value) in &notice.facts {
        text.push_str(&format!("{label}: {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::notice::Notice;
    use crate::testing::event;

    #[test]
    fn the_first_line_is_enough_and_the_rest_is_short() {
        assert_eq!(
            super::write(&Notice::of(&event())),
            "Job 12 of the orchestration “Nightly <load>” failed at 2026-04-02 03:04:05 UTC: \
             https://orchestrator.example/jobs/12\n\
             \n\
             Failed tasks:\n\
             - ex-db (task t1): error\n  no such table <b>\n\
             - wr-db (task t2): warning\n\
             \n\
             Status: error\n\
             Created: 2026-04-02 03:00:00 UTC\n\
             Started: 2026-04-02 03:01:00 UTC\n\
             Ended: 2026-04-02 03:04:05 UTC\n\
             Started by: its schedule\n\
             Run id: 12\n\
             Orchestration: https://orchestrator.example/orchestrations/5\n"
        );
    }
}

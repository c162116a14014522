//! Phases: consecutive tasks that carry the same non-null `phase` run in parallel, phases one after another.

use crate::domain::task::Task;
use std::ops::Range;

/// Position ranges of the phases of `tasks`, in order. A task with `phase: null` is a phase of its own.
#[must_use]
pub fn ranges(tasks: &[Task]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut open: Option<&str> = None;
    for (position, task) in tasks.iter().enumerate() {
        let phase = task.phase.as_deref();
        match ranges.last_mut() {
            Some(last) if phase.is_some() && phase == open => last.end = position + 1,
            _ => ranges.push(position..position + 1),
        }
        open = phase;
    }
    ranges
}

/// Positions of the active tasks of the first phase at or after `from` that has any; empty where there is none.
#[must_use]
pub fn next_active(tasks: &[Task], from: usize) -> Vec<usize> {
    ranges(tasks)
        .into_iter()
        .filter(|range| range.start >= from)
        .map(|range| {
            range
                .filter(|at| tasks.get(*at).is_some_and(|task| task.active))
                .collect::<Vec<_>>()
        })
        .find(|active| !active.is_empty())
        .unwrap_or_default()
}

/// Where the phase that holds `position` ends (exclusive).
#[must_use]
pub fn end_of(tasks: &[Task], position: usize) -> usize {
    ranges(tasks)
        .into_iter()
        .find(|range| range.contains(&position))
        .map_or(tasks.len(), |range| range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(phases: &[(Option<&str>, bool)]) -> Vec<Task> {
        phases
            .iter()
            .map(|(phase, active)| Task {
                id: String::new(),
                component: Some("c".into()),
                component_url: None,
                action: None,
                action_parameters: serde_json::Map::new(),
                continue_on_failure: false,
                timeout_minutes: None,
                active: *active,
                phase: phase.map(str::to_owned),
            })
            .collect()
    }

    #[test]
    fn equal_neighbours_share_a_phase_and_null_never_does() {
        let list = tasks(&[
            (Some("10"), true),
            (Some("10"), true),
            (None, true),
            (Some("0"), true),
            (Some("test"), true),
        ]);
        assert_eq!(ranges(&list), [0..2, 2..3, 3..4, 4..5]);
        let nulls = tasks(&[
            (None, true),
            (None, true),
            (Some("a"), true),
            (None, true),
            (Some("a"), true),
        ]);
        assert_eq!(ranges(&nulls).len(), 5);
    }

    #[test]
    fn phases_without_an_active_task_are_passed_over() {
        let list = tasks(&[
            (Some("a"), false),
            (Some("a"), false),
            (None, false),
            (Some("b"), true),
            (Some("b"), false),
        ]);
        assert_eq!(next_active(&list, 0), [3]);
        assert_eq!(end_of(&list, 3), 5);
        assert!(next_active(&list, 5).is_empty());
    }
}

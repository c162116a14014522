//! State that a task saves in the middle of a step.

use std::sync::Arc;

use orchestrator::domain::step::{Checkpoint, StepCall};
use orchestrator::plugins::{SaveError, StepError};
use serde_json::json;

use crate::support::steps::{Recorder, context, failure, plugins, response, run, start_with};

async fn saves(
    parameters: serde_json::Value,
    recorder: &Arc<Recorder>,
) -> Result<orchestrator::domain::step::Step, StepError> {
    start_with(plugins(), "checkpoints", context(&parameters), recorder).await
}

#[tokio::test]
async fn a_checkpoint_reaches_the_runner_before_the_step_goes_on() {
    let recorder = Arc::new(Recorder::default());

    let result = saves(json!({"then": "trap"}), &recorder).await;

    assert_eq!(failure(result).code, "TRAP");
    let saved = Checkpoint {
        format: 1,
        data: b"sssss".to_vec(),
    };
    assert_eq!(recorder.noted().saved, [saved]);
}

#[tokio::test]
async fn a_recovered_step_is_told_so() {
    let call = StepCall::Resume {
        state: Checkpoint {
            format: 1,
            data: b"kept".to_vec(),
        },
        is_recovery: true,
    };

    let result = run(
        plugins(),
        "checkpoints",
        context(&json!({"then": "return"})),
        call,
        &Arc::default(),
    )
    .await;

    assert_eq!(
        response(result),
        json!({"state": "kept", "wake": "recovery", "attempt": 1, "step": 0})
    );
}

#[tokio::test]
async fn a_checkpoint_over_the_limit_is_refused_without_the_runner() {
    let recorder = Arc::new(Recorder::default());

    let result = saves(json!({"then": "return", "bytes": 65_537}), &recorder).await;

    assert_eq!(response(result)["error"], "SaveError::TooLarge(65536)");
    assert!(recorder.noted().saved.is_empty());
}

#[tokio::test]
async fn a_step_whose_lease_is_lost_is_abandoned_whatever_it_answers() {
    let recorder = Arc::new(Recorder {
        save: Err(SaveError::LeaseLost),
        ..Recorder::default()
    });

    let result = saves(json!({"then": "return"}), &recorder).await;

    assert!(matches!(result, Err(StepError::Abandoned(_))), "{result:?}");
}

#[tokio::test]
async fn a_state_that_cannot_be_kept_is_the_plugins_matter() {
    let recorder = Arc::new(Recorder {
        save: Err(SaveError::Unavailable("no database".into())),
        ..Recorder::default()
    });

    let result = saves(json!({"then": "return"}), &recorder).await;

    let error = response(result)["error"].to_string();
    assert!(error.contains("no database"), "{error}");
}

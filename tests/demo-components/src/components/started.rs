//! Components that answer with a job: `async` and its odd relatives.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::parameters::{self, BadParameters, Parameters};
use super::{Call, Component};
use crate::jobs::{self, Obstacle, Plan, Until};

pub(super) async fn start_job(call: &Call) -> Result<Response, BadParameters> {
    let given = call.parameters()?;
    let answer_after = parameters::duration("answerAfter", given.answer_after)?;
    if call.entry.component == Component::Elsewhere && given.url.is_none() {
        return Err(BadParameters::new("elsewhere needs the parameter url"));
    }

    let plan = plan(call, &given)?;
    let tells_finished = plan.tells_finished;
    let (id, is_new) = call.demo.jobs.start(plan);
    if is_new {
        // Only the first answer is late: whoever repeats an idempotent start is answered at once.
        tokio::time::sleep(answer_after).await;
    }

    let url = match (call.entry.component, given.url) {
        (Component::Elsewhere, Some(url)) => url,
        _ => jobs::address(&call.origin, &id),
    };
    let mut job = json!({ "id": id, "url": url, "status": "waiting" });
    if let (true, Some(fields)) = (tells_finished, job.as_object_mut()) {
        fields.insert("isFinished".into(), false.into());
    }
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

fn plan(call: &Call, given: &Parameters) -> Result<Plan, BadParameters> {
    let until = match (given.polls, given.seconds) {
        (Some(times), _) => Until::Polled(times),
        (None, seconds) => Until::Elapsed(parameters::duration("seconds", seconds.unwrap_or(2.0))?),
    };
    let obstacle = match call.entry.component {
        Component::FlakyPoll => Obstacle::Fails {
            times_left: given.failures,
            code: given.code_or(StatusCode::INTERNAL_SERVER_ERROR)?,
        },
        Component::RedirectPoll => {
            if let Some(to) = &given.to {
                parameters::header("to", to)?;
            }
            Obstacle::Redirects {
                to: given.to.clone(),
            }
        }
        _ => Obstacle::None,
    };
    Ok(Plan {
        component: call.entry.name,
        ending: given.result,
        until,
        obstacle,
        tells_finished: call.entry.component != Component::AsyncNoFlag,
        same_job_key: call
            .idempotency_key()
            .filter(|_| given.idempotent)
            .map(str::to_owned),
    })
}

//! The calls that start an orchestration: `/run`, which makes it a component like any other, `/trigger`, and what both
//! share with the creation of a job by hand.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonObject;
use super::follow::Followed;
use super::paths::IdText;
use super::read::{RunBody, check, read_config, read_run};
use super::shapes::print_job;
use super::{ApiError, ApiState};
use crate::domain::ids::OrchestrationId;
use crate::domain::job::Initiator;
use crate::domain::trace::TraceContext;
use crate::store::{CreatedJob, CreatedOnce, IdempotencyKey, NewJob, Store};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// Names the run of which a call is part.
const RUN_ID_HEADER: &str = "x-kbc-runid";
/// Names a request that is to be done once, however often it is sent.
const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
const MOST_KEY_CHARACTERS: usize = 255;
/// Longest run id that is kept, in characters.
const MOST_RUN_ID_CHARACTERS: usize = 255;

/// What a call that starts an orchestration brings besides its body.
pub(super) struct RunRequest {
    caller: Caller,
    base: Base,
    parent_run_id: Option<String>,
    trace: Option<TraceContext>,
    idempotency_key: Option<String>,
}

impl FromRequestParts<ApiState> for RunRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Ok(base) = Base::from_request_parts(parts, state).await;
        let header = parts
            .headers
            .get(RUN_ID_HEADER)
            .filter(|value| !value.is_empty());
        let parent_run_id = match header.map(|value| value.to_str()) {
            None => None,
            Some(Ok(text)) if text.len() <= MOST_RUN_ID_CHARACTERS => Some(text.to_owned()),
            Some(_) => {
                let reason =
                    format!("must be ASCII text of at most {MOST_RUN_ID_CHARACTERS} characters");
                return Err(ApiError::fault("X-KBC-RunId", reason));
            }
        };
        Ok(Self {
            caller,
            base,
            parent_run_id,
            trace: parts
                .extensions
                .get::<Followed>()
                .and_then(|followed| followed.kept(state)),
            idempotency_key: idempotency_key(&parts.headers)?,
        })
    }
}

/// The key under which the job is asked for once; `None` without the header.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let is_key = (1..=MOST_KEY_CHARACTERS).contains(&bytes.len())
        && bytes.iter().all(u8::is_ascii_graphic)
        && values.next().is_none();
    if is_key {
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    } else {
        let reason =
            format!("must be given once, as 1 to {MOST_KEY_CHARACTERS} visible ASCII characters");
        Err(ApiError::fault("Idempotency-Key", reason))
    }
}

/// Which call asks for a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum RunCall {
    Jobs,
    Run,
    Trigger,
}

impl RunCall {
    fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Run => "run",
            Self::Trigger => "trigger",
        }
    }

    fn initialized_by(self) -> Initiator {
        match self {
            Self::Jobs | Self::Run => Initiator::Manually,
            Self::Trigger => Initiator::Trigger,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Jobs => StatusCode::CREATED,
            Self::Run | Self::Trigger => StatusCode::ACCEPTED,
        }
    }
}

pub(super) async fn run_orchestration(
    State(state): State<ApiState>,
    run: RunRequest,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let (id, wishes) = check(|faults| (read_config(&body, faults), read_run(&body, faults)))?;
    let id = id.ok_or(ApiError::NotFound)?;
    make_job(&state, run, RunCall::Run, id, wishes).await
}

/// Runs all tasks as configured; the body asks for nothing.
pub(super) async fn trigger_orchestration(
    State(state): State<ApiState>,
    run: RunRequest,
    id: IdText,
    _body: JsonObject,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    make_job(&state, run, RunCall::Trigger, id, RunBody::default()).await
}

/// Creates a job, or finds the one that was created under the request's key, and prints it.
pub(super) async fn make_job(
    state: &ApiState,
    run: RunRequest,
    call: RunCall,
    orchestration_id: OrchestrationId,
    wishes: RunBody,
) -> Result<Response, ApiError> {
    let store = run.caller.store(state);
    let new = NewJob {
        project_id: run.caller.project,
        orchestration_id,
        initialized_by: call.initialized_by(),
        initiator: Some(run.caller.into_initiator()),
        notifications_emails: wishes.notifications_emails,
        tasks: wishes.tasks,
        parent_run_id: run.parent_run_id,
        trace: run.trace,
    };
    let created = match run.idempotency_key {
        None => store.create_job(new, state.clock.now()).await?,
        Some(key) => {
            let call = call.as_str();
            create_once(state, &store, new, IdempotencyKey { key, call }).await?
        }
    };
    match created {
        CreatedJob::Created(job) => {
            state.runner.poke();
            state.events.poke();
            Ok((call.status(), print_job(&job, &run.base)).into_response())
        }
        CreatedJob::NotFound => Err(ApiError::NotFound),
        CreatedJob::Inactive => Err(ApiError::Inactive),
        CreatedJob::TasksDiffer(message) => Err(ApiError::TasksDiffer(message)),
    }
}

/// A repeated request gets its job as it is now.
async fn create_once(
    state: &ApiState,
    store: &Store,
    new: NewJob,
    key: IdempotencyKey,
) -> Result<CreatedJob, ApiError> {
    let project = new.project_id;
    let created = store.create_job_once(new, key, state.clock.now()).await?;
    match created {
        CreatedOnce::First(created) => Ok(created),
        CreatedOnce::Again(id) => {
            let job = state.store.read_job(project, id).await?;
            Ok(job.map_or(CreatedJob::NotFound, |job| {
                CreatedJob::Created(Box::new(job))
            }))
        }
        CreatedOnce::Conflict => Err(ApiError::IdempotencyConflict),
    }
}

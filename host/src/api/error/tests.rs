//! The table of errors and their answers.

use super::*;
use crate::api::openapi::ALL_FAILURES;
use crate::api::{ApiParts, ApiSettings, Limiter, RateLimits};
use crate::clock::{Clock, Random};
use crate::domain::quota::Quota;
use crate::domain::role::Roles;
use crate::domain::time::Timestamp;
use crate::plugins::{CompilerSettings, OutboundSettings, PluginSettings, Plugins, StepLimits};
use crate::registry::Registry;
use crate::store::Store;
use crate::tokens::{Keys, Tokens};
use crate::wake::Wake;
use serde_json::{Value, json};
use std::path::Path;

async fn printed(error: ApiError) -> (u16, Option<String>, Value) {
    let error = Arc::new(error);
    let response = fill(error.kind().0.into_response(), &error, "id".into());
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .map(|value| value.to_str().expect("text").to_owned());
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 16)
        .await
        .expect("body");
    (
        status,
        retry_after,
        serde_json::from_slice(&bytes).expect("JSON"),
    )
}

fn fault(path: &str) -> Fault {
    Fault {
        path: path.into(),
        message: "is wrong".into(),
    }
}

#[tokio::test]
async fn each_error_has_its_status_and_code() {
    let damaged = || StoreError::Damaged {
        table: "jobs",
        reason: "x".into(),
    };
    let over = |quota| ApiError::from(StoreError::OverQuota(OverQuota { quota, limit: 1 }));
    let not_json = serde_json::from_str::<Value>("{").expect_err("not JSON");
    for (error, status, code) in [
        (ApiError::Unauthorized, 401, "UNAUTHORIZED"),
        (ApiError::Forbidden("do that"), 403, "FORBIDDEN"),
        (ApiError::NotFound, 404, "NOT_FOUND"),
        (ApiError::MethodNotAllowed, 405, "METHOD_NOT_ALLOWED"),
        (ApiError::BodyTimeout, 408, "BODY_TIMEOUT"),
        (ApiError::BodyTooLarge { limit: 1 }, 413, "BODY_TOO_LARGE"),
        (
            ApiError::UnsupportedMediaType,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            ApiError::BodyUnreadable(axum::Error::new("cut")),
            400,
            "BODY_UNREADABLE",
        ),
        (ApiError::NotJson(not_json), 400, "INVALID_JSON"),
        (ApiError::Invalid(vec![fault("name")]), 400, "VALIDATION"),
        (
            ApiError::TasksDiffer("differs".into()),
            400,
            "JOB_VALIDATION",
        ),
        (
            ApiError::JobNotWaiting {
                job: JobId(7),
                status: Status::Success,
            },
            409,
            "JOB_NOT_WAITING",
        ),
        (ApiError::Inactive, 409, "ORCHESTRATION_NOT_ACTIVE"),
        (ApiError::IdempotencyConflict, 409, "IDEMPOTENCY_CONFLICT"),
        (
            ApiError::TokenInUse(TokenUse::default()),
            409,
            "TOKEN_IN_USE",
        ),
        (ApiError::MasterToken, 409, "MASTER_TOKEN"),
        (ApiError::NotComponent, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            ApiError::PluginInvalid(vec![fault("manifest.id")]),
            422,
            "PLUGIN_INVALID",
        ),
        (
            ApiError::PluginConflict {
                code: "PLUGIN_ID_TAKEN",
                message: "taken".into(),
            },
            409,
            "PLUGIN_ID_TAKEN",
        ),
        (
            ApiError::PluginInUse(PluginUse::default()),
            409,
            "PLUGIN_IN_USE",
        ),
        (
            ApiError::Plugin(PluginError::Compiler("x".into())),
            500,
            "INTERNAL_ERROR",
        ),
        (ApiError::DeliveryPending, 409, "DELIVERY_PENDING"),
        (ApiError::TooManyCredentials, 409, "TOO_MANY_CREDENTIALS"),
        (ApiError::OperatorUnauthorized, 401, "UNAUTHORIZED"),
        (
            ApiError::from(StoreError::ProjectClosed),
            401,
            "PROJECT_DISABLED",
        ),
        (over(Quota::Orchestrations), 403, "QUOTA_EXCEEDED"),
        (over(Quota::JobsPerDay), 429, "QUOTA_EXCEEDED"),
        (ApiError::Store(StoreError::Closing), 503, "UNAVAILABLE"),
        (
            ApiError::Token(TokenError::Store(StoreError::Closing)),
            503,
            "UNAVAILABLE",
        ),
        (ApiError::Store(damaged()), 500, "INTERNAL_ERROR"),
        (
            ApiError::Token(TokenError::Store(damaged())),
            500,
            "INTERNAL_ERROR",
        ),
        (ApiError::Panicked("ouch".into()), 500, "INTERNAL_ERROR"),
    ] {
        let name = format!("{error:?}");
        let (printed_status, retry_after, body) = printed(error).await;
        assert_eq!(
            (printed_status, &body["code"]),
            (status, &json!(code)),
            "{name}"
        );
        let kind = if status < 500 {
            ("warning", "User error")
        } else {
            ("error", "Application error")
        };
        assert_eq!(
            (&body["status"], &body["error"]),
            (&json!(kind.0), &json!(kind.1)),
            "{name}"
        );
        assert_eq!(retry_after.is_some(), status == 503, "{name}");
        let is_described = ALL_FAILURES
            .iter()
            .any(|failure| (failure.status, failure.code) == (status, code));
        assert!(is_described, "{name} is not in the API's document");
    }
}

#[tokio::test]
async fn several_faults_are_counted_in_the_message_and_listed() {
    let (_, _, body) = printed(ApiError::Invalid(vec![
        fault("name"),
        fault("tasks[1].component"),
    ]))
    .await;
    assert_eq!(
        body,
        json!({
            "status": "warning", "error": "User error", "code": "VALIDATION",
            "message": "The request has 2 faults, listed in errors", "exceptionId": "id", "runId": null,
            "errors": [
                {"path": "name", "message": "is wrong"},
                {"path": "tasks[1].component", "message": "is wrong"},
            ],
        })
    );
}

#[tokio::test]
async fn a_failure_of_ours_tells_nothing_of_the_inside() {
    let reason = "secret detail".to_owned();
    let (_, _, body) = printed(ApiError::Store(StoreError::Damaged {
        table: "jobs",
        reason,
    }))
    .await;
    assert!(
        !body.to_string().contains("jobs") && !body.to_string().contains("secret"),
        "{body}"
    );
}

/// What handlers share, on a database of its own in that directory, and with a clock that stands still.
pub(in crate::api) async fn state(dir: &Path) -> ApiState {
    let (clock, random) = (Clock::manual(Timestamp(0)), Random::seeded(1));
    let store = Store::open(&Store::embedded_url(dir)).await.expect("store");
    let keys = Keys::load(None, dir, &random).expect("keys");
    let tokens = Tokens::open(store.clone(), keys, clock.clone(), random.clone())
        .await
        .expect("tokens");
    let settings = ApiSettings {
        roles: Roles::all(),
        public_url: None,
        trusted_proxies: Vec::new(),
        body_limit: 1,
        plugin_limit: 1,
        operator_token: None,
    };
    let plugins = PluginSettings {
        data_dir: dir.to_owned(),
        cache_key: [1; 32],
        concurrent_steps: 1,
        limits: StepLimits::default(),
        outbound: OutboundSettings::default(),
        compiler: CompilerSettings::default(),
        mail: None,
    };
    let plugins = Plugins::open(plugins, clock.clone()).expect("plugins");
    ApiParts {
        registry: Registry::new(store.clone(), plugins),
        store,
        tokens,
        clock,
        random,
        settings,
        limiter: Limiter::new(RateLimits::default()),
        runner: Wake::default(),
        scheduler: Wake::default(),
        deliverer: Wake::default(),
        events: Wake::default(),
        streams: crate::api::Streams::new(crate::wake::Stop::default()),
        metrics: crate::metrics::Metrics::default(),
        tracer: crate::traces::Tracer::default(),
    }
    .into()
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_and_tells_nothing() {
    let dir = tempfile::tempdir().expect("directory");
    let state = state(dir.path()).await;
    let request = Request::new(Body::empty());

    let answer = wrap_in_envelope(&state, request, |_| async { panic!("secret detail") }).await;

    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 16)
        .await
        .expect("body");
    let body: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(body["code"], "INTERNAL_ERROR");
    assert!(!body.to_string().contains("secret"), "{body}");
}

//! The URL table, and what surrounds every call.
//!
//! From the outside in: the name in the log and the counts, headers for browsers, the error envelope (which also catches
//! panics), the limit of each address, the tidying of paths, the table. What the limits refuse is counted where it becomes
//! an envelope.

use super::serve::Answers;
use super::{
    ApiError, ApiState, audit, components, cors, credentials, crontab, deliveries, error, events,
    follow, guards, health, jobs, limits, notifications, openapi, operator, orchestrations, paths,
    plugins, quotas, runs, sessions, tasks, tokens, ui,
};
use crate::domain::role::Role;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use tower::util::MapRequestLayer;

/// The whole API. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Api {
    prefix: paths::Prefix,
    state: ApiState,
    table: Router,
}

impl Api {
    #[must_use]
    pub fn new(state: ApiState) -> Self {
        let served = if state.settings.roles.has(Role::Api) {
            table()
        } else {
            health_checks()
        };
        // After the table: only routes that are there by then get the second one.
        let served = served
            .fallback(async || ApiError::NotFound)
            .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
            .layer(MapRequestLayer::new(follow::note_route));
        Self {
            prefix: paths::Prefix::of(state.settings.public_url.as_deref()),
            table: served.with_state(state.clone()),
            state,
        }
    }
}

/// What surrounds the table, from the outside in. Functions, not layers of a router: each layer would be boxed and cloned
/// anew for every request.
impl Answers for Api {
    async fn answer(&self, request: Request) -> Response {
        let Self {
            prefix,
            state,
            table,
        } = self;
        follow::follow_request(state, request, |request| {
            guards::guard_browsers(state, request, |request| {
                cors::allow_browsers(request, |request| {
                    error::wrap_in_envelope(state, request, |request| {
                        limits::limit_addresses(state, request, |request| {
                            paths::tidy_path(prefix, request, |request| table.answer(request))
                        })
                    })
                })
            })
        })
        .await
    }
}

fn table() -> Router<ApiState> {
    let notifications =
        get(notifications::list_notifications).put(notifications::replace_notifications);
    health_checks()
        .merge(pages())
        .route(
            "/orchestrations",
            get(orchestrations::list_orchestrations).post(orchestrations::create_orchestration),
        )
        .route(
            "/orchestrations/{id}",
            get(orchestrations::read_orchestration)
                .put(orchestrations::update_orchestration)
                .delete(orchestrations::delete_orchestration),
        )
        .route(
            "/orchestrations/{id}/create-token",
            post(orchestrations::refresh_token),
        )
        .route(
            "/orchestrations/{id}/tasks",
            get(tasks::list_tasks).put(tasks::replace_tasks),
        )
        .route("/orchestrations/{id}/notifications", notifications.clone())
        // As the blueprint prints it.
        .route("/orchestrations/{id}/nofitications", notifications)
        .route(
            "/orchestrations/{id}/jobs",
            get(jobs::list_jobs).post(jobs::create_job),
        )
        .route(
            "/orchestrations/{id}/deliveries",
            get(deliveries::list_deliveries),
        )
        .route(
            "/orchestrations/{id}/deliveries/{delivery}/redeliver",
            post(deliveries::redeliver),
        )
        .route(
            "/orchestrations/{id}/trigger",
            post(runs::trigger_orchestration),
        )
        .route("/jobs", get(jobs::find_jobs))
        .route("/jobs/{id}", get(jobs::read_job).delete(jobs::cancel_job))
        .route("/jobs/{id}/usage", get(jobs::read_usage))
        .route("/jobs/{id}/events", get(events::show_job_events))
        .route("/events", get(events::show_events))
        .route("/run", post(runs::run_orchestration))
        .route(
            "/plugins",
            get(plugins::list_plugins).post(plugins::upload_plugin),
        )
        .route(
            "/plugins/{id}",
            get(plugins::read_plugin).delete(plugins::delete_plugin),
        )
        .route("/plugins/{id}/versions", get(plugins::list_versions))
        .route("/plugins/{id}/grant", put(plugins::grant_plugin))
        .route("/components", get(components::list_components))
        .route(
            "/components/{name}",
            get(components::read_component)
                .put(components::save_component)
                .delete(components::delete_component),
        )
        .route("/credentials", get(credentials::list_credentials))
        .route(
            "/credentials/{name}",
            get(credentials::read_one_credential)
                .put(credentials::put_credential)
                .delete(credentials::delete_credential),
        )
        .route("/v2/storage/tokens/verify", get(tokens::verify_token))
        .route(
            "/v2/storage/tokens",
            get(tokens::list_tokens).post(tokens::create_token),
        )
        .route(
            "/v2/storage/tokens/{id}",
            get(tokens::read_token)
                .put(tokens::update_token)
                .delete(tokens::delete_token),
        )
        .route(
            "/v2/storage/tokens/{id}/refresh",
            post(tokens::refresh_token),
        )
        .route("/crontab", get(crontab::explain_crontab))
        .route("/quotas", get(quotas::show_quotas))
        .route(
            "/operator/projects",
            get(operator::list_projects).post(operator::create_project),
        )
        .route(
            "/operator/projects/{id}",
            get(operator::read_project)
                .put(operator::change_project)
                .delete(operator::delete_project),
        )
        .route(
            "/operator/projects/{id}/tokens",
            get(operator::list_tokens).post(operator::create_token),
        )
        .route(
            "/operator/projects/{id}/tokens/{token}",
            delete(operator::revoke_token),
        )
        .route(
            "/operator/projects/{id}/tokens/{token}/refresh",
            post(operator::rotate_token),
        )
        .route("/audit", get(audit::list_audit))
}

/// What is for people and their browsers.
fn pages() -> Router<ApiState> {
    Router::new()
        .route("/", get(ui::lead_to_pages))
        .route("/openapi.json", get(openapi::show_document))
        .route("/docs", get(ui::show_reference))
        .route("/ui", get(ui::show_first_page))
        .route("/ui/{*path}", get(ui::show_asset))
        .route(
            "/ui/session",
            get(sessions::show_session)
                .post(sessions::sign_in)
                .delete(sessions::sign_out),
        )
}

/// All that a server without the API's role answers.
fn health_checks() -> Router<ApiState> {
    Router::new()
        .route("/health/live", get(health::show_live))
        .route("/health/ready", get(health::show_ready))
}

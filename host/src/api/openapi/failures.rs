//! Every error that the API answers with, by its code: its status, and what it means to the caller.
//!
//! Beside [`ApiError`](crate::api::ApiError), which prints them: a test holds each of its errors to this table.

use serde_json::{Value, json};

/// One code under one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Failure {
    pub(in crate::api) status: u16,
    pub(in crate::api) code: &'static str,
    pub(super) what: &'static str,
}

impl Failure {
    const fn new(status: u16, code: &'static str, what: &'static str) -> Self {
        Self { status, code, what }
    }

    /// The name of its example among the components: a code may stand under two statuses.
    pub(super) fn example_name(self) -> String {
        format!("{}.{}", self.status, self.code)
    }

    /// A body such as it is answered.
    pub(super) fn example(self) -> Value {
        let is_ours = self.status >= 500;
        let mut body = json!({
            "status": if is_ours { "error" } else { "warning" },
            "error": if is_ours { "Application error" } else { "User error" },
            "code": self.code,
            "message": self.what,
            "exceptionId": "orchestrator-8qT3vX0bnLr5WcUyKz1d",
            "runId": if self == JOB_NOT_WAITING { json!(123) } else { Value::Null },
        });
        if let (400 | 422, Some(body)) = (self.status, body.as_object_mut())
            && matches!(self.code, "VALIDATION" | "PLUGIN_INVALID")
        {
            let fault = json!([{"path": "name", "message": "must not be empty"}]);
            body.insert("errors".to_owned(), fault);
        }
        body
    }
}

macro_rules! failures {
    ($($name:ident = $status:literal $code:literal $what:literal;)*) => {
        $(pub(super) const $name: Failure = Failure::new($status, $code, $what);)*

        /// All of them.
        pub(in crate::api) const ALL: &[Failure] = &[$($name),*];
    };
}

failures! {
    BODY_UNREADABLE = 400 "BODY_UNREADABLE" "The body broke off.";
    INVALID_JSON = 400 "INVALID_JSON" "The body is not JSON.";
    VALIDATION = 400 "VALIDATION" "The request has faults, all of which are listed in `errors`.";
    JOB_VALIDATION = 400 "JOB_VALIDATION" "The tasks given for this run are not the orchestration's; the message says which.";
    UNAUTHORIZED = 401 "UNAUTHORIZED" "No valid token was presented.";
    PROJECT_DISABLED = 401 "PROJECT_DISABLED" "The project of this token is disabled.";
    FORBIDDEN = 403 "FORBIDDEN" "This token may not do that.";
    CROSS_SITE = 403 "CROSS_SITE" "A browser's session is for the pages of this server only.";
    TOKENS_ELSEWHERE = 403 "TOKENS_ELSEWHERE" "The tokens of this server are kept by another service, which manages them.";
    STORAGE_API_REFUSED = 403 "STORAGE_API_REFUSED" "The Storage API, which keeps the tokens, refused it.";
    OVER_QUOTA = 403 "QUOTA_EXCEEDED" "The project has as much as its quota allows.";
    NOT_FOUND = 404 "NOT_FOUND" "There is nothing at this address, or it is another project's.";
    METHOD_NOT_ALLOWED = 405 "METHOD_NOT_ALLOWED" "This address does not know that method; `Allow` says which it knows.";
    BODY_TIMEOUT = 408 "BODY_TIMEOUT" "The body did not arrive in time.";
    JOB_NOT_WAITING = 409 "JOB_NOT_WAITING" "Only a waiting job can be cancelled.";
    INACTIVE = 409 "ORCHESTRATION_NOT_ACTIVE" "The orchestration is not active: it can be run by hand only.";
    IDEMPOTENCY_CONFLICT = 409 "IDEMPOTENCY_CONFLICT" "The `Idempotency-Key` was used for another request within the last 24 hours.";
    TOKEN_IN_USE = 409 "TOKEN_IN_USE" "The token is used by orchestrations or jobs, which the message names.";
    MASTER_TOKEN = 409 "MASTER_TOKEN" "A master token keeps all its rights: it can be described and refreshed, nothing else.";
    PLUGIN_VERSION_EXISTS = 409 "PLUGIN_VERSION_EXISTS" "There is a plugin of that id and version with other contents.";
    PLUGIN_ID_TAKEN = 409 "PLUGIN_ID_TAKEN" "The id belongs to a plugin of the server or its operator.";
    PLUGIN_KIND = 409 "PLUGIN_KIND" "The plugin is of another kind and stays that.";
    PLUGIN_CHANGED = 409 "PLUGIN_CHANGED" "The newest version of the plugin is another one than was looked at.";
    PLUGIN_IN_USE = 409 "PLUGIN_IN_USE" "The plugin is used by what the message names.";
    DELIVERY_PENDING = 409 "DELIVERY_PENDING" "The delivery is not over yet: its next attempt comes by itself.";
    TOO_MANY_CREDENTIALS = 409 "TOO_MANY_CREDENTIALS" "The project has as many credentials as it may.";
    TOO_MANY_COMPONENTS = 409 "TOO_MANY_COMPONENTS" "The project has as many components as it may.";
    BODY_TOO_LARGE = 413 "BODY_TOO_LARGE" "The body is larger than the server's limit.";
    UNSUPPORTED_MEDIA_TYPE = 415 "UNSUPPORTED_MEDIA_TYPE" "The body is declared as something else than is read here.";
    PLUGIN_INVALID = 422 "PLUGIN_INVALID" "The component is no plugin that can be used; `errors` says why.";
    TOO_MANY_REQUESTS = 429 "TOO_MANY_REQUESTS" "There are too many requests of this token or address; `Retry-After` says when to come again.";
    OVER_DAILY_QUOTA = 429 "QUOTA_EXCEEDED" "The project has used up its quota of the day; `Retry-After` says when the next one begins.";
    TOO_MANY_STREAMS = 429 "TOO_MANY_STREAMS" "The token or the project has as many streams of events as it may.";
    INTERNAL_ERROR = 500 "INTERNAL_ERROR" "The request failed for a reason inside the service, which is in its log under the `exceptionId`.";
    UNAVAILABLE = 503 "UNAVAILABLE" "The service is not available at the moment; try again.";
    STORAGE_API_UNAVAILABLE = 503 "STORAGE_API_UNAVAILABLE" "The Storage API, which keeps the tokens, does not answer at the moment; try again.";
}

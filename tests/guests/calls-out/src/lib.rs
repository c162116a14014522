//! Makes the request that its parameters describe, `times` times one after another, each time `fanout` of them at once by
//! streams, or by one call if it is `whole`, and answers with what came back. What it is to `say` it logs, and writes to
//! standard error, before that.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_sdk::http::{Error, Request, Response};
use orchestrator_sdk::log;
use orchestrator_sdk::task::{Context, Failure, Step, Task};
use serde_json::{Value, json};

struct CallsOut;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    timeout_ms: Option<u64>,
    times: Option<usize>,
    fanout: Option<usize>,
    #[serde(default)]
    whole: bool,
    say: Option<String>,
}

impl Task for CallsOut {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        if let Some(text) = &parameters.say {
            log::info(text);
            eprintln!("{text}, aside");
        }
        let mut answers = Vec::new();
        for _ in 0..parameters.times.unwrap_or(1) {
            if parameters.whole {
                answers.push(describe(request(&parameters).send()));
                continue;
            }
            let begun: Vec<_> = (0..parameters.fanout.unwrap_or(1))
                .map(|_| request(&parameters).begin())
                .collect();
            answers.extend(
                begun
                    .into_iter()
                    .map(|pending| describe(pending.and_then(|pending| pending.finish()))),
            );
        }
        Ok(Step::success(json!({ "answers": answers }).to_string()))
    }
}

fn request(parameters: &Parameters) -> Request {
    let mut request = Request::new(
        parameters.method.as_deref().unwrap_or("GET"),
        &parameters.url,
    );
    for (name, value) in &parameters.headers {
        request = request.header(name, value);
    }
    if let Some(timeout) = parameters.timeout_ms.map(Duration::from_millis) {
        request = request.answer_timeout(timeout);
        if !parameters.whole {
            request = request.connect_timeout(timeout);
        }
    }
    request.with_body(parameters.body.as_deref().unwrap_or_default())
}

fn describe(answer: Result<Response, Error>) -> Value {
    let response = match answer {
        Ok(response) => response,
        Err(error) => return json!({ "error": error.to_string(), "kind": kind(&error) }),
    };
    let headers: BTreeMap<&str, String> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    json!({ "status": response.status(), "headers": headers, "body": String::from_utf8_lossy(response.body()) })
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Invalid(_) => "invalid",
        Error::Denied(_) => "denied",
        Error::NotSent(_) => "notSent",
        Error::NoAnswer(_) => "noAnswer",
        Error::TooLarge => "tooLarge",
    }
}

orchestrator_sdk::export_task!(CallsOut);

//! Which addresses are called.

use orchestrator_sdk::http::{Address, AddressError, encode_segment};
use orchestrator_sdk::task::{Context, Failure, FailureKind};

/// Longer addresses are refused: they would crowd the task's state.
const MAX_URL_BYTES: usize = 8 << 10;

/// The address that starts the task: its `componentUrl`, else the component and action under the components' address.
pub fn start_address(context: &Context) -> Result<Address, Failure> {
    let url = match (&context.component_url, &context.component) {
        (Some(url), _) => url.clone(),
        (None, Some(component)) => {
            let mut url = context.components_url.trim_end_matches('/').to_owned();
            let action = context.action.as_deref().unwrap_or("run");
            for segment in std::iter::once(component.as_str()).chain(action.split('/')) {
                if matches!(segment, "" | "." | "..") || segment.contains('\\') {
                    let message = format!(
                        "the component {component:?} with the action {action:?} makes no address"
                    );
                    return Err(Failure::new(FailureKind::Config, "BAD_ADDRESS", message));
                }
                url.push('/');
                url.push_str(&encode_segment(segment));
            }
            url
        }
        (None, None) => {
            let message = "the task has neither a component nor a componentUrl";
            return Err(Failure::new(FailureKind::Config, "BAD_ADDRESS", message));
        }
    };
    Address::parse(&url).map_err(|error| refused(&error, &url))
}

/// The address that an answer from `base` names: absolute, or relative to `base`.
///
/// It has to be https. Only where `base` itself is not (which no host lets out unless it was set up so, for development)
/// its own origin will do.
pub fn next_address(base: &Address, url: &str) -> Result<Address, Failure> {
    if url.len() > MAX_URL_BYTES {
        let message = format!(
            "the component names an address of {} bytes; at most {MAX_URL_BYTES} are allowed",
            url.len()
        );
        return Err(Failure::new(FailureKind::Remote, "BAD_ADDRESS", message));
    }
    let address = base.join(url).map_err(|error| refused(&error, url))?;
    if address.is_https() || (!base.is_https() && address.is_same_origin(base)) {
        Ok(address)
    } else {
        Err(refused(&AddressError::NotHttp, url))
    }
}

fn refused(error: &AddressError, url: &str) -> Failure {
    let code = match error {
        AddressError::NotHttp => "NOT_HTTPS",
        AddressError::Malformed(_) => "BAD_ADDRESS",
    };
    let shown: String = url
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    Failure::new(
        FailureKind::Config,
        code,
        format!("{shown:?} cannot be called: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;

    fn address_of(
        component: Option<&str>,
        url: Option<&str>,
        action: Option<&str>,
    ) -> Result<String, String> {
        let mut context = context();
        context.component = component.map(str::to_owned);
        context.component_url = url.map(str::to_owned);
        context.action = action.map(str::to_owned);
        start_address(&context)
            .map(|address| address.to_string())
            .map_err(|failure| failure.code)
    }

    #[test]
    fn the_start_address_is_the_tasks_own_or_is_put_together() {
        let url = |component, action| address_of(Some(component), None, action).unwrap();
        assert_eq!(url("ex-db", None), "https://components.example/ex-db/run");
        assert_eq!(
            url("ex-db", Some("async/docker")),
            "https://components.example/ex-db/async/docker"
        );
        assert_eq!(
            url("a/b", Some("c d?")),
            "https://components.example/a%2Fb/c%20d%3F"
        );

        let own = address_of(
            Some("ex-db"),
            Some("https://own.example/x?y=1"),
            Some("ignored"),
        );
        assert_eq!(own.unwrap(), "https://own.example/x?y=1");
    }

    #[test]
    fn what_would_leave_the_components_address_is_refused() {
        for (component, action) in [
            ("..", None),
            ("", None),
            ("a", Some("../b")),
            ("a", Some("b//c")),
            ("a", Some("")),
            ("a", Some(".")),
            ("a", Some("b\\c")),
        ] {
            assert_eq!(
                address_of(Some(component), None, action),
                Err("BAD_ADDRESS".into()),
                "{component} {action:?}"
            );
        }
        assert_eq!(address_of(None, None, None), Err("BAD_ADDRESS".into()));
        assert_eq!(
            address_of(None, Some("ftp://own.example/"), None),
            Err("NOT_HTTPS".into())
        );
        assert_eq!(
            address_of(None, Some("https://a@own.example/"), None),
            Err("BAD_ADDRESS".into())
        );
    }

    #[test]
    fn a_named_address_is_https() {
        let base = Address::parse("https://components.example/ex-db/run").unwrap();
        let next = |url| {
            next_address(&base, url)
                .map(|address| address.to_string())
                .map_err(|failure| failure.code)
        };

        assert_eq!(
            next("/jobs/1").unwrap(),
            "https://components.example/jobs/1"
        );
        assert_eq!(
            next("https://queue.example/jobs/1").unwrap(),
            "https://queue.example/jobs/1"
        );
        assert_eq!(
            next("http://components.example/jobs/1"),
            Err("NOT_HTTPS".into())
        );
        assert_eq!(next("file:///etc/passwd"), Err("NOT_HTTPS".into()));
        assert_eq!(
            next(&format!("/{}", "x".repeat(9000))),
            Err("BAD_ADDRESS".into())
        );
    }

    #[test]
    fn a_development_host_without_https_polls_its_own_origin_only() {
        let base = Address::parse("http://localhost:8080/run").unwrap();

        assert!(next_address(&base, "/jobs/1").is_ok());
        assert!(next_address(&base, "https://queue.example/jobs/1").is_ok());
        assert!(next_address(&base, "http://localhost:8081/jobs/1").is_err());
    }
}

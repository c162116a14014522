//! The pages for people, as they are handed out.

use super::start;
use crate::support::document::{Call, Document};
use reqwest::Method;
use reqwest::header::HeaderMap;

struct Got {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

async fn get(server: &crate::support::server::Server, path: &str, sent: &[(&str, &str)]) -> Got {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("client");
    let mut request = http.request(Method::GET, format!("http://{}{path}", server.address));
    for (name, value) in sent {
        request = request.header(*name, *value);
    }
    let request = request.build().expect("a request");
    let call = Call::of(&request);
    let response = http.execute(request).await.expect("answered");
    let got = Got {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        bytes: response.bytes().await.expect("body").to_vec(),
    };
    Document::get().check(&call, got.status, &got.headers, &got.bytes);
    got
}

#[tokio::test]
async fn the_root_leads_browsers_to_the_pages_and_nobody_else() {
    let Some(server) = start().await else { return };
    let pages = format!("http://{}/ui/", server.address);

    let browser = get(&server, "/", &[("Accept", "text/html,*/*;q=0.8")]).await;
    let without_slash = get(&server, "/ui", &[]).await;

    for led in [browser, without_slash] {
        assert_eq!(
            (led.status, led.headers["location"].to_str().expect("text")),
            (303, pages.as_str())
        );
    }
    for accept in ["*/*", "application/json"] {
        let client = get(&server, "/", &[("Accept", accept)]).await;
        assert_eq!(client.status, 404, "{accept}");
    }
}

#[tokio::test]
async fn pages_are_guarded_compressed_and_asked_for_again() {
    let Some(server) = start().await else { return };

    let plain = get(&server, "/ui/", &[]).await;
    let small = get(&server, "/ui/", &[("Accept-Encoding", "br, gzip;q=0.5")]).await;
    let mark = plain.headers["etag"].to_str().expect("text").to_owned();
    let known = get(
        &server,
        "/ui/",
        &[("If-None-Match", &format!("W/{mark}, \"x\""))],
    )
    .await;

    assert_eq!(plain.status, 200);
    assert_eq!(plain.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(plain.headers["cache-control"], "no-cache");
    let policy = plain.headers["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(
        policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(plain.bytes.starts_with(b"<!doctype html>"));
    assert_eq!(small.headers["content-encoding"], "gzip");
    assert!(small.bytes.len() < plain.bytes.len());
    assert_eq!(small.headers["content-security-policy"], policy);
    assert_eq!((known.status, known.bytes.len()), (304, 0));
}

#[tokio::test]
async fn everything_that_the_first_page_names_is_there() {
    let Some(server) = start().await else { return };
    let page = get(&server, "/ui/", &[]).await;
    let page = String::from_utf8(page.bytes).expect("text");
    let mut named = 0;
    for attribute in ["href=\"", "src=\""] {
        for part in page.split(attribute).skip(1) {
            let path = part.split('"').next().expect("an end");
            let got = get(&server, &format!("/ui/{path}"), &[]).await;
            assert_eq!(got.status, 200, "{path}");
            named += 1;
        }
    }
    assert!(named >= 3, "{page}");
    for path in [
        "/ui/nothing.js",
        "/ui/../Cargo.toml",
        "/ui/%2e%2e/app.js",
        "/ui/%ff",
    ] {
        assert_eq!(get(&server, path, &[]).await.status, 404, "{path}");
    }
}

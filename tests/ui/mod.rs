//! The pages for people, in a real browser against a real server.

mod browser;
mod pages;
mod reference;

use self::browser::Browser;
use crate::support::process::{Installation, MASTER, Process};
use crate::support::steps::demo;
use demo_components::DemoServer;

/// A server with pretend components, and a browser whose user has signed in; `None` where there is no browser.
struct Desk {
    browser: Browser,
    process: Process,
    _installation: Installation,
    demo: DemoServer,
}

impl Desk {
    async fn open() -> Option<Self> {
        let browser = Browser::start().await?;
        let demo = demo().await;
        let installation = Installation::new(&demo).with("--workers=2".to_owned());
        let process = installation.start().await;
        let mut desk = Self {
            browser,
            process,
            _installation: installation,
            demo,
        };
        desk.sign_in().await;
        Some(desk)
    }

    async fn sign_in(&mut self) {
        let page = format!("{}/ui/", self.process.base);
        self.browser.load(&page).await;
        self.browser.see("#sign-in").await;
        self.browser.type_into("input[name=token]", MASTER).await;
        self.browser.press("Sign in").await;
        self.browser.see("main .page h1").await;
    }
}

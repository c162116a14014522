//! The pages for people, in a real browser against a real server.

mod browser;
mod demo;
mod live;
mod pages;
mod reference;
mod speed;

use self::browser::Browser;
use crate::support::process::{Installation, MASTER, Process};
use crate::support::steps::demo;
use demo_components::DemoServer;
use serde_json::json;
use sqlx::{AnyConnection, Connection};

/// A server with pretend components, and a browser whose user has signed in; `None` where there is no browser.
struct Desk {
    browser: Browser,
    process: Process,
    installation: Installation,
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
            installation,
            demo,
        };
        desk.sign_in().await;
        Some(desk)
    }

    /// So many orchestrations, the first made by the API and the others as its copies.
    async fn fill(&self, count: usize) {
        let body = json!({"name": "Load of shop 00001", "crontabRecord": "0 3 * * *", "tasks": [{"component": "sync"}]});
        let client = self.process.client();
        client.post("/orchestrations", body).await.expect(201);
        let file = self.installation.data_dir().join("orchestrator.sqlite");
        let url = format!("sqlite://{}", file.display());
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&url).await.expect("connected");
        let columns = "project_id, revision_id, crontab_record, active, token_id, token_description, created_at, \
                       next_scheduled_at, task_number, job_count";
        let sql = format!(
            "WITH RECURSIVE c (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) \
             INSERT INTO orchestrations (name, {columns}) \
             SELECT 'Load of shop ' || printf('%05d', n), {columns} FROM orchestrations, c WHERE id = 1"
        );
        let made = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection);
        assert_eq!(
            made.await.expect("filled").rows_affected(),
            count as u64 - 1
        );
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

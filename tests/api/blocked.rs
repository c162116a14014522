//! A PostgreSQL on which somebody else holds locks: requests that cannot be served say so, and nothing is lost by it.

use super::create_path;
use crate::support::database::Database;
use crate::support::process::until;
use crate::support::server::Server;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::Connection;

/// More than there are connections.
const REQUESTS: usize = 20;

#[tokio::test]
async fn requests_beyond_the_connections_are_asked_to_come_again_and_served_afterwards() {
    let Some(server) = Server::start(Database::Postgres).await else {
        return;
    };
    let path = create_path(&server.client(), json!([{"component": "a"}])).await;
    let jobs = format!("{path}/jobs");
    let mut other = server.connection().await;
    let mut blocking = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE orchestrations IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *blocking)
        .await
        .unwrap();

    let client = server.client();
    let reads = join_all((0..REQUESTS).map(|_| client.get(&path)));
    let writes = join_all((0..REQUESTS).map(|_| client.post(&jobs, json!({}))));
    let (reads, writes) = tokio::join!(reads, writes);

    for answer in reads.into_iter().chain(writes) {
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.expect(503)["code"], "UNAVAILABLE");
    }
    blocking.rollback().await.unwrap();
    until("the service to return", || async {
        let answer = client.post(&jobs, json!({})).await;
        if answer.status == 201 {
            Ok(())
        } else {
            Err(answer.status.to_string())
        }
    })
    .await;
    // What was refused was not made.
    let answer = client.get(&jobs).await;
    assert_eq!(answer.headers["x-total-count"], "1");
}

#[tokio::test]
async fn a_transaction_that_is_given_up_for_a_deadlock_is_refused_whole_and_may_be_asked_for_again()
{
    let Some(server) = Server::start(Database::Postgres).await else {
        return;
    };
    let path = create_path(&server.client(), json!([{"component": "a"}])).await;
    let client = server.client();
    let mut refused = 0;
    for _ in 0..3 {
        let job = client.post(&format!("{path}/jobs"), json!({})).await;
        let job = format!("/jobs/{}", job.expect(201)["id"]);
        let mut other = server.connection().await;
        let mut blocking = other.begin().await.unwrap();
        // Against the order: the job first, and then its orchestration.
        sqlx::query("SELECT id FROM jobs FOR UPDATE")
            .execute(&mut *blocking)
            .await
            .unwrap();
        let cancelling = tokio::spawn({
            let (client, job) = (server.client(), job.clone());
            async move { client.delete(&job).await }
        });
        until("the cancel to wait", || async {
            let waiting = "SELECT 1 AS one FROM pg_locks WHERE NOT granted AND pid IN \
                (SELECT pid FROM pg_stat_activity WHERE query LIKE 'UPDATE jobs SET status = ''cancelled''%')";
            let mut watching = server.connection().await;
            let found = sqlx::query(waiting).fetch_optional(&mut watching).await;
            let found = found.unwrap().map(drop);
            found.ok_or_else(|| "it does not wait".to_owned())
        })
        .await;
        let locked = sqlx::query("SELECT id FROM orchestrations FOR UPDATE")
            .execute(&mut *blocking)
            .await;
        let was_refused_here = locked.is_err();
        blocking.rollback().await.unwrap();

        let answer = cancelling.await.unwrap();
        if answer.status == 503 {
            assert!(!was_refused_here);
            assert_eq!(client.get(&job).await.expect(200)["status"], "waiting");
            client.delete(&job).await.expect(204);
            refused += 1;
        } else {
            answer.expect(204);
        }
        assert_eq!(client.get(&job).await.expect(200)["status"], "cancelled");
    }
    println!("{refused} of 3 were refused");
}

//! Keys under which clients ask for a job once: however often a request is repeated, and however many of it arrive at
//! once, one job comes of it.
//!
//! The key's row is inserted before the job, in its transaction: its unique index decides who makes the job, and
//! whoever comes second waits for the first's commit and finds it. A request that made no job leaves no row. Rows live
//! for a day.

use super::new_jobs::create_job_in;
use super::rows::{Columns, to_json};
use super::{CreatedJob, NewJob, Result, Store, Tx};
use crate::domain::ids::{JobId, ProjectId};
use crate::domain::time::Timestamp;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a repeated request is answered with the first one's job.
pub const KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A client's key, and the call that it came with: another call is another request.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    pub key: String,
    pub call: &'static str,
}

/// What became of the wish for a job under a key.
#[derive(Clone, Debug)]
pub enum CreatedOnce {
    /// This request was the first, or the first that could be done.
    First(CreatedJob),
    /// The job that an equal request made.
    Again(JobId),
    /// The key was used for another request.
    Conflict,
}

impl Store {
    /// Makes a job, unless one was made under this key within [`KEY_LIFE`].
    pub async fn create_job_once(
        &self,
        new: NewJob,
        key: IdempotencyKey,
        now: Timestamp,
    ) -> Result<CreatedOnce> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let project = new.project_id;
                let fingerprint = fingerprint(&new, key.call)?;
                if !take_key(tx, project, &key.key, &fingerprint, now).await? {
                    return find_job_of(tx, project, &key.key, &fingerprint).await;
                }
                let created = create_job_in(&store, tx, new, now).await?;
                match &created {
                    CreatedJob::Created(job) => keep_key(tx, project, &key.key, job.id).await?,
                    _ => drop_key(tx, project, &key.key).await?,
                }
                Ok(CreatedOnce::First(created))
            })
        })
        .await
    }

    /// Removes keys that are over, at most a batch of them.
    pub async fn forget_idempotency_keys(&self, now: Timestamp) -> Result<u64> {
        self.forget(
            "SELECT job_id FROM idempotency_keys WHERE created_at <= $1 LIMIT 1",
            "DELETE FROM idempotency_keys WHERE (project_id, idempotency_key) IN (SELECT project_id, \
             idempotency_key FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT $2)",
            oldest(now),
        )
        .await
    }
}

/// Keys of this time and before are over.
fn oldest(now: Timestamp) -> i64 {
    let life = i64::try_from(KEY_LIFE.as_micros()).unwrap_or(i64::MAX);
    now.0.saturating_sub(life)
}

/// Equal for requests that ask for the same.
fn fingerprint(new: &NewJob, call: &str) -> Result<Vec<u8>> {
    let asked = (
        call,
        new.orchestration_id,
        &new.notifications_emails,
        &new.tasks,
    );
    let text = to_json("idempotency_keys", &asked)?;
    Ok(Sha256::digest(text.as_bytes()).to_vec())
}

/// `false`: the key is taken.
async fn take_key(
    tx: &mut Tx,
    project: ProjectId,
    key: &str,
    fingerprint: &[u8],
    now: Timestamp,
) -> Result<bool> {
    sqlx::query(
        "DELETE FROM idempotency_keys WHERE project_id = $1 AND idempotency_key = $2 AND created_at <= $3",
    )
    .bind(project.0)
    .bind(key)
    .bind(oldest(now))
    .execute(&mut *tx)
    .await?;
    let taken = sqlx::query(
        "INSERT INTO idempotency_keys (project_id, idempotency_key, fingerprint, job_id, created_at) \
         VALUES ($1, $2, $3, 0, $4) ON CONFLICT (project_id, idempotency_key) DO NOTHING",
    )
    .bind(project.0)
    .bind(key)
    .bind(fingerprint)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

async fn find_job_of(
    tx: &mut Tx,
    project: ProjectId,
    key: &str,
    fingerprint: &[u8],
) -> Result<CreatedOnce> {
    let row = sqlx::query(
        "SELECT fingerprint, job_id FROM idempotency_keys WHERE project_id = $1 AND idempotency_key = $2",
    )
    .bind(project.0)
    .bind(key)
    .fetch_one(tx)
    .await?;
    let columns = Columns::of(&row, "idempotency_keys");
    if columns.bytes("fingerprint")? == fingerprint {
        Ok(CreatedOnce::Again(JobId(columns.int("job_id")?)))
    } else {
        Ok(CreatedOnce::Conflict)
    }
}

async fn keep_key(tx: &mut Tx, project: ProjectId, key: &str, job: JobId) -> Result<()> {
    sqlx::query(
        "UPDATE idempotency_keys SET job_id = $3 WHERE project_id = $1 AND idempotency_key = $2",
    )
    .bind(project.0)
    .bind(key)
    .bind(job.0)
    .execute(tx)
    .await?;
    Ok(())
}

async fn drop_key(tx: &mut Tx, project: ProjectId, key: &str) -> Result<()> {
    sqlx::query("DELETE FROM idempotency_keys WHERE project_id = $1 AND idempotency_key = $2")
        .bind(project.0)
        .bind(key)
        .execute(tx)
        .await?;
    Ok(())
}

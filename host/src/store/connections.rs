//! Connections that are lent for one query or one transaction, the one that came back last first.
//!
//! They are a pool's. It would ask each one whether it is alive whenever it is given back, which costs as much as a query,
//! and would hand them out in turn, so that each keeps its statements and plans cold. So those in use stay here: one that
//! was used within [`TRUSTED`] is taken to be alive, any other one is asked first, as is one whose query was cut off. What
//! is not needed for a while goes back to the pool, which closes it in its time, and opens them all.
//!
//! A connection keeps the plans of its statements, also those that it made while tables were small. It makes them anew
//! whenever it was used twice as often as the last time: seldom, and never long after tables have grown, which they do by use.

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use sqlx::any::{Any, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{
    AnyConnection, AnyPool, Connection, Describe, Either, Error, Execute, Executor, SqlStr,
};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// For how long one that nobody used is taken to be alive.
const TRUSTED: Duration = Duration::from_secs(1);
/// One that nobody needed for so long goes back to the pool.
const IDLE: Duration = Duration::from_secs(60);
/// So does one after this time, however busy: the pool replaces it.
const LIFE: Duration = Duration::from_secs(30 * 60);
/// Its first plans are made anew after so many uses.
const FIRST_PLANS: u64 = 16;
/// For how long one is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Connections to one database; cloning it is cheap.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    pool: AnyPool,
    /// As many as the pool may open: who has one never waits for the pool to get one back.
    permits: Arc<Semaphore>,
    /// The one that came back last is the last one.
    kept: Mutex<Vec<Kept>>,
    /// Has a connection forget its plans.
    forget_plans: Option<&'static str>,
    /// The pool takes connections back in tasks of its own, wherever they are dropped.
    runtime: Handle,
}

struct Kept {
    connection: PoolConnection<Any>,
    opened_at: Instant,
    used_at: Instant,
    uses: u64,
    /// Its last query was not seen to its end.
    is_cut_off: bool,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.kept().clear();
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, kept: Kept) {
        let _inside = self.runtime.enter();
        let mut all = self.kept();
        let idle = all.iter().take_while(|one| one.used_at.elapsed() > IDLE);
        let idle = idle.count();
        all.drain(..idle);
        if !self.pool.is_closed() && kept.opened_at.elapsed() < LIFE {
            all.push(kept);
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

/// A connection that is somebody's. Dropped, it is another one's, after it was asked whether it is alive.
pub(super) struct Lent {
    kept: Option<Kept>,
    of: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// Called within the runtime that the pool is to be used on.
    pub(super) fn new(pool: AnyPool, forget_plans: Option<&'static str>) -> Self {
        let number = pool.options().get_max_connections();
        Self(Arc::new(Shared {
            pool,
            permits: Arc::new(Semaphore::new(number as usize)),
            kept: Mutex::default(),
            forget_plans,
            runtime: Handle::current(),
        }))
    }

    /// One that answers, as far as is known.
    pub(super) async fn lend(&self) -> sqlx::Result<Lent> {
        let permit = Arc::clone(&self.0.permits).acquire_owned();
        let permit = timeout(PATIENCE, permit).await;
        let permit = permit.map_err(|_| Error::PoolTimedOut)?;
        let mut lent = Lent {
            kept: None,
            of: Arc::clone(&self.0),
            _permit: permit.map_err(|_| Error::PoolClosed)?,
        };
        loop {
            let Some(mut kept) = self.0.kept().pop() else {
                let now = Instant::now();
                lent.kept = Some(Kept {
                    connection: self.0.pool.acquire().await?,
                    opened_at: now,
                    used_at: now,
                    uses: 1,
                    is_cut_off: false,
                });
                return Ok(lent);
            };
            let is_trusted = !kept.is_cut_off && kept.used_at.elapsed() < TRUSTED;
            if (is_trusted || kept.connection.ping().await.is_ok())
                && self.plan_anew(&mut kept).await.is_ok()
            {
                lent.kept = Some(kept);
                return Ok(lent);
            }
            kept.connection.close_on_drop();
        }
    }

    /// Counts a use, and has the connection make new plans where it is time to.
    async fn plan_anew(&self, kept: &mut Kept) -> sqlx::Result<()> {
        kept.uses += 1;
        match self.0.forget_plans {
            Some(sql) if kept.uses >= FIRST_PLANS && kept.uses.is_power_of_two() => {
                kept.connection.execute(sql).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// How many there are, and how many of them are nobody's.
    pub(super) fn count(&self) -> (usize, usize) {
        let open = usize::try_from(self.0.pool.size()).unwrap_or(usize::MAX);
        (open, self.0.pool.num_idle() + self.0.kept().len())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.pool.is_closed()
    }

    /// Waits for those that are lent and closes all. Later ones are refused.
    pub(super) async fn close(&self) {
        // It refuses from here on, so that nothing is kept after what is kept was given up.
        let closing = self.0.pool.close();
        self.0.kept().clear();
        closing.await;
    }
}

impl Lent {
    /// Its work was seen to its end: the next one need not ask.
    pub(super) fn give_back(mut self) {
        if let Some(kept) = self.kept.take() {
            let used_at = Instant::now();
            self.of.keep(Kept { used_at, ..kept });
        }
    }

    /// Its state is unknown, and it is used no more.
    pub(super) fn give_up(mut self) {
        let of = Arc::clone(&self.of);
        let _inside = of.runtime.enter();
        if let Some(mut kept) = self.kept.take() {
            kept.connection.close_on_drop();
        }
    }
}

impl Lent {
    /// What it is for.
    ///
    /// # Errors
    /// None while it is lent.
    pub(super) fn connection(&mut self) -> sqlx::Result<&mut AnyConnection> {
        match &mut self.kept {
            Some(kept) => Ok(&mut kept.connection),
            None => Err(Error::PoolClosed),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.of.keep(Kept {
                is_cut_off: true,
                used_at: Instant::now(),
                ..kept
            });
        }
    }
}

type Step = Either<AnyQueryResult, AnyRow>;

/// For single queries: lends a connection for each.
impl<'p> Executor<'p> for &'p Connections {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Step>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let steps = async move {
            let mut lent = self.lend().await?;
            let steps: Vec<Step> = lent.connection()?.fetch_many(query).try_collect().await?;
            lent.give_back();
            Ok::<_, Error>(stream::iter(steps.into_iter().map(Ok)))
        };
        stream::once(steps).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<AnyRow>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        Box::pin(async move {
            let mut lent = self.lend().await?;
            let row = lent.connection()?.fetch_optional(query).await?;
            lent.give_back();
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<AnyStatement>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut lent = self.lend().await?;
            let statement = lent.connection()?.prepare_with(sql, parameters).await?;
            lent.give_back();
            Ok(statement)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Any>>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut lent = self.lend().await?;
            let described = lent.connection()?.describe(sql).await?;
            lent.give_back();
            Ok(described)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use sqlx::any::AnyPoolOptions;

    async fn connections(number: u32) -> Connections {
        planning(number, None).await
    }

    async fn planning(number: u32, forget_plans: Option<&'static str>) -> Connections {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(number);
        // Each connection has a database of its own, so a table tells which one it is.
        Connections::new(pool.connect("sqlite::memory:").await.unwrap(), forget_plans)
    }

    async fn mark(lent: &mut Lent, name: &'static str) {
        let sql = format!("CREATE TEMP TABLE {name} (x)");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        query.execute(lent.connection().unwrap()).await.unwrap();
    }

    async fn marks(connections: &Connections) -> Vec<String> {
        let query = sqlx::query_scalar("SELECT name FROM sqlite_temp_master ORDER BY name");
        query.fetch_all(connections).await.unwrap()
    }

    #[tokio::test]
    async fn the_one_that_came_back_last_is_lent_first() {
        let connections = connections(2).await;
        let mut first = connections.lend().await.unwrap();
        let mut second = connections.lend().await.unwrap();
        mark(&mut first, "a").await;
        mark(&mut second, "b").await;
        assert_eq!(connections.count(), (2, 0));

        second.give_back();
        first.give_back();

        assert_eq!(connections.count(), (2, 2));
        assert_eq!(marks(&connections).await, ["a"]);
        assert_eq!(marks(&connections).await, ["a"]);
    }

    #[tokio::test]
    async fn a_query_that_was_cut_off_leaves_a_connection_that_answers() {
        let connections = connections(1).await;
        let long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n";

        let mut query = Box::pin(sqlx::query(long).fetch_all(&connections));
        assert!((&mut query).now_or_never().is_none());
        while connections.count().1 == 1 {
            tokio::task::yield_now().await;
            assert!((&mut query).now_or_never().is_none());
        }
        drop(query);

        let answer: i64 = sqlx::query_scalar("SELECT 7")
            .fetch_one(&connections)
            .await
            .unwrap();
        assert_eq!(answer, 7);
    }

    #[tokio::test]
    async fn one_that_was_given_up_is_replaced() {
        let connections = connections(1).await;
        let mut lent = connections.lend().await.unwrap();
        mark(&mut lent, "a").await;

        lent.give_up();

        assert!(marks(&connections).await.is_empty());
    }

    #[tokio::test]
    async fn plans_are_made_anew_whenever_the_uses_have_doubled() {
        let connections = planning(1, Some("INSERT INTO a VALUES (1)")).await;
        let mut lent = connections.lend().await.unwrap();
        mark(&mut lent, "a").await;
        lent.give_back();

        let mut times = Vec::new();
        for uses in 2..=70 {
            let count = sqlx::query_scalar("SELECT COUNT(*) FROM a").fetch_one(&connections);
            let count: i64 = count.await.unwrap();
            if usize::try_from(count).unwrap() > times.len() {
                times.push(uses);
            }
        }

        assert_eq!(times, [16, 32, 64]);
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_next_one_that_comes_back() {
        let connections = connections(1).await;
        let lent = connections.lend().await.unwrap();
        let waiting = connections.clone();
        let waiting = tokio::spawn(async move { waiting.lend().await.is_ok() });
        tokio::task::yield_now().await;

        lent.give_back();

        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn once_closed_none_is_lent_and_none_is_kept() {
        let connections = connections(2).await;
        let lent = connections.lend().await.unwrap();
        marks(&connections).await;
        let closing = connections.clone();
        let closing = tokio::spawn(async move { closing.close().await });
        while !connections.is_closed() {
            tokio::task::yield_now().await;
        }

        assert!(matches!(connections.lend().await, Err(Error::PoolClosed)));
        lent.give_back();

        closing.await.unwrap();
        assert_eq!(connections.count(), (0, 0));
    }

    #[test]
    fn they_may_be_dropped_where_no_runtime_is() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let connections = runtime.block_on(async {
            let connections = connections(1).await;
            marks(&connections).await;
            connections
        });

        drop(connections);
    }
}

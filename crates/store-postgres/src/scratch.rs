//! A database for measuring: made on a server that is there, empty, dropped again; and what the server counts meanwhile.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::Row;

use crate::fault::Fault;
use crate::open::{OpenError, failed, target};
use crate::session::{Param, Session, Target};

const WAL_SYNCS_LATER: &str = "select coalesce(sum(fsyncs), 0)::bigint from pg_stat_io where object = 'wal'";
const WAL_SYNCS: &str = "select wal_sync from pg_stat_wal";
/// From here on the syncs of the write-ahead log are counted in `pg_stat_io`.
const VERSION_NUMBER_LATER: i64 = 180_000;

/// Dropped, it is gone, whoever is connected.
pub struct Scratch {
    server: Target,
    name: String,
    url: String,
}

/// What the server has counted so far: rows of this database alone, the log and its syncs of the whole server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    pub rows_inserted: i64,
    pub rows_updated: i64,
    pub rows_deleted: i64,
    pub wal_bytes: i64,
    pub wal_syncs: i64,
}

impl Scratch {
    /// Makes one beside the database that `url` names; its user must be allowed to.
    ///
    /// # Errors
    /// As [`PostgresStore::open`](crate::PostgresStore), and where no database can be made.
    pub async fn create(url: &str) -> Result<Self, OpenError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hoopoe_scratch_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let server = target(url)?;
        let session = server.connect().await.map_err(failed("connecting"))?;
        // What a killed process of the same number left.
        session.run(&drop_sql(&name)).await.map_err(failed("removing an old database"))?;
        session
            .run(&format!("create database {name} template template0"))
            .await
            .map_err(failed("making a database"))?;
        Ok(Self { server, url: with_database(url, &name), name })
    }

    /// Holds what the server's URL holds: a password, maybe.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until nobody else is connected: only then the server has told all that it counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn written(&self) -> Result<Written, OpenError> {
        self.read().await.map_err(failed("reading what the server counted"))
    }

    async fn read(&self) -> Result<Written, Fault> {
        let session = self.server.connect().await?;
        let others = "select count(*) from pg_stat_activity where datname = $1";
        while one(&session, others, &[&self.name]).await?.get::<_, i64>(0) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let rows = "select tup_inserted, tup_updated, tup_deleted from pg_stat_database where datname = $1";
        let rows = one(&session, rows, &[&self.name]).await?;
        let place = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
        let version = "select current_setting('server_version_num')::bigint";
        let is_later = one(&session, version, &[]).await?.get::<_, i64>(0) >= VERSION_NUMBER_LATER;
        let syncs = one(&session, if is_later { WAL_SYNCS_LATER } else { WAL_SYNCS }, &[]).await?;
        Ok(Written {
            rows_inserted: rows.get(0),
            rows_updated: rows.get(1),
            rows_deleted: rows.get(2),
            wal_bytes: one(&session, place, &[]).await?.get(0),
            wal_syncs: syncs.get(0),
        })
    }

    /// A connection, and the process on the server's machine that serves it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn backend_process(&self) -> Result<(Connected, u32), OpenError> {
        let reading = "reading the server's process";
        let session = self.server.connect().await.map_err(failed(reading))?;
        let row = one(&session, "select pg_backend_pid()", &[]).await.map_err(failed(reading))?;
        let pid: i32 = row.get(0);
        Ok((Connected { _session: session }, pid.unsigned_abs()))
    }
}

/// A connection that stays while this lives.
#[derive(Debug)]
pub struct Connected {
    _session: Session,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), drop_sql(&self.name));
        // A drop cannot wait on the runtime that it may run in.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if let Ok(session) = server.connect().await {
                    let _ = session.run(&sql).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

async fn one(session: &Session, sql: &str, params: &[Param<'_>]) -> Result<Row, Fault> {
    session.find(sql, params).await?.ok_or(Fault::Damaged("count"))
}

fn drop_sql(name: &str) -> String {
    format!("drop database if exists {name} with (force)")
}

/// The URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (base, options) = url.split_once('?').map_or((url, None), |(base, options)| (base, Some(options)));
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let base = base[after_scheme..].find('/').map_or(base, |slash| &base[..after_scheme + slash]);
    options.map_or_else(|| format!("{base}/{name}"), |options| format!("{base}/{name}?{options}"))
}

#[cfg(test)]
mod tests {
    use testkit::Database;

    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced_and_its_options_stay() {
        for (url, expected) in [
            ("postgres://u:p@h:1/a?sslmode=require", "postgres://u:p@h:1/x?sslmode=require"),
            ("postgres://u@h,i:2/a", "postgres://u@h,i:2/x"),
            ("postgres://h", "postgres://h/x"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }

    #[tokio::test]
    async fn it_is_empty_counts_what_is_written_and_goes() {
        let database = Database::fresh();
        let scratch = Scratch::create(&database.url()).await.unwrap();
        let before = scratch.written().await.unwrap();
        let session = target(scratch.url()).unwrap().connect().await.unwrap();
        session
            .run("create table t (n integer); insert into t values (1), (2); delete from t")
            .await
            .unwrap();
        drop(session);
        let after = scratch.written().await.unwrap();
        // The table itself is rows of the catalogue.
        assert!(after.rows_inserted >= before.rows_inserted + 2, "{before:?} {after:?}");
        assert!(after.rows_deleted >= before.rows_deleted + 2, "{before:?} {after:?}");
        assert!(after.wal_bytes > before.wal_bytes);
        let name = scratch.name.clone();
        drop(scratch);
        assert_eq!(
            database.sql(&format!("select count(*) from pg_database where datname = '{name}'")).trim(),
            "0"
        );
    }
}

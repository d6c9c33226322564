//! Retention in slices, readiness, and closing.

use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use rusqlite::{Connection, params};
use store::StoreError;
use store::maintenance::{Footprint, Maintenance, Swept};

use crate::SqliteStore;
use crate::days::{self, Day, day_at, first_key_of, suffix};
use crate::fault::Fault;
use crate::open::PAGE_BYTES;
use crate::order::Order;
use crate::sessions;
use crate::tallies;
use crate::writer::Tx;

/// Rows removed in one call; few enough that an event's publisher hardly notices.
pub(crate) const SLICE_ROWS: i64 = 1_000;

pub(crate) const EXPIRED_ANSWERS: &str = "DELETE FROM kept_answers WHERE (owner, path, key) IN \
    (SELECT owner, path, key FROM kept_answers INDEXED BY kept_answers_expiry WHERE expires_at <= ?1 LIMIT ?2)";
pub(crate) const EXPIRED_QUEUED: &str =
    "DELETE FROM queue WHERE key IN (SELECT key FROM queue WHERE key < ?1 ORDER BY key LIMIT ?2)";
pub(crate) const EXPIRED_HELD: &str =
    "DELETE FROM held WHERE key IN (SELECT key FROM held WHERE key < ?1 ORDER BY key LIMIT ?2)";
pub(crate) const FORGOTTEN_ENDPOINTS: &str = "DELETE FROM endpoints WHERE id IN \
    (SELECT id FROM endpoints INDEXED BY endpoints_deleted WHERE state = 2 AND state_since < ?1 LIMIT ?2)";
pub(crate) const PROBE: &str = "INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', x'00')";

#[async_trait]
impl Maintenance for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.read("reading", |conn| days::exists(conn, 0).map(|_| ())).await?;
        let probe = |tx: &mut Tx<'_>| {
            tx.conn.prepare_cached(PROBE)?.execute([])?;
            Ok(())
        };
        self.write("writing", probe).await
    }

    async fn sweep(&self, horizon: Timestamp, now: Timestamp) -> Result<Swept, StoreError> {
        self.write("removing what is old", move |tx| sweep(tx, horizon, now)).await
    }

    async fn footprint(&self) -> Result<Footprint, StoreError> {
        let pages =
            |conn: &Connection| Ok(conn.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?);
        let pages = self.read("measuring the file", pages).await?.unsigned_abs();
        Ok(Footprint { kind: "sqlite", bytes: pages * u64::from(PAGE_BYTES) + self.stats.view().wal_bytes })
    }

    async fn close(&self) {
        self.readers.close().await;
        let threads = Arc::clone(&self.threads);
        if let Err(error) = tokio::task::spawn_blocking(move || threads.close()).await {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

/// A day goes when all of it is older than the horizon.
fn sweep(tx: &mut Tx<'_>, horizon: Timestamp, now: Timestamp) -> Result<Swept, Fault> {
    let first_day_kept = day_at(horizon);
    let answers = tx.conn.prepare_cached(EXPIRED_ANSWERS)?.execute([now.as_millis(), SLICE_ROWS])?;
    let sessions = sessions::sweep(tx, now)?;
    let expired = params![first_key_of(first_day_kept), SLICE_ROWS];
    let queued = tx.conn.prepare_cached(EXPIRED_QUEUED)?.execute(expired)?;
    let held = tx.conn.prepare_cached(EXPIRED_HELD)?.execute(expired)?;
    tx.queue_changed(-((queued + held) as i64));
    if is_full(answers) || is_full(sessions) || is_full(queued) || is_full(held) {
        return Ok(Swept::More);
    }
    if tallies::sweep(tx, now)? == Swept::More {
        return Ok(Swept::More);
    }
    match days::all(tx.conn)?.last() {
        Some(oldest) if *oldest < first_day_kept => sweep_day(tx, *oldest),
        _ => sweep_endpoints(tx, first_day_kept),
    }
}

fn is_full(removed: usize) -> bool {
    removed as i64 >= SLICE_ROWS
}

/// Empties the day's tables, then drops them.
fn sweep_day(tx: &mut Tx<'_>, day: Day) -> Result<Swept, Fault> {
    for sql in emptying_sql(day) {
        if is_full(tx.conn.prepare_cached(&sql)?.execute([SLICE_ROWS])?) {
            return Ok(Swept::More);
        }
    }
    tx.days.drop_day(tx.conn, day)?;
    Ok(Swept::More)
}

/// The orders first: what is listed has its row.
pub(crate) fn emptying_sql(day: Day) -> Vec<String> {
    let d = suffix(day);
    let by_key = |table: &str, key: &str| {
        format!(
            "DELETE FROM {table}_{d} WHERE {key} IN (SELECT {key} FROM {table}_{d} ORDER BY {key} LIMIT ?1)"
        )
    };
    let rows = [
        by_key("deliveries", "key"),
        by_key("attempts", "delivery_key"),
        by_key("undelivered", "event_key"),
        by_key("events", "key"),
    ];
    Order::ALL.map(|order| order.emptying_sql(day)).into_iter().chain(rows).collect()
}

/// Those deleted before the first day that is kept: nothing in the log speaks of them any more.
fn sweep_endpoints(tx: &mut Tx<'_>, first_day_kept: Day) -> Result<Swept, Fault> {
    let before = domain::id::key_time(first_key_of(first_day_kept)).as_millis();
    let removed = tx.conn.prepare_cached(FORGOTTEN_ENDPOINTS)?.execute(params![before, SLICE_ROWS])?;
    Ok(if is_full(removed) { Swept::More } else { Swept::Done })
}

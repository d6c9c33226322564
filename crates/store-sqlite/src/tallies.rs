//! Rows of `tallies`: what each endpoint's attempts came to. Recording adds to the row of the minute, one row per endpoint and
//! batch; the sweep takes minutes that are an hour old into the coarser grains, and all that no window shows away.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use domain::id::EndpointId;
use domain::scope::Scope;
use domain::tally::{Grain, Tally, Window};
use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use store::StoreError;
use store::backend::columns::grain_number;
use store::backend::counted::{Counted, TallyKey, last_rows, rows_of_endpoint, window_of, window_rows};
use store::maintenance::Swept;
use store::tallies::{Tallied, Tallies};

use crate::SqliteStore;
use crate::codec;
use crate::fault::Fault;
use crate::writer::Tx;

pub(crate) const ROW: &str = "SELECT tally FROM tallies WHERE grain = ?1 AND at = ?2 AND endpoint_id = ?3";
pub(crate) const INSERT: &str = "INSERT INTO tallies (grain, at, endpoint_id, tally) VALUES (?1, ?2, ?3, ?4)";
pub(crate) const UPDATE: &str =
    "UPDATE tallies SET tally = ?4 WHERE grain = ?1 AND at = ?2 AND endpoint_id = ?3";
pub(crate) const DELETE: &str = "DELETE FROM tallies WHERE grain = ?1 AND at = ?2 AND endpoint_id = ?3";
pub(crate) const OLD_MINUTES: &str = "SELECT at, endpoint_id, tally FROM tallies \
    WHERE grain = 0 AND at < ?1 ORDER BY at, endpoint_id LIMIT ?2";
pub(crate) const EXPIRED: &str = "DELETE FROM tallies WHERE (grain, at, endpoint_id) IN \
    (SELECT grain, at, endpoint_id FROM tallies WHERE grain = ?1 AND at < ?2 ORDER BY at LIMIT ?3)";
pub(crate) const IS_THERE: &str = "SELECT 1 FROM endpoints WHERE id = ?1 AND state <> 2";

/// Minutes that one call of the sweep takes into the coarser grains, three rows each.
const MOVED_ROWS: usize = 250;
const EXPIRED_ROWS: i64 = 1_000;

#[async_trait]
impl Tallies for SqliteStore {
    async fn tallies(
        &self,
        scope: &Scope,
        id: EndpointId,
        window: Window,
        now: Timestamp,
    ) -> Result<Tallied, StoreError> {
        {
            let table = self.memory.routes.read();
            let endpoint = table.endpoint(id).filter(|endpoint| table.sees(scope, &endpoint.owner));
            endpoint.ok_or(StoreError::NotFound)?;
        }
        self.read("reading what was counted", move |conn| tallied(conn, id, window, now)).await
    }
}

/// In the transaction of the attempts.
pub(crate) fn keep(tx: &Tx<'_>, counted: Counted) -> Result<(), Fault> {
    counted.into_rows().try_for_each(|(key, tally)| add(tx.conn, key, tally))
}

fn add(conn: &Connection, key: TallyKey, mut tally: Tally) -> Result<(), Fault> {
    let (grain, at, id) = (grain_number(key.0), key.1.as_millis(), codec::endpoint_bytes(key.2));
    let sql = match row(conn, key)? {
        Some(known) => {
            tally.merge(&known);
            UPDATE
        }
        None => INSERT,
    };
    conn.prepare_cached(sql)?.execute(params![grain, at, id, codec::tally_bytes(&tally)])?;
    Ok(())
}

fn row(conn: &Connection, (grain, at, id): TallyKey) -> Result<Option<Tally>, Fault> {
    let key = params![grain_number(grain), at.as_millis(), codec::endpoint_bytes(id)];
    let mut select = conn.prepare_cached(ROW)?;
    let mut rows = select.query(key)?;
    let Some(row) = rows.next()? else { return Ok(None) };
    codec::tally_of(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?).map(Some).map_err(Fault::from)
}

/// Looks up each span by itself, wherever the endpoint stands among others.
fn tallied(conn: &Connection, id: EndpointId, window: Window, now: Timestamp) -> Result<Tallied, Fault> {
    let mut found = HashMap::new();
    for (grain, at) in window_rows(window, now) {
        if let Some(tally) = row(conn, (grain, at, id))? {
            found.insert((grain_number(grain), at), tally);
        }
    }
    let mut tallied = window_of(window, now, |grain, at| found.get(&(grain_number(grain), at)).cloned());
    if tallied.last_attempt_at.is_none() {
        tallied.last_attempt_at = last_before(conn, id, now)?;
    }
    Ok(tallied)
}

fn last_before(conn: &Connection, id: EndpointId, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    for (grain, at) in last_rows(now) {
        if let Some(tally) = row(conn, (grain, at, id))? {
            return Ok(tally.last_attempt_at);
        }
    }
    Ok(None)
}

/// Of an endpoint that is deleted.
pub(crate) fn forget(tx: &Tx<'_>, id: EndpointId, now: Timestamp) -> Result<(), Fault> {
    let mut delete = tx.conn.prepare_cached(DELETE)?;
    for (grain, at) in rows_of_endpoint(now) {
        delete.execute(params![grain_number(grain), at.as_millis(), codec::endpoint_bytes(id)])?;
    }
    Ok(())
}

/// One slice.
pub(crate) fn sweep(tx: &Tx<'_>, now: Timestamp) -> Result<Swept, Fault> {
    if move_minutes(tx.conn, now)? == MOVED_ROWS {
        return Ok(Swept::More);
    }
    for grain in Grain::COARSE {
        let before = grain.kept_from(now).as_millis();
        let expired = params![grain_number(grain), before, EXPIRED_ROWS];
        if tx.conn.prepare_cached(EXPIRED)?.execute(expired)? as i64 == EXPIRED_ROWS {
            return Ok(Swept::More);
        }
    }
    Ok(Swept::Done)
}

/// Adds minutes that no window shows by themselves to every coarser grain, and removes them; how many.
fn move_minutes(conn: &Connection, now: Timestamp) -> Result<usize, Fault> {
    let minutes = old_minutes(conn, now)?;
    let mut coarser = BTreeMap::<TallyKey, Tally>::new();
    for (at, id, tally) in &minutes {
        conn.prepare_cached(DELETE)?.execute(params![0, at.as_millis(), codec::endpoint_bytes(*id)])?;
        // What was recorded after the endpoint was deleted goes nowhere.
        if is_there(conn, *id)? {
            for grain in Grain::COARSE {
                coarser.entry((grain, grain.start_of(*at), *id)).or_default().merge(tally);
            }
        }
    }
    coarser.into_iter().try_for_each(|(key, tally)| add(conn, key, tally))?;
    Ok(minutes.len())
}

fn old_minutes(conn: &Connection, now: Timestamp) -> Result<Vec<(Timestamp, EndpointId, Tally)>, Fault> {
    let mut select = conn.prepare_cached(OLD_MINUTES)?;
    let mut rows = select.query(params![Grain::Minute.kept_from(now).as_millis(), MOVED_ROWS as i64])?;
    let mut minutes = Vec::new();
    while let Some(row) = rows.next()? {
        let tally = codec::tally_of(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)?;
        minutes.push((Timestamp::from_millis(row.get(0)?), codec::endpoint_of(row.get(1)?), tally));
    }
    Ok(minutes)
}

fn is_there(conn: &Connection, id: EndpointId) -> Result<bool, Fault> {
    let found = conn.prepare_cached(IS_THERE)?.query_row([codec::endpoint_bytes(id)], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

//! Rows of `endpoint_health`: which endpoints fail. A row is of the endpoint as it stands: what makes another receiver of it
//! removes the row in the same transaction.

use domain::endpoint::Endpoint;
use domain::health::{FailedRun, Failing, LastFailure, Receiver};
use domain::id::EndpointId;
use domain::outcome::Outcome;
use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use store::healths::{HealthNote, Healths};
use store::routes::Routes;

use crate::codec;
use crate::fault::Fault;
use crate::writer::Tx;

pub(crate) const PUT: &str = "INSERT OR REPLACE INTO endpoint_health (endpoint_id, since, failed_probes, held_until, \
    failing_since, failed_attempts, outcome, status_code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
pub(crate) const DELETE: &str = "DELETE FROM endpoint_health WHERE endpoint_id = ?1";
pub(crate) const IS_RECEIVER: &str =
    "SELECT 1 FROM endpoints WHERE id = ?1 AND state = 0 AND state_since = ?2 AND url = ?3";
const ALL: &str = "SELECT endpoint_id, since, failed_probes, held_until, failing_since, failed_attempts, outcome, \
    status_code FROM endpoint_health";

/// At a start, after the routes.
pub(crate) fn load(conn: &Connection, routes: &Routes, healths: &Healths) -> Result<(), Fault> {
    let mut select = conn.prepare(ALL)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let endpoint_id = codec::endpoint_of(row.get(0)?);
        let failing = Some(of_row(row)?);
        let receiver = routes.endpoint(endpoint_id).and_then(|endpoint| Receiver::of(&endpoint));
        if let Some(receiver) = receiver {
            healths.put(HealthNote { endpoint_id, receiver, failing });
        }
    }
    Ok(())
}

pub(crate) fn note(tx: &mut Tx<'_>, note: HealthNote) -> Result<(), Fault> {
    if !is_receiver(tx.conn, note.endpoint_id, &note.receiver)? {
        return Ok(());
    }
    match &note.failing {
        Some(failing) => put(tx.conn, note.endpoint_id, failing)?,
        None => delete(tx.conn, note.endpoint_id)?,
    }
    tx.after_commit(move |memory| memory.put_health(note));
    Ok(())
}

/// To be called with every change of an endpoint.
pub(crate) fn changed(tx: &mut Tx<'_>, before: &Endpoint, after: &Endpoint) -> Result<(), Fault> {
    if Receiver::of(before) == Receiver::of(after) {
        return Ok(());
    }
    let id = after.id;
    delete(tx.conn, id)?;
    tx.after_commit(move |memory| memory.healths.forget(id));
    Ok(())
}

fn is_receiver(conn: &Connection, id: EndpointId, receiver: &Receiver) -> Result<bool, Fault> {
    let values = params![codec::endpoint_bytes(id), receiver.enabled_since.as_millis(), &*receiver.url];
    Ok(conn.prepare_cached(IS_RECEIVER)?.query_row(values, |_| Ok(())).optional()?.is_some())
}

fn put(conn: &Connection, id: EndpointId, failing: &Failing) -> Result<(), Fault> {
    let run = failing.run.as_ref();
    conn.prepare_cached(PUT)?.execute(params![
        codec::endpoint_bytes(id),
        failing.since.as_millis(),
        failing.failed_probes,
        failing.held_until.as_millis(),
        run.map(|run| run.since.as_millis()),
        run.map(|run| run.failed_attempts),
        run.map(|run| run.last.outcome.as_str()),
        run.and_then(|run| run.last.status_code),
    ])?;
    Ok(())
}

fn delete(conn: &Connection, id: EndpointId) -> Result<(), Fault> {
    conn.prepare_cached(DELETE)?.execute([codec::endpoint_bytes(id)])?;
    Ok(())
}

fn of_row(row: &Row<'_>) -> Result<Failing, Fault> {
    let at = |column| row.get::<_, i64>(column).map(Timestamp::from_millis);
    Ok(Failing { since: at(1)?, failed_probes: row.get(2)?, held_until: at(3)?, run: run_of_row(row)? })
}

/// How many of the latest failures were timeouts is not kept: the circuit is open already.
fn run_of_row(row: &Row<'_>) -> Result<Option<FailedRun>, Fault> {
    let Some(since) = row.get::<_, Option<i64>>(4)? else { return Ok(None) };
    let outcome: String = row.get(6)?;
    let outcome = Outcome::parse(&outcome).ok_or(Fault::Damaged("endpoint's last outcome"))?;
    Ok(Some(FailedRun {
        since: Timestamp::from_millis(since),
        failed_attempts: row.get(5)?,
        timeouts: 0,
        last: LastFailure { outcome, status_code: row.get(7)? },
    }))
}

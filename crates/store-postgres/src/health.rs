//! Rows of `endpoint_health`: which endpoints fail. A row is of the endpoint as it stands: what makes another receiver of it
//! removes the row in the same transaction.

use domain::endpoint::Endpoint;
use domain::health::{FailedRun, Failing, LastFailure, Receiver};
use domain::id::EndpointId;
use domain::outcome::Outcome;
use domain::time::Timestamp;
use store::backend::codec;
use store::backend::memory::Memory;
use store::healths::HealthNote;
use tokio_postgres::Row;

use crate::fault::Fault;
use crate::follow::Changed;
use crate::nodes::fence_of;
use crate::scope::endpoint_id;
use crate::session::Session;
use crate::tx::Tx;

macro_rules! columns {
    () => {
        "endpoint_id, since, failed_probes, held_until, failing_since, failed_attempts, outcome, status_code"
    };
}

pub(crate) const PUT: &str = concat!(
    "insert into endpoint_health (",
    columns!(),
    ", noted_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
     on conflict (endpoint_id) do update set since = excluded.since, failed_probes = excluded.failed_probes, \
     held_until = excluded.held_until, failing_since = excluded.failing_since, \
     failed_attempts = excluded.failed_attempts, outcome = excluded.outcome, status_code = excluded.status_code, \
     noted_by = excluded.noted_by"
);
pub(crate) const DELETE: &str = "delete from endpoint_health where endpoint_id = $1";
pub(crate) const IS_RECEIVER: &str =
    "select 1 from endpoints where id = $1 and state = 0 and state_since = $2 and url = $3";
pub(crate) const BY_ID: &str =
    concat!("select ", columns!(), ", noted_by from endpoint_health where endpoint_id = $1");
const ALL: &str = concat!("select ", columns!(), " from endpoint_health");

/// All of them, after the routes.
pub(crate) async fn load(session: &Session, memory: &Memory) -> Result<(), Fault> {
    for (id, ..) in memory.healths.all() {
        memory.healths.forget(id);
    }
    for row in session.query(ALL, &[]).await? {
        put_into(memory, endpoint_id(&row, 0)?, of_row(&row)?);
    }
    Ok(())
}

/// After another node has changed it. `own`: this node's fence; what it wrote itself comes along when others write.
pub(crate) async fn read_anew(
    session: &Session,
    memory: &Memory,
    id: EndpointId,
    own: i64,
) -> Result<(), Fault> {
    let row = session.find(BY_ID, &[&&codec::endpoint_bytes(id)[..]]).await?;
    let is_own = row.as_ref().is_some_and(|row| row.get::<_, i64>(8) == own);
    match row {
        Some(row) => put_into(memory, id, of_row(&row)?),
        None => memory.healths.forget(id),
    }
    if !is_own {
        memory.healths.was_changed_elsewhere(id);
    }
    Ok(())
}

fn put_into(memory: &Memory, endpoint_id: EndpointId, failing: Failing) {
    let receiver = memory.routes.endpoint(endpoint_id).and_then(|endpoint| Receiver::of(&endpoint));
    if let Some(receiver) = receiver {
        memory.healths.put(HealthNote { endpoint_id, receiver, failing: Some(failing) });
    }
}

pub(crate) async fn note(tx: &mut Tx, note: HealthNote) -> Result<(), Fault> {
    let id = note.endpoint_id;
    if !is_receiver(tx, id, &note.receiver).await? {
        return Ok(());
    }
    match &note.failing {
        Some(failing) => put(tx, id, failing, fence_of(tx.claim)).await?,
        None => delete(tx, id).await?,
    }
    tx.changes(Changed::Health(id), move |memory| memory.put_health(note));
    Ok(())
}

/// To be called with every change of an endpoint.
pub(crate) async fn changed(tx: &mut Tx, before: &Endpoint, after: &Endpoint) -> Result<(), Fault> {
    if Receiver::of(before) == Receiver::of(after) {
        return Ok(());
    }
    let id = after.id;
    delete(tx, id).await?;
    tx.changes(Changed::Health(id), move |memory| memory.healths.forget(id));
    Ok(())
}

async fn is_receiver(session: &Session, id: EndpointId, receiver: &Receiver) -> Result<bool, Fault> {
    let (id, since) = (codec::endpoint_bytes(id), receiver.enabled_since.as_millis());
    Ok(session.find(IS_RECEIVER, &[&&id[..], &since, &&*receiver.url]).await?.is_some())
}

async fn put(session: &Session, id: EndpointId, failing: &Failing, noted_by: i64) -> Result<(), Fault> {
    let run = failing.run.as_ref();
    session
        .execute(
            PUT,
            &[
                &&codec::endpoint_bytes(id)[..],
                &failing.since.as_millis(),
                &i64::from(failing.failed_probes),
                &failing.held_until.as_millis(),
                &run.map(|run| run.since.as_millis()),
                &run.map(|run| i64::from(run.failed_attempts)),
                &run.map(|run| run.last.outcome.as_str()),
                &run.and_then(|run| run.last.status_code).map(i32::from),
                &noted_by,
            ],
        )
        .await?;
    Ok(())
}

async fn delete(session: &Session, id: EndpointId) -> Result<(), Fault> {
    session.execute(DELETE, &[&&codec::endpoint_bytes(id)[..]]).await?;
    Ok(())
}

fn of_row(row: &Row) -> Result<Failing, Fault> {
    let at = |column| Timestamp::from_millis(row.get(column));
    Ok(Failing { since: at(1), failed_probes: small(row.get(2))?, held_until: at(3), run: run_of_row(row)? })
}

/// How many of the latest failures were timeouts is not kept: the circuit is open already.
fn run_of_row(row: &Row) -> Result<Option<FailedRun>, Fault> {
    let Some(since) = row.get::<_, Option<i64>>(4) else { return Ok(None) };
    let outcome = row.get::<_, Option<&str>>(6).and_then(Outcome::parse);
    Ok(Some(FailedRun {
        since: Timestamp::from_millis(since),
        failed_attempts: small(row.get::<_, Option<i64>>(5).unwrap_or(0))?,
        timeouts: 0,
        last: LastFailure {
            outcome: outcome.ok_or(Fault::Damaged("endpoint's last outcome"))?,
            status_code: row.get::<_, Option<i32>>(7).map(|code| small(i64::from(code))).transpose()?,
        },
    }))
}

fn small<T: TryFrom<i64>>(number: i64) -> Result<T, Fault> {
    number.try_into().map_err(|_| Fault::Damaged("number of an endpoint's health"))
}

//! Rows of `queue`, of `held` and of the day tables: how they are written, found and read. Shared by every noun that touches
//! a delivery; it knows no scope.

use std::sync::Arc;

use domain::attempt::{Attempt, AttemptHead};
use domain::delivery::{Delivery, Trigger};
use domain::event::{Event, Visibility};
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::location::LocationId;
use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use store::backend::codec::ATTEMPT_HEAD_BYTES;
use store::backend::columns::tenant_id;
pub(crate) use store::backend::standing::{DeliveryHead, Ending, Found, Queued};
use store::backend::standing::{Standing, UndeliveredNote};
use store::events::NewDelivery;
use store::queue::Claim;

use crate::codec;
use crate::days::{self, day_of, suffix};
use crate::fault::Fault;
use crate::order::{self, Log};
use crate::writer::Tx;

pub(crate) const INSERT_QUEUED: &str = "INSERT INTO queue (key, salt, event_key, event_salt, endpoint_id, type, \
    location_id, trigger, retry_key, retry_salt, attempt_count, due_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11)";
pub(crate) const QUEUED: &str = "SELECT key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, \
    retry_key, retry_salt, attempt_count, due_at, claim FROM queue WHERE key = ?1";
pub(crate) const DELETE_QUEUED: &str = "DELETE FROM queue WHERE key = ?1";
pub(crate) const INSERT_HELD: &str = "INSERT INTO held (key, salt, event_key, event_salt, endpoint_id, type, location_id, \
    claim) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
pub(crate) const HELD: &str =
    "SELECT key, salt, event_key, event_salt, endpoint_id, type, location_id, claim FROM held WHERE key = ?1";
pub(crate) const DELETE_HELD: &str = "DELETE FROM held WHERE key = ?1";
/// What is due before this is held back: for good while the endpoint is disabled by hand, else by its circuit.
pub(crate) const HELD_UNTIL: &str = "SELECT CASE WHEN state = 1 AND disabled_reason = 'by-hand' THEN ?2 \
    ELSE (SELECT held_until FROM endpoint_health WHERE endpoint_id = ?1) END FROM endpoints WHERE id = ?1";
/// The columns that every row of a delivery begins with.
const HEAD: &str =
    "key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, retry_key, retry_salt";

macro_rules! held_to_queue {
    () => {
        "INSERT INTO queue (key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, attempt_count, \
        due_at) SELECT key, salt, event_key, event_salt, endpoint_id, type, location_id, 0, ?2, ?1 FROM held"
    };
}
/// Copies held deliveries to the queue, where nobody holds them: due at ?1, after ?2 attempts.
pub(crate) const ALL_HELD_TO_QUEUE: &str = held_to_queue!();
/// The same for one delivery and the claim that it is held under.
pub(crate) const HELD_TO_QUEUE: &str = concat!(held_to_queue!(), " WHERE key = ?3 AND claim = ?4");

pub(crate) fn ended_sql(day: days::Day) -> String {
    format!(
        "SELECT {HEAD}, status, reason, attempt_count, completed_at FROM deliveries_{} WHERE key = ?1",
        suffix(day)
    )
}
pub(crate) fn inline_attempt_sql(day: days::Day) -> String {
    format!("SELECT attempt FROM deliveries_{} WHERE key = ?1", suffix(day))
}
pub(crate) fn attempts_sql(day: days::Day) -> String {
    format!("SELECT attempt FROM attempts_{} WHERE delivery_key = ?1", suffix(day))
}
/// The beginning of an ended delivery's attempt: no page that the rest overflows to is read.
pub(crate) fn inline_head_sql(day: days::Day) -> String {
    format!("SELECT substr(attempt, 1, {ATTEMPT_HEAD_BYTES}) FROM deliveries_{} WHERE key = ?1", suffix(day))
}
pub(crate) fn latest_head_sql(day: days::Day) -> String {
    format!(
        "SELECT substr(attempt, 1, {ATTEMPT_HEAD_BYTES}) FROM attempts_{} WHERE delivery_key = ?1 \
         ORDER BY key DESC LIMIT 1",
        suffix(day)
    )
}
pub(crate) fn event_sql(day: days::Day) -> String {
    format!(
        "SELECT key, salt, type, location_id, company_id, app_id, hidden, considered, scope FROM events_{} WHERE key = ?1",
        suffix(day)
    )
}
pub(crate) fn count_late_attempt_sql(day: days::Day) -> String {
    format!("UPDATE deliveries_{} SET attempt_count = attempt_count + 1 WHERE key = ?1", suffix(day))
}

/// A row that was just inserted, so that it can be taken back. A place that it got in an order may stay: it means nothing
/// without its row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum InsertedRow {
    Event(i64),
    Held(i64),
    Queued(i64),
    Undelivered { event_key: i64, endpoint_id: EndpointId },
}

impl InsertedRow {
    pub(crate) fn delete(self, tx: &Tx<'_>) -> Result<(), Fault> {
        let day = |key: i64| tx.days.get(day_of(key)).ok_or(Fault::Damaged("day"));
        match self {
            Self::Held(key) => tx.conn.prepare_cached(DELETE_HELD)?.execute([key])?,
            Self::Queued(key) => tx.conn.prepare_cached(DELETE_QUEUED)?.execute([key])?,
            Self::Event(key) => tx.conn.prepare_cached(&day(key)?.delete_event)?.execute([key])?,
            Self::Undelivered { event_key, endpoint_id } => {
                let sql = &day(event_key)?.delete_undelivered;
                tx.conn
                    .prepare_cached(sql)?
                    .execute(params![event_key, codec::endpoint_bytes(endpoint_id)])?
            }
        };
        Ok(())
    }
}

/// A delivery as the log shows it.
pub(crate) fn shown(found: Found, conn: &Connection) -> Result<Delivery, Fault> {
    match found {
        Found::Queued(queued) => shown_queued(queued, conn),
        Found::Ended(delivery) => Ok(delivery),
    }
}

fn shown_queued(queued: Queued, conn: &Connection) -> Result<Delivery, Fault> {
    let held_until: Option<i64> = conn
        .prepare_cached(HELD_UNTIL)?
        .query_row(params![codec::endpoint_bytes(queued.head.endpoint_id), i64::MAX], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(queued.shown(held_until))
}

fn head_of_row(row: &Row<'_>) -> Result<DeliveryHead, Fault> {
    let retry_key: Option<i64> = row.get(8)?;
    let retry_salt: Option<i64> = row.get(9)?;
    Ok(DeliveryHead {
        id: DeliveryId::from_parts(row.get(0)?, row.get(1)?),
        event_id: EventId::from_parts(row.get(2)?, row.get(3)?),
        endpoint_id: codec::endpoint_of(row.get(4)?),
        type_name: row.get(5)?,
        location_id: tenant_id(row.get(6)?)?,
        trigger: codec::trigger_of(row.get(7)?)?,
        retry_of: retry_key.zip(retry_salt).map(|(key, salt)| DeliveryId::from_parts(key, salt)),
    })
}

pub(crate) fn queued_of_row(row: &Row<'_>) -> Result<Queued, Fault> {
    Ok(Queued {
        head: head_of_row(row)?,
        attempt_count: row.get(10)?,
        due_at: Timestamp::from_millis(row.get(11)?),
        claim: row.get::<_, Option<i64>>(12)?.map(Claim),
    })
}

fn held_of_row(row: &Row<'_>) -> Result<Queued, Fault> {
    let id = DeliveryId::from_parts(row.get(0)?, row.get(1)?);
    let head = DeliveryHead {
        id,
        event_id: EventId::from_parts(row.get(2)?, row.get(3)?),
        endpoint_id: codec::endpoint_of(row.get(4)?),
        type_name: row.get(5)?,
        location_id: tenant_id(row.get(6)?)?,
        trigger: Trigger::Event,
        retry_of: None,
    };
    Ok(Queued { head, attempt_count: 0, due_at: id.created_at(), claim: Some(Claim(row.get(7)?)) })
}

fn ended_of_row(row: &Row<'_>) -> Result<Delivery, Fault> {
    let reason = row.get::<_, Option<i64>>(11)?.map(codec::end_reason_of).transpose()?;
    let completed_at = Timestamp::from_millis(row.get(13)?);
    Ok(head_of_row(row)?.delivery(Standing {
        status: codec::status_of(row.get(10)?)?,
        attempt_count: row.get(12)?,
        next_attempt_at: None,
        ended: Some((completed_at, reason)),
    }))
}

/// A delivery by its row's key.
pub(crate) fn find_key(conn: &Connection, key: i64) -> Result<Option<Found>, Fault> {
    let queued = match one(conn, QUEUED, key, queued_of_row)? {
        None => one(conn, HELD, key, held_of_row)?,
        queued => queued,
    };
    if let Some(queued) = queued {
        return Ok(Some(Found::Queued(queued)));
    }
    let day = day_of(key);
    if !days::exists(conn, day)? {
        return Ok(None);
    }
    Ok(one(conn, &ended_sql(day), key, ended_of_row)?.map(Found::Ended))
}

/// A delivery by its whole id.
pub(crate) fn find(conn: &Connection, id: DeliveryId) -> Result<Option<Found>, Fault> {
    Ok(find_key(conn, id.key())?.filter(|found| found.id() == id))
}

fn one<T>(
    conn: &Connection,
    sql: &str,
    key: i64,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query([key])?;
    rows.next()?.map(read).transpose()
}

/// Every attempt that is known of a delivery, oldest first. `day` must exist.
pub(crate) fn attempts(conn: &Connection, id: DeliveryId) -> Result<Vec<Attempt>, Fault> {
    let day = day_of(id.key());
    let mut attempts = Vec::new();
    for sql in [attempts_sql(day), inline_attempt_sql(day)] {
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query([id.key()])?;
        while let Some(row) = rows.next()? {
            if let Some(bytes) = row.get_ref(0)?.as_blob_or_null().map_err(rusqlite::Error::from)? {
                attempts.push(codec::attempt_of(bytes)?);
            }
        }
    }
    attempts.sort_by_key(|attempt| (attempt.number, attempt.id));
    Ok(attempts)
}

/// The latest attempt: the one that ended the delivery, or the last of those beside it.
pub(crate) fn last_attempt(conn: &Connection, id: DeliveryId) -> Result<Option<AttemptHead>, Fault> {
    let day = day_of(id.key());
    if !days::exists(conn, day)? {
        return Ok(None);
    }
    for sql in [inline_head_sql(day), latest_head_sql(day)] {
        let head = one(conn, &sql, id.key(), |row| {
            let bytes = row.get_ref(0)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            Ok(bytes.map(codec::attempt_head_of).transpose()?)
        })?;
        if let Some(head) = head.flatten() {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// An event by its row's key, without its payload. Its day may be gone.
pub(crate) fn event_without_payload(conn: &Connection, key: i64) -> Result<Option<Event>, Fault> {
    let day = day_of(key);
    if !days::exists(conn, day)? {
        return Ok(None);
    }
    one(conn, &event_sql(day), key, |row| {
        Ok(Event {
            id: EventId::from_parts(row.get(0)?, row.get(1)?),
            type_name: row.get::<_, Arc<str>>(2)?,
            scope: codec::event_scope_of(row.get(8)?)?,
            location_id: tenant_id(row.get(3)?)?,
            company_id: tenant_id(row.get(4)?)?,
            app_id: tenant_id(row.get(5)?)?,
            visibility: if row.get(6)? { Visibility::TestOnly } else { Visibility::Listed },
            considered: codec::considered_of(row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?)?,
            payload: bytes::Bytes::new(),
        })
    })
}

/// The payload of an event whose day exists.
pub(crate) fn payload(conn: &Connection, key: i64) -> Result<Option<bytes::Bytes>, Fault> {
    one(conn, &days::payload_sql(day_of(key)), key, |row| Ok(bytes::Bytes::from(row.get::<_, Vec<u8>>(0)?)))
}

pub(crate) fn insert_event(tx: &mut Tx<'_>, event: &Event) -> Result<(), Fault> {
    let sql = tx.days.get_or_create(tx.conn, day_of(event.id.key()))?;
    tx.conn.prepare_cached(&sql.insert_event)?.execute(params![
        event.id.key(),
        event.id.salt(),
        &*event.type_name,
        codec::event_scope_number(event.scope),
        event.location_id.as_ref().map(|id| id.as_str()),
        event.company_id.as_ref().map(|id| id.as_str()),
        event.app_id.as_ref().map(|id| id.as_str()),
        event.visibility == Visibility::TestOnly,
        codec::considered_bytes(&event.considered),
        event.payload.as_ref(),
    ])?;
    tx.inserted.push(InsertedRow::Event(event.id.key()));
    order::stored(tx.conn, tx.days, Log::Events, event.id.key())
}

/// An event's own delivery, held by this process from the start.
pub(crate) fn insert_held(tx: &mut Tx<'_>, event: &Event, delivery: &NewDelivery) -> Result<(), Fault> {
    tx.days.get_or_create(tx.conn, day_of(delivery.id.key()))?;
    tx.conn.prepare_cached(INSERT_HELD)?.execute(params![
        delivery.id.key(),
        delivery.id.salt(),
        event.id.key(),
        event.id.salt(),
        codec::endpoint_bytes(delivery.endpoint_id),
        &*event.type_name,
        event.location_id.as_ref().map(|id| id.as_str()),
        tx.claim.0,
    ])?;
    tx.inserted.push(InsertedRow::Held(delivery.id.key()));
    tx.queue_changed(1);
    Ok(())
}

/// One that nobody holds.
pub(crate) fn insert_queued(tx: &mut Tx<'_>, head: &DeliveryHead, due_at: Timestamp) -> Result<(), Fault> {
    // So that the day is there when the delivery ends, and listings know where to look.
    tx.days.get_or_create(tx.conn, day_of(head.id.key()))?;
    tx.conn.prepare_cached(INSERT_QUEUED)?.execute(params![
        head.id.key(),
        head.id.salt(),
        head.event_id.key(),
        head.event_id.salt(),
        codec::endpoint_bytes(head.endpoint_id),
        &*head.type_name,
        head.location_id.as_ref().map(|id| id.as_str()),
        codec::trigger_number(head.trigger),
        head.retry_of.map(|id| id.key()),
        head.retry_of.map(|id| id.salt()),
        due_at.as_millis(),
    ])?;
    tx.inserted.push(InsertedRow::Queued(head.id.key()));
    tx.queue_changed(1);
    Ok(())
}

/// Takes an unfinished delivery out, wherever it is.
pub(crate) fn remove(tx: &mut Tx<'_>, id: DeliveryId) -> Result<(), Fault> {
    if tx.conn.prepare_cached(DELETE_QUEUED)?.execute([id.key()])? == 0 {
        tx.conn.prepare_cached(DELETE_HELD)?.execute([id.key()])?;
    }
    tx.queue_changed(-1);
    Ok(())
}

/// Appends an ended delivery to the log. The row that it had while it was unfinished is gone already.
pub(crate) fn insert_ended(tx: &mut Tx<'_>, head: &DeliveryHead, ending: Ending<'_>) -> Result<(), Fault> {
    let sql = tx.days.get_or_create(tx.conn, day_of(head.id.key()))?;
    tx.conn.prepare_cached(&sql.insert_delivery)?.execute(params![
        head.id.key(),
        head.id.salt(),
        head.event_id.key(),
        head.event_id.salt(),
        codec::endpoint_bytes(head.endpoint_id),
        &*head.type_name,
        head.location_id.as_ref().map(|id| id.as_str()),
        codec::trigger_number(head.trigger),
        head.retry_of.map(|id| id.key()),
        head.retry_of.map(|id| id.salt()),
        codec::status_number(ending.status),
        ending.reason.map(codec::end_reason_number),
        ending.attempt_count,
        ending.completed_at.as_millis(),
        ending.attempt.map(codec::attempt_bytes),
    ])?;
    order::stored(tx.conn, tx.days, Log::Deliveries, head.id.key())?;
    note_ending(tx, head, ending)
}

/// Keeps `undelivered`: who was skipped, and whose delivery ended without success.
fn note_ending(tx: &mut Tx<'_>, head: &DeliveryHead, ending: Ending<'_>) -> Result<(), Fault> {
    match ending.note(head.trigger) {
        UndeliveredNote::Same => Ok(()),
        UndeliveredNote::Removed => note_delivered(tx, head),
        UndeliveredNote::Made => {
            note_undelivered(tx, head.event_id, head.endpoint_id, head.location_id.as_ref())
        }
    }
}

fn note_delivered(tx: &mut Tx<'_>, head: &DeliveryHead) -> Result<(), Fault> {
    let Some(sql) = tx.days.get(day_of(head.event_id.key())) else { return Ok(()) };
    let endpoint_id = codec::endpoint_bytes(head.endpoint_id);
    tx.conn.prepare_cached(&sql.delete_undelivered)?.execute(params![head.event_id.key(), endpoint_id])?;
    Ok(())
}

/// The event has not succeeded at this endpoint, as far as we know now. Its day may be gone.
pub(crate) fn note_undelivered(
    tx: &mut Tx<'_>,
    event_id: EventId,
    endpoint_id: EndpointId,
    location_id: Option<&LocationId>,
) -> Result<(), Fault> {
    let Some(sql) = tx.days.get(day_of(event_id.key())) else { return Ok(()) };
    let event_key = event_id.key();
    let row = params![event_key, codec::endpoint_bytes(endpoint_id), location_id.map(LocationId::as_str)];
    if tx.conn.prepare_cached(&sql.insert_undelivered)?.execute(row)? == 1 {
        tx.inserted.push(InsertedRow::Undelivered { event_key, endpoint_id });
    }
    Ok(())
}

/// Keeps an attempt beside its delivery: an earlier one, or one that came late. `true` when it was not there before.
pub(crate) fn insert_attempt(tx: &mut Tx<'_>, id: DeliveryId, attempt: &Attempt) -> Result<bool, Fault> {
    let sql = tx.days.get_or_create(tx.conn, day_of(id.key()))?;
    let bytes = codec::attempt_bytes(attempt);
    let inserted =
        tx.conn.prepare_cached(&sql.insert_attempt)?.execute(params![id.key(), attempt.id.key(), bytes])?;
    Ok(inserted == 1)
}

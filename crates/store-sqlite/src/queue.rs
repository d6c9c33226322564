//! The queue: claims, outcomes, and what ends without an attempt. Everything here is one short transaction.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use domain::audit::{Action, Object};
use domain::delivery::{EndReason, Trigger};
use domain::event::Event;
use domain::id::{DeliveryId, EndpointId, key_time};
use domain::limits::RECORD_BATCH_MAX;
use domain::retry::Verdict;
use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use store::StoreError;
use store::backend::changes::Change;
use store::backend::counted::Counted;
use store::healths::HealthNote;
use store::once::MaybeOnce;
use store::queue::{Claim, ClaimedDelivery, Due, Granted, Queue, Record, Recorded, Release, Waiting, Want};

use crate::SqliteStore;
use crate::codec;
use crate::days::day_of;
use crate::fault::Fault;
use crate::health;
use crate::log::{self, DeliveryHead, Ending, Found, Queued};
use crate::once::once;
use crate::scope;
use crate::tallies;
use crate::writer::Tx;

/// One step of a skip scan: the first endpoint after ?1 with its earliest due time.
pub(crate) const NEXT_DUE_ENDPOINT: &str = "SELECT endpoint_id, due_at FROM queue INDEXED BY queue_due \
    WHERE claim IS NULL AND endpoint_id > ?1 ORDER BY endpoint_id, due_at LIMIT 1";
pub(crate) const DUE_ROWS: &str = "SELECT key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, \
    retry_key, retry_salt, attempt_count, due_at, claim FROM queue INDEXED BY queue_due \
    WHERE claim IS NULL AND endpoint_id = ?1 AND due_at <= ?2 ORDER BY due_at, key LIMIT ?3";
pub(crate) const NEXT_DUE_AT: &str = "SELECT due_at FROM queue INDEXED BY queue_due \
    WHERE claim IS NULL AND endpoint_id = ?1 ORDER BY due_at LIMIT 1";
/// The index alone: it holds the key too.
pub(crate) const WAITING: &str =
    "SELECT endpoint_id, count(*), min(key) FROM queue INDEXED BY queue_endpoint GROUP BY endpoint_id";
/// As many rows as the engine holds in memory, at most.
const HELD_WAITING: &str = "SELECT endpoint_id, 1, key FROM held";
pub(crate) const CLAIM: &str = "UPDATE queue SET claim = ?2 WHERE key = ?1";
pub(crate) const COMPLETE: &str = "DELETE FROM queue WHERE key = ?1 AND claim = ?2";
pub(crate) const PUT_OFF: &str = "UPDATE queue SET claim = NULL, due_at = ?3, attempt_count = attempt_count + 1 WHERE key = ?1 AND claim = ?2";
pub(crate) const RELEASE: &str = "UPDATE queue SET claim = NULL, due_at = ?3 WHERE key = ?1 AND claim = ?2";
pub(crate) const COMPLETE_HELD: &str = "DELETE FROM held WHERE key = ?1 AND claim = ?2";
pub(crate) const IS_ENABLED: &str = "SELECT 1 FROM endpoints WHERE id = ?1 AND state = 0";

/// Outcomes are recorded in so many turns, or in turns of so many. Not where so many come that recording them is what
/// attempts wait for: together they cost less.
const RECORD_TURNS: usize = 4;
const RECORDS_PER_TURN: usize = 32;

#[async_trait]
impl Queue for SqliteStore {
    async fn due(&self, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.read("looking for due deliveries", move |conn| due(conn, after, limit)).await
    }

    async fn claim(&self, wants: Vec<Want>, now: Timestamp) -> Result<Vec<Granted>, StoreError> {
        let claim = move |tx: &mut Tx<'_>| wants.iter().map(|want| grant(tx, *want, now)).collect();
        self.write("claiming deliveries", claim).await
    }

    async fn record(&self, records: Vec<Record>) -> Result<Vec<Recorded>, StoreError> {
        let record_all = move |tx: &mut Tx<'_>| {
            let mut counted = Counted::default();
            let recorded =
                records.iter().map(|outcome| record(tx, outcome, &mut counted)).collect::<Result<_, _>>()?;
            tallies::keep(tx, counted)?;
            Ok(recorded)
        };
        self.write("recording attempts", record_all).await
    }

    fn records_at_once(&self, waiting: usize) -> usize {
        if waiting < RECORD_BATCH_MAX { (waiting / RECORD_TURNS).max(RECORDS_PER_TURN) } else { waiting }
    }

    async fn release(&self, releases: Vec<Release>) -> Result<(), StoreError> {
        self.write("releasing deliveries", move |tx| releases.iter().try_for_each(|one| release(tx, *one)))
            .await
    }

    async fn note_health(&self, notes: Vec<HealthNote>) -> Result<(), StoreError> {
        let note_all = move |tx: &mut Tx<'_>| notes.into_iter().try_for_each(|note| health::note(tx, note));
        self.write("noting the health of endpoints", note_all).await
    }

    async fn end_deliveries(
        &self,
        endpoint_id: EndpointId,
        reason: EndReason,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.write("ending deliveries", move |tx| end_deliveries(tx, endpoint_id, (reason, now), limit)).await
    }

    async fn record_test(
        &self,
        event: Event,
        record: Record,
        maybe_once: MaybeOnce<()>,
    ) -> Result<(), StoreError> {
        let store = move |tx: &mut Tx<'_>| {
            once(tx, maybe_once, event.created_at(), |tx| {
                log::insert_event(tx, &event)?;
                end_after_attempt(tx, &record)?;
                let endpoint_id = record.delivery.endpoint_id;
                let owner = if tx.note.is_some() { scope::owner_of(tx.conn, endpoint_id)? } else { None };
                let (action, object) = (Action::EndpointTested, Object::new("endpoint", endpoint_id));
                tx.audit(Change { action, owner, object, before: None, after: None })
            })
        };
        self.write("recording a test", store).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.read("counting what waits", waiting).await
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        Ok(self.memory.queue_length.load(Ordering::Relaxed).try_into().unwrap_or(0))
    }
}

fn waiting(conn: &Connection) -> Result<Vec<Waiting>, Fault> {
    let mut found = HashMap::<EndpointId, Waiting>::new();
    for sql in [WAITING, HELD_WAITING] {
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let endpoint_id = codec::endpoint_of(row.get(0)?);
            let (count, oldest_at) = (row.get::<_, i64>(1)?.unsigned_abs(), key_time(row.get(2)?));
            let waiting = found.entry(endpoint_id).or_insert(Waiting { endpoint_id, count: 0, oldest_at });
            waiting.count += count;
            waiting.oldest_at = waiting.oldest_at.min(oldest_at);
        }
    }
    Ok(found.into_values().collect())
}

fn due(conn: &Connection, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, Fault> {
    let mut select = conn.prepare_cached(NEXT_DUE_ENDPOINT)?;
    let mut after = after.map_or_else(Vec::new, |id| codec::endpoint_bytes(id).to_vec());
    let mut found = Vec::new();
    while found.len() < limit {
        let next = select
            .query_row([&after], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        let Some((endpoint, due_at)) = next else { break };
        found.push(Due { endpoint_id: codec::endpoint_of(endpoint), due_at: Timestamp::from_millis(due_at) });
        after = endpoint.to_vec();
    }
    Ok(found)
}

fn grant(tx: &mut Tx<'_>, want: Want, now: Timestamp) -> Result<Granted, Fault> {
    let mut deliveries = Vec::new();
    if is_enabled(tx.conn, want.endpoint_id)? {
        for queued in due_rows(tx.conn, want.endpoint_id, now, want.limit)? {
            deliveries.extend(take(tx, queued)?);
        }
    }
    let next_due_at = next_due_at(tx.conn, want.endpoint_id)?;
    Ok(Granted { endpoint_id: want.endpoint_id, deliveries, next_due_at })
}

pub(crate) fn is_enabled(conn: &Connection, id: EndpointId) -> Result<bool, Fault> {
    let found =
        conn.prepare_cached(IS_ENABLED)?.query_row([codec::endpoint_bytes(id)], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

fn due_rows(conn: &Connection, id: EndpointId, now: Timestamp, limit: usize) -> Result<Vec<Queued>, Fault> {
    let mut select = conn.prepare_cached(DUE_ROWS)?;
    let mut rows = select.query(params![codec::endpoint_bytes(id), now.as_millis(), limit as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(log::queued_of_row(row)?);
    }
    Ok(found)
}

fn next_due_at(conn: &Connection, id: EndpointId) -> Result<Option<Timestamp>, Fault> {
    let mut select = conn.prepare_cached(NEXT_DUE_AT)?;
    let due_at = select.query_row([codec::endpoint_bytes(id)], |row| row.get(0)).optional()?;
    Ok(due_at.map(Timestamp::from_millis))
}

/// Holds the delivery. One whose event is no longer kept cannot be sent: it goes with its event.
fn take(tx: &mut Tx<'_>, queued: Queued) -> Result<Option<ClaimedDelivery>, Fault> {
    let head = &queued.head;
    let Some(payload) = payload(tx, head)? else {
        log::remove(tx, head.id)?;
        return Ok(None);
    };
    tx.conn.prepare_cached(CLAIM)?.execute(params![head.id.key(), tx.claim.0])?;
    Ok(Some(queued.claimed(tx.claim, payload.into())))
}

fn payload(tx: &Tx<'_>, head: &DeliveryHead) -> Result<Option<Vec<u8>>, Fault> {
    let key = head.event_id.key();
    let Some(sql) = tx.days.get(day_of(key)) else { return Ok(None) };
    let payload = tx.conn.prepare_cached(&sql.payload)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(payload)
}

fn record(tx: &mut Tx<'_>, record: &Record, counted: &mut Counted) -> Result<Recorded, Fault> {
    if !let_go(tx, record)? {
        if record_late(tx, record)? {
            counted.add(record.delivery.endpoint_id, &record.attempt);
        }
        return Ok(Recorded::Lost);
    }
    counted.add(record.delivery.endpoint_id, &record.attempt);
    match record.verdict {
        Verdict::RetryAt(_) => {
            log::insert_attempt(tx, record.delivery.id, &record.attempt)?;
        }
        Verdict::Succeeded | Verdict::Ended(_) => {
            tx.queue_changed(-1);
            end_after_attempt(tx, record)?;
        }
    }
    Ok(Recorded::Applied)
}

/// Ends the claim as the verdict says. `false`: it did not hold any more.
fn let_go(tx: &mut Tx<'_>, record: &Record) -> Result<bool, Fault> {
    let delivery = &record.delivery;
    let (key, claim) = (delivery.id.key(), delivery.claim.0);
    let from_the_start = delivery.attempt_count == 0 && delivery.trigger == Trigger::Event;
    let let_go = match record.verdict {
        Verdict::RetryAt(at) if from_the_start && put_back(tx, (delivery.id, delivery.claim), (at, 1))? => 1,
        Verdict::RetryAt(at) => {
            tx.conn.prepare_cached(PUT_OFF)?.execute(params![key, claim, at.as_millis()])?
        }
        Verdict::Succeeded | Verdict::Ended(_) => {
            let held = if from_the_start {
                tx.conn.prepare_cached(COMPLETE_HELD)?.execute([key, claim])?
            } else {
                0
            };
            if held == 0 { tx.conn.prepare_cached(COMPLETE)?.execute([key, claim])? } else { held }
        }
    };
    Ok(let_go == 1)
}

/// Moves a delivery that is held from the start to the queue, due at a time, after so many attempts. `false`: it is not
/// held so.
fn put_back(
    tx: &mut Tx<'_>,
    (id, claim): (DeliveryId, Claim),
    (due_at, attempt_count): (Timestamp, u32),
) -> Result<bool, Fault> {
    let copied = tx.conn.prepare_cached(log::HELD_TO_QUEUE)?.execute(params![
        due_at.as_millis(),
        attempt_count,
        id.key(),
        claim.0,
    ])?;
    if copied == 1 {
        tx.conn.prepare_cached(log::DELETE_HELD)?.execute([id.key()])?;
    }
    Ok(copied == 1)
}

/// The claim is gone. Where the delivery has ended, its log shows the attempt that was made all the same. `false`: it did
/// already, or there is none.
fn record_late(tx: &mut Tx<'_>, record: &Record) -> Result<bool, Fault> {
    let id = record.delivery.id;
    let Some(Found::Ended(_)) = log::find(tx.conn, id)? else { return Ok(false) };
    let day = day_of(id.key());
    let inline: Option<Vec<u8>> =
        tx.conn.prepare_cached(&log::inline_attempt_sql(day))?.query_row([id.key()], |row| row.get(0))?;
    let known = inline.map(|bytes| codec::attempt_id_of(&bytes)).transpose()? == Some(record.attempt.id);
    let is_new = !known && log::insert_attempt(tx, id, &record.attempt)?;
    if is_new {
        tx.conn.prepare_cached(&log::count_late_attempt_sql(day))?.execute([id.key()])?;
    }
    Ok(is_new)
}

/// The attempt was the last. A test is over after its one attempt, whatever the verdict.
fn end_after_attempt(tx: &mut Tx<'_>, record: &Record) -> Result<(), Fault> {
    log::insert_ended(tx, &DeliveryHead::of_claimed(&record.delivery), Ending::after_attempt(record))
}

fn release(tx: &mut Tx<'_>, release: Release) -> Result<(), Fault> {
    if put_back(tx, (release.id, release.claim), (release.due_at, 0))? {
        return Ok(());
    }
    let due_at = release.due_at.as_millis();
    tx.conn.prepare_cached(RELEASE)?.execute(params![release.id.key(), release.claim.0, due_at])?;
    Ok(())
}

fn end_deliveries(
    tx: &mut Tx<'_>,
    endpoint_id: EndpointId,
    (reason, now): (EndReason, Timestamp),
    limit: usize,
) -> Result<usize, Fault> {
    let unheld = due_rows(tx.conn, endpoint_id, Timestamp::from_millis(i64::MAX), limit)?;
    for queued in &unheld {
        end_unattempted(tx, queued, reason, now)?;
    }
    Ok(unheld.len())
}

/// Ends an unfinished delivery, held or not, as it stands.
pub(crate) fn end_unattempted(
    tx: &mut Tx<'_>,
    queued: &Queued,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), Fault> {
    log::remove(tx, queued.head.id)?;
    log::insert_ended(tx, &queued.head, queued.ended(reason, now))
}

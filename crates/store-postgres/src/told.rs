//! What happens on any node, for those who listen on any other. While somebody listens, whoever records outcomes or changes an
//! endpoint adds rows to `told` in the same transaction; a node with listeners reads them twice a second, and its own at once.
//!
//! The counter `told` is held until the commit, so that the rows' numbers are the order of the commits and none comes late: an
//! event has one number on all nodes, and a stream goes on from it on any. Whether somebody listens is read by the transaction
//! itself, with a statement that it makes anyway; while nobody does, nothing else is done.

use std::sync::Arc;

use bytes::Bytes;
use domain::health::Failing;
use domain::id::EndpointId;
use domain::limits::{
    DATABASE_CALL_MS_MAX, FEED_EVENTS_MAX, FEED_HISTORY_EVENTS, FEED_LINGER_SECONDS, FEED_READ_ROWS,
};
use domain::retry::Verdict;
use domain::time::Timestamp;
use store::StoreError;
use store::backend::codec;
use store::backend::standing::DeliveryHead;
use store::feed::{Feed, Happened, Listener};
use store::queue::{Claim, Record};
use tokio_postgres::Row;

use crate::fault::Fault;
use crate::follow::{Changed, catch_up};
use crate::log::{self, head};
use crate::session::{Session, within};
use crate::{PostgresStore, Shared, endpoint_rows};

pub(crate) const LISTENING: &str = "select value from counters where name = 'listening'";
pub(crate) const TELL_ATTEMPTS: &str = concat!(
    "with places as (update counters set value = value + cardinality($1::bigint[]) where name = 'told' \
     returning value - cardinality($1::bigint[]) as before) insert into told (place, kind, ",
    head!(),
    ", attempt_count, due_at, reason, attempt) select places.before + u.n, 0, ",
    head!(),
    ", attempt_count, due_at, reason, attempt from places cross join unnest($1::bigint[], $2::bigint[], $3::bigint[], \
     $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::smallint[], $9::bigint[], $10::bigint[], $11::bigint[], \
     $12::bigint[], $13::smallint[], $14::bytea[]) with ordinality as u (",
    head!(),
    ", attempt_count, due_at, reason, attempt, n)"
);
pub(crate) const TELL_CHANGED: &str = "with places as (update counters set value = value + cardinality($1::bytea[]) \
    where name = 'told' returning value - cardinality($1::bytea[]) as before) insert into told (place, kind, endpoint_id) \
    select places.before + u.n, 1, u.id from places cross join unnest($1::bytea[]) with ordinality as u (id, n)";
pub(crate) const SINCE: &str = concat!(
    "select ",
    head!(),
    ", attempt_count, due_at, reason, attempt, kind, place from told where place >= $1 order by place limit $2"
);
pub(crate) const LATEST: &str = "select value from counters where name = 'told'";
/// As long as somebody listens the earliest number that is kept, for those who come back.
pub(crate) const FIRST: &str = "select place from told order by place limit 1";
pub(crate) const PRUNE: &str = "delete from told where place <= $1";
pub(crate) const HOLD: &str = "select value from counters where name = 'listening' for update";
pub(crate) const RAISE: &str =
    "update counters set value = greatest(value, $1) where name = 'listening' and value < $1";
/// A number is left out where nobody listened, so that who heard the one before takes nothing that follows for all that happened.
pub(crate) const LEAVE_OUT: &str =
    "update counters set value = value + 1 where name = 'told' returning value";
pub(crate) const EXPIRED: &str = "delete from told where place = any(array(select place from told \
    where (select value from counters where name = 'listening') < $1 order by place limit $2))";

/// From the last word of a listener on, and how often it is said.
const LISTENING_MS: i64 = 2 * FEED_LINGER_SECONDS as i64 * 1_000;
const RAISE_MS: i64 = LISTENING_MS / 4;
/// Reads that one round makes at most, so that other work comes in between.
const READS_MAX: usize = FEED_EVENTS_MAX / FEED_READ_ROWS;

/// Whether a transaction is to tell what it does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling {
    /// Somebody listens on this node.
    is_heard_here: bool,
    now: Timestamp,
}

impl Telling {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self { is_heard_here: shared.memory.feed.is_listened_to(), now: shared.clock.now() }
    }

    /// `until`: what the counter `listening` says.
    pub(crate) fn is_due(self, until: i64) -> bool {
        self.is_heard_here || until > self.now.as_millis()
    }
}

/// Of a transaction that has read nothing yet from which it would know.
pub(crate) async fn listening(session: &Session) -> Result<i64, Fault> {
    Ok(session.find(LISTENING, &[]).await?.map_or(0, |row| row.get(0)))
}

/// The last that its transaction waits for: others wait for its commit.
pub(crate) async fn tell_attempts(session: &Session, records: &[&Record]) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    let heads: Vec<_> = records.iter().map(|record| DeliveryHead::of_claimed(&record.delivery)).collect();
    let heads = log::Heads::of(heads.iter());
    let counts: Vec<i64> = records.iter().map(|record| i64::from(record.delivery.attempt_count)).collect();
    let due = |verdict| match verdict {
        Verdict::RetryAt(at) => Some(Timestamp::as_millis(at)),
        Verdict::Succeeded | Verdict::Ended(_) => None,
    };
    let reason = |verdict| match verdict {
        Verdict::Ended(reason) => Some(codec::end_reason_number(reason) as i16),
        Verdict::Succeeded | Verdict::RetryAt(_) => None,
    };
    let dues: Vec<Option<i64>> = records.iter().map(|record| due(record.verdict)).collect();
    let reasons: Vec<Option<i16>> = records.iter().map(|record| reason(record.verdict)).collect();
    let attempts: Vec<Vec<u8>> = records.iter().map(|record| codec::attempt_bytes(&record.attempt)).collect();
    let mut params = heads.params().to_vec();
    params.extend([&counts as crate::session::Param<'_>, &dues, &reasons, &attempts]);
    session.execute(TELL_ATTEMPTS, &params).await?;
    Ok(())
}

/// The same of changes.
pub(crate) async fn tell_changed(session: &Session, changed: &[Changed]) -> Result<(), Fault> {
    let mut ids: Vec<Vec<u8>> = Vec::new();
    for changed in changed {
        let (Changed::Endpoint(id) | Changed::Health(id)) = changed else { continue };
        let id = codec::endpoint_bytes(*id).to_vec();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if !ids.is_empty() {
        session.execute(TELL_CHANGED, &[&ids]).await?;
    }
    Ok(())
}

/// How far this node has read, held by who reads.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    /// When it is to be said again that somebody listens.
    raise_at: Option<Timestamp>,
    pruned_to: i64,
}

impl PostgresStore {
    /// See [`Nodes::listen`](store::nodes::Nodes::listen).
    pub(crate) async fn listen_to_all(&self) -> Result<Listener, StoreError> {
        let listening = async {
            let shared = &*self.shared;
            let mut ears = shared.ears.lock().await;
            let session = shared.pool.get().await?;
            // Before anything is read, so that it counts as wanted while that lasts.
            let is_cold = !shared.memory.feed.is_listened_to();
            let listener = shared.memory.feed.listen();
            raise(&session, shared.clock.now(), &mut ears).await?;
            if is_cold {
                begin(&session, &shared.memory.feed).await?;
            }
            session.keep();
            hear(shared, &mut ears).await?;
            Ok::<_, Fault>(listener)
        };
        let listening = within(DATABASE_CALL_MS_MAX, "listening took too long", listening);
        listening.await.map_err(|fault| fault.told("listening to what happens"))
    }
}

/// A little of what was told before is read too: somebody may come back who listened on another node.
async fn begin(session: &Session, feed: &Feed) -> Result<(), Fault> {
    let after_latest = latest(session).await? + 1;
    let first = session.find(FIRST, &[]).await?.map_or(after_latest, |row| row.get(0));
    feed.begin_at(first.max(after_latest - FEED_HISTORY_EVENTS as i64).unsigned_abs());
    Ok(())
}

async fn latest(session: &Session) -> Result<i64, Fault> {
    Ok(session.find(LATEST, &[]).await?.ok_or(Fault::Damaged("counter of what was told"))?.get(0))
}

/// Says on all nodes that somebody listens.
async fn raise(session: &Session, now: Timestamp, ears: &mut Ears) -> Result<(), Fault> {
    session.run("begin").await?;
    let until: i64 = session.find(HOLD, &[]).await?.map_or(0, |row| row.get(0));
    if until <= now.as_millis() {
        let left_out: i64 = session.find(LEAVE_OUT, &[]).await?.map_or(0, |row| row.get(0));
        session.execute(PRUNE, &[&left_out]).await?;
    }
    session.execute(RAISE, &[&now.plus_millis(LISTENING_MS).as_millis()]).await?;
    session.run("commit").await?;
    ears.raise_at = Some(now.plus_millis(RAISE_MS));
    Ok(())
}

/// A round of the task that follows the others.
pub(crate) async fn follow(shared: &Shared) -> Result<(), Fault> {
    if !shared.memory.feed.is_listened_to() {
        return Ok(());
    }
    let mut ears = shared.ears.lock().await;
    let now = shared.clock.now();
    if ears.raise_at.is_none_or(|at| at <= now) {
        let session = shared.pool.get().await?;
        raise(&session, now, &mut ears).await?;
        session.keep();
    }
    hear(shared, &mut ears).await
}

/// Appends to this node's feed what was told since.
async fn hear(shared: &Shared, ears: &mut Ears) -> Result<(), Fault> {
    let (session, feed) = (shared.pool.get().await?, &shared.memory.feed);
    for _ in 0..READS_MAX {
        let next = skipped(latest(&session).await?, feed);
        let rows = session.query(SINCE, &[&next, &(FEED_READ_ROWS as i64)]).await?;
        if rows.is_empty() {
            break;
        }
        // What memory shows is then at least as new as what the rows tell of.
        catch_up(shared).await?;
        let payloads = payloads(&session, &rows).await?;
        for row in &rows {
            let place: i64 = row.get(15);
            if let Some(happened) = happened(shared, &session, row, &payloads).await? {
                feed.append(place.unsigned_abs(), happened);
            }
        }
        prune(&session, row_place(rows.last()), ears).await?;
        if rows.len() < FEED_READ_ROWS {
            break;
        }
    }
    session.keep();
    Ok(())
}

fn row_place(row: Option<&Row>) -> i64 {
    row.map_or(0, |row| row.get(15))
}

/// From which number on to read: a node that is further behind than anybody here could hear lets go of what is between.
fn skipped(latest: i64, feed: &Feed) -> i64 {
    let next = feed.next() as i64;
    if latest - next > FEED_EVENTS_MAX as i64 { latest - FEED_EVENTS_MAX as i64 / 2 } else { next }
}

async fn prune(session: &Session, read_to: i64, ears: &mut Ears) -> Result<(), Fault> {
    let kept_from = read_to - FEED_EVENTS_MAX as i64;
    if kept_from - ears.pruned_to >= FEED_HISTORY_EVENTS as i64 {
        session.execute(PRUNE, &[&kept_from]).await?;
        ears.pruned_to = kept_from;
    }
    Ok(())
}

type Payloads = std::collections::HashMap<i64, Bytes>;

async fn payloads(session: &Session, rows: &[Row]) -> Result<Payloads, Fault> {
    let keys: Vec<i64> = rows.iter().filter_map(|row| row.get(2)).collect();
    if keys.is_empty() { Ok(Payloads::new()) } else { log::payloads(session, &keys).await }
}

/// As this node's memory has its endpoint. `None`: nothing is known of that any more.
async fn happened(
    shared: &Shared,
    session: &Session,
    row: &Row,
    payloads: &Payloads,
) -> Result<Option<Happened>, Fault> {
    let id: EndpointId = crate::scope::endpoint_id(row, 4)?;
    let endpoint = match shared.memory.routes.endpoint(id) {
        Some(endpoint) => endpoint,
        None => match endpoint_rows::deleted(session, id).await? {
            Some(endpoint) => Arc::new(endpoint),
            None => return Ok(None),
        },
    };
    let failing: Option<Failing> = shared.memory.healths.of(&endpoint);
    if row.get::<_, i16>(14) == 1 {
        return Ok(Some(Happened::Changed { endpoint, failing }));
    }
    let record = record_of(row, payloads)?;
    Ok(Some(Happened::Attempted { endpoint, failing, record }))
}

fn record_of(row: &Row, payloads: &Payloads) -> Result<Record, Fault> {
    let head = log::head_of_row(row)?;
    let reason = row.get::<_, Option<i16>>(12);
    let verdict = match (row.get::<_, Option<i64>>(11), reason) {
        (Some(due_at), _) => Verdict::RetryAt(Timestamp::from_millis(due_at)),
        (None, Some(reason)) => Verdict::Ended(codec::end_reason_of(i64::from(reason))?),
        (None, None) => Verdict::Succeeded,
    };
    let payload = payloads.get(&head.event_id.key()).cloned().unwrap_or_default();
    // Whose claim it was is nobody's affair here.
    let delivery = head.claimed(log::count_of(row, 10)?, Claim(0), payload);
    let attempt = Arc::new(codec::attempt_of(row.get(13))?);
    Ok(Record { delivery: Arc::new(delivery), attempt, verdict })
}

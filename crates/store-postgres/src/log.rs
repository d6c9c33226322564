//! Rows of `queue`, of `held` and of the log: how they are written, many at a time, how they are found and read. Shared by
//! every noun that touches a delivery; it knows no scope.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::attempt::{Attempt, AttemptHead};
use domain::delivery::{Delivery, Trigger};
use domain::event::{Event, Visibility};
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::location::LocationId;
use domain::time::Timestamp;
use futures::future::{try_join, try_join3};
use store::backend::codec;
use store::backend::columns::tenant_id;
use store::backend::days::day_of;
use store::backend::standing::{DeliveryHead, Ending, Found, Queued, Standing, UndeliveredNote};
use store::queue::Claim;
use tokio_postgres::Row;

use crate::days;
use crate::fault::Fault;
use crate::scope::endpoint_id;
use crate::session::Session;

/// The columns that every row of a delivery begins with.
macro_rules! head {
    () => {
        "key, salt, event_key, event_salt, endpoint_id, type, location_id, trigger, retry_key, retry_salt"
    };
}
pub(crate) use head;

macro_rules! unnest_head {
    () => {
        "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[], $7::text[], \
        $8::smallint[], $9::bigint[], $10::bigint[]"
    };
}

pub(crate) const INSERT_QUEUED: &str = concat!(
    "insert into queue (",
    head!(),
    ", attempt_count, due_at) select * from ",
    unnest_head!(),
    ", $11::bigint[], $12::bigint[])"
);
pub(crate) const INSERT_HELD: &str = concat!(
    "insert into held (",
    head!(),
    ", attempt_count, due_at, claim) select *, $13::bigint from ",
    unnest_head!(),
    ", $11::bigint[], $12::bigint[])"
);
pub(crate) const INSERT_ENDED: &str = concat!(
    "insert into deliveries (",
    head!(),
    ", status, reason, attempt_count, completed_at, attempt) select * from ",
    unnest_head!(),
    ", $11::smallint[], $12::smallint[], $13::bigint[], $14::bigint[], $15::bytea[])"
);
pub(crate) const INSERT_EVENTS: &str = "insert into events (key, salt, type, scope, location_id, company_id, app_id, hidden, \
    considered, payload) select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::smallint[], $5::text[], \
    $6::text[], $7::text[], $8::boolean[], $9::bytea[], $10::bytea[])";
pub(crate) const INSERT_ATTEMPTS: &str = "insert into attempts (delivery_key, key, attempt) \
    select * from unnest($1::bigint[], $2::bigint[], $3::bytea[]) on conflict do nothing";
pub(crate) const INSERT_UNDELIVERED: &str = "insert into undelivered (event_key, endpoint_id, location_id) \
    select * from unnest($1::bigint[], $2::bytea[], $3::text[]) on conflict do nothing";
pub(crate) const DELETE_UNDELIVERED: &str =
    "delete from undelivered where event_key = $1 and endpoint_id = $2";
pub(crate) const QUEUED: &str =
    concat!("select ", head!(), ", attempt_count, due_at, null::bigint from queue where key = any($1)");
pub(crate) const HELD: &str =
    concat!("select ", head!(), ", attempt_count, due_at, claim from held where key = any($1)");
/// The bounds let it pass by the days of other keys.
pub(crate) const ENDED: &str = concat!(
    "select ",
    head!(),
    ", status, reason, attempt_count, completed_at from deliveries \
     where key = any($1) and key >= $2 and key <= $3"
);
pub(crate) const REMOVE_QUEUED: &str = "delete from queue where key = $1";
pub(crate) const REMOVE_HELD: &str = "delete from held where key = $1";
/// What is due before this is held back: for good while the endpoint is disabled by hand, else by its circuit.
pub(crate) const HELD_UNTIL: &str = "select e.id, case when e.state = 1 and e.disabled_reason = 'by-hand' then $2 \
    else h.held_until end from endpoints e left join endpoint_health h on h.endpoint_id = e.id where e.id = any($1)";
pub(crate) const INLINE_ATTEMPT: &str = "select attempt from deliveries where key = $1";
pub(crate) const ATTEMPTS: &str = "select attempt from attempts where delivery_key = $1";
/// The beginnings of attempts ([`codec::ATTEMPT_HEAD_BYTES`]): those that ended deliveries, and the last of those beside one.
pub(crate) const INLINE_HEADS: &str = "select key, substring(attempt for 37) from deliveries \
    where key = any($1) and key >= $2 and key <= $3 and attempt is not null";
pub(crate) const LATEST_HEADS: &str = "select u.key, latest.head from unnest($1::bigint[]) as u (key) cross join lateral \
    (select substring(attempt for 37) as head from attempts where delivery_key = u.key order by key desc limit 1) latest";
const _: () = assert!(codec::ATTEMPT_HEAD_BYTES == 37);
pub(crate) const COUNT_LATE_ATTEMPT: &str =
    "update deliveries set attempt_count = attempt_count + 1 where key = $1";
pub(crate) const EVENTS: &str = "select key, salt, type, location_id, company_id, app_id, hidden, considered, scope, payload \
    from events where key = any($1) and key >= $2 and key <= $3";
pub(crate) const PAYLOADS: &str =
    "select key, payload from events where key = any($1) and key >= $2 and key <= $3";

/// Columns of many deliveries.
#[derive(Default)]
pub(crate) struct Heads<'a> {
    keys: Vec<i64>,
    salts: Vec<i64>,
    event_keys: Vec<i64>,
    event_salts: Vec<i64>,
    endpoint_ids: Vec<Vec<u8>>,
    types: Vec<&'a str>,
    location_ids: Vec<Option<&'a str>>,
    triggers: Vec<i16>,
    retry_keys: Vec<Option<i64>>,
    retry_salts: Vec<Option<i64>>,
}

impl<'a> Heads<'a> {
    pub(crate) fn of(heads: impl Iterator<Item = &'a DeliveryHead>) -> Self {
        let mut columns = Self::default();
        for head in heads {
            columns.keys.push(head.id.key());
            columns.salts.push(head.id.salt());
            columns.event_keys.push(head.event_id.key());
            columns.event_salts.push(head.event_id.salt());
            columns.endpoint_ids.push(codec::endpoint_bytes(head.endpoint_id).to_vec());
            columns.types.push(&head.type_name);
            columns.location_ids.push(head.location_id.as_ref().map(LocationId::as_str));
            columns.triggers.push(codec::trigger_number(head.trigger) as i16);
            columns.retry_keys.push(head.retry_of.map(DeliveryId::key));
            columns.retry_salts.push(head.retry_of.map(DeliveryId::salt));
        }
        columns
    }

    pub(crate) fn params(&self) -> [crate::session::Param<'_>; 10] {
        [
            &self.keys,
            &self.salts,
            &self.event_keys,
            &self.event_salts,
            &self.endpoint_ids,
            &self.types,
            &self.location_ids,
            &self.triggers,
            &self.retry_keys,
            &self.retry_salts,
        ]
    }
}

/// A delivery that nobody holds: what it is, attempts so far, when it is due.
pub(crate) type NewQueued = (DeliveryHead, u32, Timestamp);

pub(crate) async fn insert_queued(session: &Session, rows: &[NewQueued]) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let heads = Heads::of(rows.iter().map(|(head, ..)| head));
    let counts: Vec<i64> = rows.iter().map(|(_, count, _)| i64::from(*count)).collect();
    let dues: Vec<i64> = rows.iter().map(|(_, _, due_at)| due_at.as_millis()).collect();
    let mut params = heads.params().to_vec();
    params.extend([&counts as crate::session::Param<'_>, &dues]);
    session.execute(INSERT_QUEUED, &params).await?;
    Ok(())
}

/// Events' own deliveries, held from the start.
pub(crate) async fn insert_held(session: &Session, rows: &[DeliveryHead], claim: Claim) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let heads = Heads::of(rows.iter());
    let counts = vec![0_i64; rows.len()];
    let dues: Vec<i64> = rows.iter().map(|head| head.id.created_at().as_millis()).collect();
    let mut params = heads.params().to_vec();
    params.extend([&counts as crate::session::Param<'_>, &dues, &claim.0]);
    session.execute(INSERT_HELD, &params).await?;
    Ok(())
}

/// Appends ended deliveries to the log and keeps the note of where their events were not delivered.
pub(crate) async fn insert_ended(
    session: &Session,
    rows: &[(&DeliveryHead, Ending<'_>)],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let heads = Heads::of(rows.iter().map(|(head, _)| *head));
    let endings = || rows.iter().map(|(_, ending)| ending);
    let statuses: Vec<i16> = endings().map(|one| codec::status_number(one.status) as i16).collect();
    let reasons: Vec<Option<i16>> =
        endings().map(|one| one.reason.map(|reason| codec::end_reason_number(reason) as i16)).collect();
    let counts: Vec<i64> = endings().map(|one| i64::from(one.attempt_count)).collect();
    let completed: Vec<i64> = endings().map(|one| one.completed_at.as_millis()).collect();
    let attempts: Vec<Option<Vec<u8>>> = endings().map(|one| one.attempt.map(codec::attempt_bytes)).collect();
    let mut params = heads.params().to_vec();
    params.extend([&statuses as crate::session::Param<'_>, &reasons, &counts, &completed, &attempts]);
    session.execute(INSERT_ENDED, &params).await?;
    note_endings(session, rows).await
}

async fn note_endings(session: &Session, rows: &[(&DeliveryHead, Ending<'_>)]) -> Result<(), Fault> {
    let mut made = Vec::new();
    for (head, ending) in rows {
        match ending.note(head.trigger) {
            UndeliveredNote::Same => {}
            UndeliveredNote::Made => made.push((head.event_id, head.endpoint_id, head.location_id.as_ref())),
            UndeliveredNote::Removed => {
                let endpoint_id = codec::endpoint_bytes(head.endpoint_id);
                session.execute(DELETE_UNDELIVERED, &[&head.event_id.key(), &&endpoint_id[..]]).await?;
            }
        }
    }
    if made.is_empty() {
        return Ok(());
    }
    // An event's day may be gone before what became of it is known.
    let days = days::all(session).await?;
    made.retain(|(event_id, ..)| days.contains(&day_of(event_id.key())));
    note_undelivered(session, &made).await
}

/// These events have not succeeded at these endpoints, as far as we know now. Their days must be there.
pub(crate) async fn note_undelivered(
    session: &Session,
    rows: &[(EventId, EndpointId, Option<&LocationId>)],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = rows.iter().map(|(event_id, ..)| event_id.key()).collect();
    let endpoints: Vec<Vec<u8>> = rows.iter().map(|(_, id, _)| codec::endpoint_bytes(*id).to_vec()).collect();
    let locations: Vec<Option<&str>> = rows.iter().map(|(_, _, id)| id.map(LocationId::as_str)).collect();
    session.execute(INSERT_UNDELIVERED, &[&keys, &endpoints, &locations]).await?;
    Ok(())
}

pub(crate) async fn insert_events(session: &Session, events: &[&Event]) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Event) -> i64| events.iter().map(|event| of(event)).collect::<Vec<i64>>();
    let types: Vec<&str> = events.iter().map(|event| &*event.type_name).collect();
    let scopes: Vec<i16> = events.iter().map(|event| codec::event_scope_number(event.scope) as i16).collect();
    let locations: Vec<_> =
        events.iter().map(|event| event.location_id.as_ref().map(|id| id.as_str())).collect();
    let companies: Vec<_> =
        events.iter().map(|event| event.company_id.as_ref().map(|id| id.as_str())).collect();
    let apps: Vec<_> = events.iter().map(|event| event.app_id.as_ref().map(|id| id.as_str())).collect();
    let hidden: Vec<bool> = events.iter().map(|event| event.visibility == Visibility::TestOnly).collect();
    let considered: Vec<_> = events.iter().map(|event| codec::considered_bytes(&event.considered)).collect();
    let payloads: Vec<&[u8]> = events.iter().map(|event| &event.payload[..]).collect();
    let (keys, salts) = (column(|event| event.id.key()), column(|event| event.id.salt()));
    session
        .execute(
            INSERT_EVENTS,
            &[&keys, &salts, &types, &scopes, &locations, &companies, &apps, &hidden, &considered, &payloads],
        )
        .await?;
    Ok(())
}

/// Keeps attempts beside their deliveries: earlier ones, or ones that came late. How many were not there before.
pub(crate) async fn insert_attempts(
    session: &Session,
    rows: &[(DeliveryId, &Attempt)],
) -> Result<u64, Fault> {
    if rows.is_empty() {
        return Ok(0);
    }
    let deliveries: Vec<i64> = rows.iter().map(|(id, _)| id.key()).collect();
    let keys: Vec<i64> = rows.iter().map(|(_, attempt)| attempt.id.key()).collect();
    let attempts: Vec<Vec<u8>> = rows.iter().map(|(_, attempt)| codec::attempt_bytes(attempt)).collect();
    session.execute(INSERT_ATTEMPTS, &[&deliveries, &keys, &attempts]).await
}

/// Takes an unfinished delivery out, wherever it is. `false`: it is unfinished no more.
pub(crate) async fn remove(session: &Session, id: DeliveryId) -> Result<bool, Fault> {
    // Between two looks it may have moved from one table to the other, and back.
    for sql in [REMOVE_QUEUED, REMOVE_HELD, REMOVE_QUEUED, REMOVE_HELD] {
        if session.execute(sql, &[&id.key()]).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn head_of_row(row: &Row) -> Result<DeliveryHead, Fault> {
    let (retry_key, retry_salt): (Option<i64>, Option<i64>) = (row.get(8), row.get(9));
    Ok(DeliveryHead {
        id: DeliveryId::from_parts(row.get(0), row.get(1)),
        event_id: EventId::from_parts(row.get(2), row.get(3)),
        endpoint_id: endpoint_id(row, 4)?,
        type_name: Arc::from(row.get::<_, &str>(5)),
        location_id: tenant_id(row.get(6))?,
        trigger: trigger_of(row)?,
        retry_of: retry_key.zip(retry_salt).map(|(key, salt)| DeliveryId::from_parts(key, salt)),
    })
}

fn trigger_of(row: &Row) -> Result<Trigger, Fault> {
    Ok(codec::trigger_of(i64::from(row.get::<_, i16>(7)))?)
}

pub(crate) fn count_of(row: &Row, column: usize) -> Result<u32, Fault> {
    row.get::<_, i64>(column).try_into().map_err(|_| Fault::Damaged("count of attempts"))
}

/// Of [`QUEUED`] and [`HELD`].
pub(crate) fn queued_of_row(row: &Row) -> Result<Queued, Fault> {
    Ok(Queued {
        head: head_of_row(row)?,
        attempt_count: count_of(row, 10)?,
        due_at: Timestamp::from_millis(row.get(11)),
        claim: row.get::<_, Option<i64>>(12).map(Claim),
    })
}

fn ended_of_row(row: &Row) -> Result<Delivery, Fault> {
    let reason =
        row.get::<_, Option<i16>>(11).map(|number| codec::end_reason_of(i64::from(number))).transpose()?;
    Ok(head_of_row(row)?.delivery(Standing {
        status: codec::status_of(i64::from(row.get::<_, i16>(10)))?,
        attempt_count: count_of(row, 12)?,
        next_attempt_at: None,
        ended: Some((Timestamp::from_millis(row.get(13)), reason)),
    }))
}

/// The smallest and the largest, for statements that pass by other days.
fn bounds(keys: &[i64]) -> (i64, i64) {
    (keys.iter().copied().min().unwrap_or(0), keys.iter().copied().max().unwrap_or(0))
}

/// Deliveries by their rows' keys.
pub(crate) async fn find_keys(session: &Session, keys: &[i64]) -> Result<HashMap<i64, Found>, Fault> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let (low, high) = bounds(keys);
    let (queued, held, ended) = try_join3(
        session.query(QUEUED, &[&keys]),
        session.query(HELD, &[&keys]),
        session.query(ENDED, &[&keys, &low, &high]),
    )
    .await?;
    let mut found = HashMap::with_capacity(keys.len());
    for row in &ended {
        found.insert(row.get(0), Found::Ended(ended_of_row(row)?));
    }
    for row in queued.iter().chain(&held) {
        found.insert(row.get(0), Found::Queued(queued_of_row(row)?));
    }
    Ok(found)
}

/// The latest attempt of each: the one that ended it, or the last of those beside it.
pub(crate) async fn last_attempts(
    session: &Session,
    keys: &[i64],
) -> Result<HashMap<i64, AttemptHead>, Fault> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let (low, high) = bounds(keys);
    let (latest, inline) =
        try_join(session.query(LATEST_HEADS, &[&keys]), session.query(INLINE_HEADS, &[&keys, &low, &high]))
            .await?;
    let head = |row: &Row| Ok((row.get(0), codec::attempt_head_of(row.get(1))?));
    latest.iter().chain(&inline).map(head).collect()
}

/// A delivery by its whole id.
pub(crate) async fn find(session: &Session, id: DeliveryId) -> Result<Option<Found>, Fault> {
    Ok(find_keys(session, &[id.key()]).await?.remove(&id.key()).filter(|found| found.id() == id))
}

/// As the log shows them.
pub(crate) async fn shown(session: &Session, found: Vec<Found>) -> Result<Vec<Delivery>, Fault> {
    let unfinished = found.iter().filter(|found| matches!(found, Found::Queued(_)));
    let endpoints: HashSet<EndpointId> = unfinished.map(Found::endpoint_id).collect();
    let mut held_until: HashMap<EndpointId, i64> = HashMap::new();
    if !endpoints.is_empty() {
        let ids: Vec<Vec<u8>> = endpoints.iter().map(|id| codec::endpoint_bytes(*id).to_vec()).collect();
        for row in session.query(HELD_UNTIL, &[&ids, &i64::MAX]).await? {
            if let Some(until) = row.get::<_, Option<i64>>(1) {
                held_until.insert(endpoint_id(&row, 0)?, until);
            }
        }
    }
    let shown = found.into_iter().map(|found| match found {
        Found::Ended(delivery) => delivery,
        Found::Queued(queued) => {
            let until = held_until.get(&queued.head.endpoint_id).copied();
            queued.shown(until)
        }
    });
    Ok(shown.collect())
}

/// One delivery that must be there, as the log shows it.
pub(crate) async fn shown_by_id(session: &Session, id: DeliveryId) -> Result<Delivery, Fault> {
    let found = find(session, id).await?.ok_or(Fault::Damaged("delivery"))?;
    shown(session, vec![found]).await?.pop().ok_or(Fault::Damaged("delivery"))
}

/// Every attempt that is known of a delivery, oldest first.
pub(crate) async fn attempts(session: &Session, id: DeliveryId) -> Result<Vec<Attempt>, Fault> {
    let mut attempts = Vec::new();
    for sql in [ATTEMPTS, INLINE_ATTEMPT] {
        for row in session.query(sql, &[&id.key()]).await? {
            if let Some(bytes) = row.get::<_, Option<&[u8]>>(0) {
                attempts.push(codec::attempt_of(bytes)?);
            }
        }
    }
    attempts.sort_by_key(|attempt| (attempt.number, attempt.id));
    Ok(attempts)
}

/// Events by their rows' keys. Their days may be gone.
pub(crate) async fn events(session: &Session, keys: &[i64]) -> Result<HashMap<i64, Event>, Fault> {
    let (low, high) = bounds(keys);
    let rows = session.query(EVENTS, &[&keys, &low, &high]).await?;
    rows.iter().map(|row| Ok((row.get(0), event_of_row(row)?))).collect()
}

/// An event by its whole id.
pub(crate) async fn event(session: &Session, id: EventId) -> Result<Option<Event>, Fault> {
    Ok(events(session, &[id.key()]).await?.remove(&id.key()).filter(|event| event.id == id))
}

fn event_of_row(row: &Row) -> Result<Event, Fault> {
    Ok(Event {
        id: EventId::from_parts(row.get(0), row.get(1)),
        type_name: Arc::from(row.get::<_, &str>(2)),
        scope: codec::event_scope_of(i64::from(row.get::<_, i16>(8)))?,
        location_id: tenant_id(row.get(3))?,
        company_id: tenant_id(row.get(4))?,
        app_id: tenant_id(row.get(5))?,
        visibility: if row.get(6) { Visibility::TestOnly } else { Visibility::Listed },
        considered: codec::considered_of(row.get(7))?,
        payload: bytes::Bytes::copy_from_slice(row.get(9)),
    })
}

pub(crate) async fn payloads(session: &Session, keys: &[i64]) -> Result<HashMap<i64, bytes::Bytes>, Fault> {
    let (low, high) = bounds(keys);
    let rows = session.query(PAYLOADS, &[&keys, &low, &high]).await?;
    Ok(rows.iter().map(|row| (row.get(0), bytes::Bytes::copy_from_slice(row.get(1)))).collect())
}

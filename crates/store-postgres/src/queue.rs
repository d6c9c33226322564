//! The queue: claims, outcomes, and what ends without an attempt. Everything here is one short transaction.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::audit::{Action, Object};
use domain::delivery::EndReason;
use domain::event::Event;
use domain::id::{EndpointId, key_time};
use domain::time::Timestamp;
use store::StoreError;
use store::backend::changes::Change;
use store::backend::codec;
use store::backend::days::day_of;
use store::backend::standing::{DeliveryHead, Ending, Queued};
use store::healths::HealthNote;
use store::once::MaybeOnce;
use store::queue::{Claim, ClaimedDelivery, Due, Granted, Queue, Record, Recorded, Release, Waiting, Want};
use tokio_postgres::Row;

use crate::PostgresStore;
use crate::fault::Fault;
use crate::health;
use crate::log::{self, head};
use crate::once::once;
use crate::record::record_all;
use crate::scope::{self, endpoint_id};
use crate::session::Session;
use crate::told::{self, Telling};
use crate::tx::{Tx, reading, writing};

/// A skip scan: one step per endpoint, whatever waits for it.
pub(crate) const DUE: &str = "with recursive step as ( \
    (select endpoint_id, due_at from queue where endpoint_id > $1 order by endpoint_id, due_at limit 1) \
    union all \
    select next.endpoint_id, next.due_at from step cross join lateral \
    (select endpoint_id, due_at from queue where queue.endpoint_id > step.endpoint_id order by endpoint_id, due_at limit 1) \
    next) select endpoint_id, due_at from step limit $2";
/// Moves what is due to `held`, for each wish up to its limit. Rows that somebody else is about to take are passed by. The keys
/// are looked up as an array: the server takes limits it does not know for large ones, and would read the whole queue for a join.
pub(crate) const CLAIM: &str = concat!(
    "with want as (select endpoint_id, most from unnest($1::bytea[], $2::bigint[]) as u (endpoint_id, most)), \
     due as (select one.key from want join endpoints on endpoints.id = want.endpoint_id and endpoints.state = 0 \
     cross join lateral (select key from queue where queue.endpoint_id = want.endpoint_id and queue.due_at <= $3 \
     order by due_at, key limit want.most for update skip locked) one), \
     taken as (delete from queue where key = any(array(select key from due)) returning queue.*) \
     insert into held (",
    head!(),
    ", attempt_count, due_at, claim) select ",
    head!(),
    ", attempt_count, due_at, $4 \
     from taken returning ",
    head!(),
    ", attempt_count, due_at, claim"
);
pub(crate) const NEXT_DUE: &str = "select u.endpoint_id, next.due_at from unnest($1::bytea[]) as u (endpoint_id) \
    cross join lateral (select due_at from queue where queue.endpoint_id = u.endpoint_id order by due_at limit 1) next";
pub(crate) const RELEASE: &str = concat!(
    "with freed as (delete from held using unnest($1::bigint[], $2::bigint[], $3::bigint[]) as u (key, claim, free_at) \
     where held.key = u.key and held.claim = u.claim returning held.*, u.free_at) \
     insert into queue (",
    head!(),
    ", attempt_count, due_at) select ",
    head!(),
    ", attempt_count, free_at from freed"
);
pub(crate) const END_SOME: &str = concat!(
    "delete from queue where key = any(array(select key from queue where endpoint_id = $1 order by due_at, key limit $2 \
     for update skip locked)) returning ",
    head!(),
    ", attempt_count, due_at, null::bigint"
);
pub(crate) const DROP_HELD: &str = "delete from held where key = any($1) and claim = $2";
pub(crate) const IS_ENABLED: &str = "select 1 from endpoints where id = $1 and state = 0";
pub(crate) const LENGTH: &str = "select (select count(*) from queue) + (select count(*) from held)";

/// Along the index of each, for people who look.
pub(crate) const WAITING: &str = "select endpoint_id, count(*), min(key) from \
    (select endpoint_id, key from queue union all select endpoint_id, key from held) as unfinished group by endpoint_id";

fn waiting_of(row: &Row) -> Result<Waiting, Fault> {
    let count: i64 = row.get(1);
    Ok(Waiting {
        endpoint_id: endpoint_id(row, 0)?,
        count: count.unsigned_abs(),
        oldest_at: key_time(row.get(2)),
    })
}

#[async_trait]
impl Queue for PostgresStore {
    async fn due(&self, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.read("looking for due deliveries", |session| Box::pin(due(session, after, limit))).await
    }

    async fn claim(&self, wants: Vec<Want>, now: Timestamp) -> Result<Vec<Granted>, StoreError> {
        self.write_again("claiming deliveries", Vec::new(), move |tx| Box::pin(claim(tx, wants, now))).await
    }

    async fn record(&self, records: Vec<Record>) -> Result<Vec<Recorded>, StoreError> {
        let records: Arc<[Record]> = records.into();
        let _turn = self.shared.turn_to_record().await.map_err(|fault| fault.told("recording attempts"))?;
        let part = self.shared.node.fence();
        let mut days: Vec<_> = records.iter().map(|record| day_of(record.delivery.id.key())).collect();
        days.dedup();
        let telling = Telling::of(&self.shared);
        let record =
            writing(move |tx| Box::pin(async move { record_all(tx, &records, part, telling).await }));
        let recorded = self.write_again("recording attempts", days, record).await;
        self.shared.listen_anew();
        recorded
    }

    async fn release(&self, releases: Vec<Release>) -> Result<(), StoreError> {
        self.write_again("releasing deliveries", Vec::new(), move |tx| {
            Box::pin(async move { release(tx, &releases).await })
        })
        .await
    }

    async fn note_health(&self, notes: Vec<HealthNote>) -> Result<(), StoreError> {
        let note_all = writing(move |tx| {
            Box::pin(async move {
                for note in notes {
                    health::note(tx, note).await?;
                }
                Ok(())
            })
        });
        self.change("noting the health of endpoints", note_all).await
    }

    async fn end_deliveries(
        &self,
        endpoint_id: EndpointId,
        reason: EndReason,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let end = writing(move |tx| {
            Box::pin(async move { end_deliveries(tx, endpoint_id, (reason, now), limit).await })
        });
        self.write_again("ending deliveries", Vec::new(), end).await
    }

    async fn record_test(
        &self,
        event: Event,
        record: Record,
        maybe_once: MaybeOnce<()>,
    ) -> Result<(), StoreError> {
        self.ensure_days([event.id.key(), record.delivery.id.key()], "recording a test").await?;
        let telling = Telling::of(&self.shared);
        let store = writing(move |tx| {
            Box::pin(async move {
                let now = event.created_at();
                once(tx, maybe_once, now, |tx| Box::pin(record_test(tx, event, record, telling))).await
            })
        });
        let recorded = self.write("recording a test", store).await;
        self.shared.listen_anew();
        recorded
    }

    async fn more_is_due(&self) {
        self.shared.node.adopted().await;
    }

    fn may_send(&self, claim: Claim) -> bool {
        self.shared.node.may_send(claim)
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let count = reading(|session| {
            Box::pin(async move {
                let rows = session.query(WAITING, &[]).await?;
                rows.iter().map(waiting_of).collect::<Result<Vec<_>, Fault>>()
            })
        });
        self.read("counting what waits", count).await
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        let count = reading(|session| {
            Box::pin(async move {
                let row = session.find(LENGTH, &[]).await?;
                Ok(row.map_or(0, |row| row.get::<_, i64>(0)).try_into().unwrap_or(0))
            })
        });
        self.read("counting what is not finished", count).await
    }
}

impl PostgresStore {
    /// Makes the partitions for rows with these keys.
    pub(crate) async fn ensure_days(
        &self,
        keys: impl IntoIterator<Item = i64>,
        doing: &'static str,
    ) -> Result<(), StoreError> {
        let days: Vec<_> = keys.into_iter().map(day_of).collect();
        self.shared.days.ensure(&self.shared.pool, days).await.map_err(|fault| fault.told(doing))
    }
}

async fn due(session: &Session, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, Fault> {
    let after = after.map_or_else(Vec::new, |id| codec::endpoint_bytes(id).to_vec());
    let rows = session.query(DUE, &[&after, &(limit as i64)]).await?;
    let due = |row| {
        let due_at = Timestamp::from_millis(tokio_postgres::Row::get(row, 1));
        Ok(Due { endpoint_id: endpoint_id(row, 0)?, due_at })
    };
    rows.iter().map(due).collect()
}

async fn claim(tx: &mut Tx, wants: Vec<Want>, now: Timestamp) -> Result<Vec<Granted>, Fault> {
    if wants.is_empty() {
        return Ok(Vec::new());
    }
    let endpoints: Vec<Vec<u8>> =
        wants.iter().map(|want| codec::endpoint_bytes(want.endpoint_id).to_vec()).collect();
    let limits: Vec<i64> = wants.iter().map(|want| want.limit as i64).collect();
    let rows = tx.query(CLAIM, &[&endpoints, &limits, &now.as_millis(), &tx.claim.0]).await?;
    let mut taken = rows.iter().map(log::queued_of_row).collect::<Result<Vec<_>, _>>()?;
    taken.sort_unstable_by_key(|queued| (queued.due_at, queued.head.id.key()));
    let mut granted = with_payloads(tx, taken).await?;
    let mut next_due_at = HashMap::new();
    for row in tx.query(NEXT_DUE, &[&endpoints]).await? {
        next_due_at.insert(endpoint_id(&row, 0)?, Timestamp::from_millis(row.get(1)));
    }
    let of_want = |want: &Want| Granted {
        endpoint_id: want.endpoint_id,
        deliveries: granted.remove(&want.endpoint_id).unwrap_or_default(),
        next_due_at: next_due_at.get(&want.endpoint_id).copied(),
    };
    Ok(wants.iter().map(of_want).collect())
}

/// One whose event is no longer kept cannot be sent: it goes with its event.
async fn with_payloads(
    tx: &Tx,
    taken: Vec<Queued>,
) -> Result<HashMap<EndpointId, Vec<ClaimedDelivery>>, Fault> {
    let mut granted: HashMap<EndpointId, Vec<ClaimedDelivery>> = HashMap::new();
    if taken.is_empty() {
        return Ok(granted);
    }
    let events: Vec<i64> = taken.iter().map(|queued| queued.head.event_id.key()).collect();
    let payloads = log::payloads(tx, &events).await?;
    let mut gone = Vec::new();
    for queued in taken {
        match payloads.get(&queued.head.event_id.key()) {
            Some(payload) => {
                let claimed = queued.claimed(tx.claim, payload.clone());
                granted.entry(claimed.endpoint_id).or_default().push(claimed);
            }
            None => gone.push(queued.head.id.key()),
        }
    }
    if !gone.is_empty() {
        tx.execute(DROP_HELD, &[&gone, &tx.claim.0]).await?;
    }
    Ok(granted)
}

async fn release(tx: &Tx, releases: &[Release]) -> Result<(), Fault> {
    if releases.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = releases.iter().map(|release| release.id.key()).collect();
    let claims: Vec<i64> = releases.iter().map(|release| release.claim.0).collect();
    let dues: Vec<i64> = releases.iter().map(|release| release.due_at.as_millis()).collect();
    tx.execute(RELEASE, &[&keys, &claims, &dues]).await?;
    Ok(())
}

async fn end_deliveries(
    tx: &Tx,
    id: EndpointId,
    (reason, now): (EndReason, Timestamp),
    limit: usize,
) -> Result<usize, Fault> {
    let rows = tx.query(END_SOME, &[&&codec::endpoint_bytes(id)[..], &(limit as i64)]).await?;
    let ended = rows.iter().map(log::queued_of_row).collect::<Result<Vec<_>, _>>()?;
    let ended: Vec<_> = ended.iter().map(|queued| (&queued.head, queued.ended(reason, now))).collect();
    log::insert_ended(tx, &ended).await?;
    Ok(ended.len())
}

async fn record_test(tx: &mut Tx, event: Event, record: Record, telling: Telling) -> Result<(), Fault> {
    log::insert_events(tx, &[&event]).await?;
    let head = DeliveryHead::of_claimed(&record.delivery);
    log::insert_ended(tx, &[(&head, Ending::after_attempt(&record))]).await?;
    let endpoint_id = record.delivery.endpoint_id;
    let owner = if tx.note.is_some() { scope::owner_of(tx, endpoint_id).await? } else { None };
    let (action, object) = (Action::EndpointTested, Object::new("endpoint", endpoint_id));
    tx.audit(Change { action, owner, object, before: None, after: None }).await?;
    if telling.is_due(told::listening(tx).await?) {
        told::tell_attempts(tx, &[&record]).await?;
    }
    Ok(())
}

pub(crate) async fn is_enabled(session: &Session, id: EndpointId) -> Result<bool, Fault> {
    Ok(session.find(IS_ENABLED, &[&&codec::endpoint_bytes(id)[..]]).await?.is_some())
}

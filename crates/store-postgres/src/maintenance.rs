//! Retention in slices, readiness, and closing.

use std::sync::Arc;

use async_trait::async_trait;
use domain::limits::CHANGES_KEPT_MAX;
use domain::time::Timestamp;
use store::StoreError;
use store::backend::days::{Day, day_at, first_key_of};
use store::maintenance::{Footprint, Maintenance, Swept};

use crate::fault::{CLOSED, unavailable};
use crate::session::Session;
use crate::tx::{reading, writing};
use crate::{PostgresStore, days, follow, sessions, tallies, told};

/// Rows removed in one call; few enough that an event's publisher hardly notices.
pub(crate) const SLICE_ROWS: i64 = 1_000;

pub(crate) const EXPIRED_ANSWERS: &str = "delete from kept_answers where (owner, path, key) in \
    (select owner, path, key from kept_answers where expires_at <= $1 limit $2 for update skip locked)";
pub(crate) const EXPIRED_QUEUED: &str = "delete from queue where key = any(array(select key from queue where key < $1 \
    order by key limit $2 for update skip locked))";
pub(crate) const EXPIRED_HELD: &str = "delete from held where key = any(array(select key from held where key < $1 \
    order by key limit $2 for update skip locked))";
pub(crate) const FORGOTTEN_ENDPOINTS: &str = "delete from endpoints where id = any(array(select id from endpoints \
    where state = 2 and state_since < $1 limit $2))";
pub(crate) const PROBE: &str = "insert into meta (name, value) values ('probe', '\\x00') \
    on conflict (name) do update set value = excluded.value";
pub(crate) const SIZE: &str = "select pg_database_size(current_database())";
/// One node sweeps at a time; the others find less to do.
pub(crate) const HOLD: &str = "select value from counters where name = 'sweep' for update";

#[async_trait]
impl Maintenance for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let probe = writing(|tx| {
            Box::pin(async move {
                tx.execute(PROBE, &[]).await?;
                Ok(())
            })
        });
        self.write("writing", probe).await
    }

    async fn sweep(&self, horizon: Timestamp, now: Timestamp) -> Result<Swept, StoreError> {
        if self.sweep_sessions(now).await? == Swept::More {
            return Ok(Swept::More);
        }
        let work = writing(move |tx| {
            Box::pin(async move {
                tx.query(HOLD, &[]).await?;
                rest(tx, horizon, now).await
            })
        });
        match self.write("removing what is old", work).await? {
            Rest::Swept(swept) => Ok(swept),
            Rest::Day(day) => {
                self.drop_day(day).await?;
                Ok(Swept::More)
            }
        }
    }

    async fn footprint(&self) -> Result<Footprint, StoreError> {
        let measure = reading(|session| {
            Box::pin(async move {
                let row = session.find(SIZE, &[]).await?;
                Ok(row.map_or(0, |row| row.get::<_, i64>(0)).unsigned_abs())
            })
        });
        let bytes = self.read("measuring the database", measure).await?;
        Ok(Footprint { kind: "postgres", bytes })
    }

    async fn close(&self) {
        let shared = &self.shared;
        if shared.pool.is_closed() {
            return;
        }
        shared.publisher.close().await;
        // What runs on ends by its bounds, and needs the pool for that.
        if let Err(fault) = self.leave().await {
            let error = fault.told("leaving the other nodes");
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this node did not sign off; what it holds is free once others have noticed"
            );
        }
        shared.pool.close().await;
        self.tasks.lock().abort_all();
    }
}

impl PostgresStore {
    async fn leave(&self) -> Result<(), crate::fault::Fault> {
        let session = self.shared.pool.get().await?;
        self.shared.node.leave(&session, self.shared.clock.now()).await?;
        session.keep();
        Ok(())
    }

    async fn sweep_sessions(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let are_there = reading(|session| {
            Box::pin(async move {
                Ok(Session::find(session, sessions::ANY_EXPIRED, &[&now.as_millis()]).await?.is_some())
            })
        });
        if !self.read("looking for sessions that have ended", are_there).await? {
            return Ok(Swept::Done);
        }
        let work = writing(move |tx| Box::pin(sessions::sweep(tx, now)));
        let removed = self.change("removing sessions that have ended", work).await?;
        Ok(if is_full(removed as u64) { Swept::More } else { Swept::Done })
    }

    /// Outside of any transaction, as detaching a partition without a lock wants it.
    async fn drop_day(&self, day: Day) -> Result<(), StoreError> {
        if self.shared.pool.is_closed() {
            return Err(unavailable(CLOSED));
        }
        let store = self.clone();
        let dropping = async move {
            let session = store.shared.pool.get().await?;
            store.shared.days.forget();
            days::drop_day(&session, day, store.shared.node.fence()).await?;
            session.keep();
            Ok(())
        };
        crate::tx::on_its_own(Arc::clone(&self.shared), "removing a day that is old", dropping).await
    }
}

/// What is to be done next.
enum Rest {
    Swept(Swept),
    /// A day goes when all of it is older than the horizon.
    Day(Day),
}

async fn rest(session: &Session, horizon: Timestamp, now: Timestamp) -> Result<Rest, crate::fault::Fault> {
    let first_day_kept = day_at(horizon);
    let key = first_key_of(first_day_kept);
    let answers = session.execute(EXPIRED_ANSWERS, &[&now.as_millis(), &SLICE_ROWS]).await?;
    let queued = session.execute(EXPIRED_QUEUED, &[&key, &SLICE_ROWS]).await?;
    let held = session.execute(EXPIRED_HELD, &[&key, &SLICE_ROWS]).await?;
    if is_full(answers) || is_full(queued) || is_full(held) {
        return Ok(Rest::Swept(Swept::More));
    }
    if tallies::sweep(session, now).await? == Swept::More {
        return Ok(Rest::Swept(Swept::More));
    }
    let oldest = session.find(days::OLDEST, &[]).await?.map(|row| row.get::<_, Day>(0));
    if let Some(day) = oldest.filter(|day| *day < first_day_kept) {
        return Ok(Rest::Day(day));
    }
    let told = session.execute(told::EXPIRED, &[&now.as_millis(), &SLICE_ROWS]).await?;
    if is_full(told) {
        return Ok(Rest::Swept(Swept::More));
    }
    let latest = follow::revision(session).await?;
    session.execute(follow::PRUNE, &[&(latest - CHANGES_KEPT_MAX)]).await?;
    let before = domain::id::key_time(key).as_millis();
    let removed = session.execute(FORGOTTEN_ENDPOINTS, &[&before, &SLICE_ROWS]).await?;
    Ok(Rest::Swept(if is_full(removed) { Swept::More } else { Swept::Done }))
}

fn is_full(removed: u64) -> bool {
    removed as i64 >= SLICE_ROWS
}

//! Rows of `tallies`: what each endpoint's attempts came to. Recording adds to this node's own row of the minute, one row per
//! endpoint and batch; the sweep takes minutes that are an hour old into the coarser grains, and all that no window shows away.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use domain::id::EndpointId;
use domain::scope::Scope;
use domain::tally::{Grain, Tally, Window};
use domain::time::Timestamp;
use store::StoreError;
use store::backend::codec;
use store::backend::columns::grain_number;
use store::backend::counted::{Counted, TallyKey, last_rows, rows_of_endpoint, window_of, window_rows};
use store::maintenance::Swept;
use store::tallies::{Tallied, Tallies};

use crate::PostgresStore;
use crate::fault::Fault;
use crate::scope::endpoint_id;
use crate::session::Session;
use crate::tx::reading;

/// Of one endpoint, in some spans.
pub(crate) const ROWS: &str = "select t.grain, t.at, t.tally from unnest($1::smallint[], $2::bigint[]) as u (grain, at) \
    join tallies t on t.grain = u.grain and t.at = u.at and t.endpoint_id = $3";
/// Of one part, in some spans of some endpoints.
pub(crate) const PART: &str = "select t.grain, t.at, t.endpoint_id, t.tally \
    from unnest($1::smallint[], $2::bigint[], $3::bytea[]) as u (grain, at, endpoint_id) \
    join tallies t on t.grain = u.grain and t.at = u.at and t.endpoint_id = u.endpoint_id and t.part = $4";
pub(crate) const PUT: &str = "insert into tallies (grain, at, endpoint_id, part, tally) \
    select grain, at, endpoint_id, $5, tally \
    from unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[]) as u (grain, at, endpoint_id, tally) \
    on conflict (grain, at, endpoint_id, part) do update set tally = excluded.tally";
pub(crate) const DELETE: &str = "delete from tallies using unnest($1::smallint[], $2::bigint[]) as u (grain, at) \
    where tallies.grain = u.grain and tallies.at = u.at and tallies.endpoint_id = $3";
pub(crate) const TAKE_OLD_MINUTES: &str = "delete from tallies where (grain, at, endpoint_id, part) in \
    (select grain, at, endpoint_id, part from tallies where grain = 0 and at < $1 order by at, endpoint_id limit $2) \
    returning at, endpoint_id, tally";
pub(crate) const EXPIRED: &str = "delete from tallies where (grain, at, endpoint_id, part) in \
    (select grain, at, endpoint_id, part from tallies where grain = $1 and at < $2 order by at limit $3)";
pub(crate) const ARE_THERE: &str = "select id from endpoints where id = any($1) and state <> 2";

/// Minutes that one call of the sweep takes into the coarser grains, three rows each.
const MOVED_ROWS: usize = 250;
const EXPIRED_ROWS: i64 = 1_000;
/// The part of what the sweep has added up.
const WHOLE: i64 = 0;

#[async_trait]
impl Tallies for PostgresStore {
    async fn tallies(
        &self,
        scope: &Scope,
        id: EndpointId,
        window: Window,
        now: Timestamp,
    ) -> Result<Tallied, StoreError> {
        {
            let table = self.shared.memory.routes.read();
            let endpoint = table.endpoint(id).filter(|endpoint| table.sees(scope, &endpoint.owner));
            endpoint.ok_or(StoreError::NotFound)?;
        }
        let tallied = reading(|session| Box::pin(tallied(session, id, window, now)));
        self.read("reading what was counted", tallied).await
    }
}

async fn tallied(
    session: &Session,
    id: EndpointId,
    window: Window,
    now: Timestamp,
) -> Result<Tallied, Fault> {
    let found = rows(session, id, &window_rows(window, now)).await?;
    let mut tallied = window_of(window, now, |grain, at| found.get(&(grain_number(grain), at)).cloned());
    if tallied.last_attempt_at.is_none() {
        let found = rows(session, id, &last_rows(now)).await?;
        tallied.last_attempt_at = found.values().filter_map(|tally| tally.last_attempt_at).max();
    }
    Ok(tallied)
}

/// The parts of each span added up.
async fn rows(
    session: &Session,
    id: EndpointId,
    spans: &[(Grain, Timestamp)],
) -> Result<HashMap<(i64, Timestamp), Tally>, Fault> {
    let (grains, starts) = span_columns(spans.iter().copied());
    let mut found = HashMap::<_, Tally>::new();
    for row in session.query(ROWS, &[&grains, &starts, &&codec::endpoint_bytes(id)[..]]).await? {
        let place = (i64::from(row.get::<_, i16>(0)), Timestamp::from_millis(row.get(1)));
        found.entry(place).or_default().merge(&codec::tally_of(row.get(2))?);
    }
    Ok(found)
}

fn span_columns(spans: impl Iterator<Item = (Grain, Timestamp)>) -> (Vec<i16>, Vec<i64>) {
    spans.map(|(grain, at)| (grain_number(grain) as i16, at.as_millis())).unzip()
}

/// In the transaction of the attempts. `part`: this node's.
pub(crate) async fn keep(session: &Session, counted: Counted, part: i64) -> Result<(), Fault> {
    add(session, counted.into_rows().collect(), part).await
}

/// Only one transaction at a time adds to a part.
async fn add(session: &Session, mut tallies: Vec<(TallyKey, Tally)>, part: i64) -> Result<(), Fault> {
    if tallies.is_empty() {
        return Ok(());
    }
    let (grains, starts) = span_columns(tallies.iter().map(|((grain, at, _), _)| (*grain, *at)));
    let ids: Vec<Vec<u8>> = tallies.iter().map(|((.., id), _)| codec::endpoint_bytes(*id).to_vec()).collect();
    let mut known = HashMap::new();
    for row in session.query(PART, &[&grains, &starts, &ids, &part]).await? {
        let place = (row.get::<_, i16>(0), row.get::<_, i64>(1), row.get::<_, Vec<u8>>(2));
        known.insert(place, codec::tally_of(row.get(3))?);
    }
    for (((_, tally), id), (grain, at)) in tallies.iter_mut().zip(&ids).zip(grains.iter().zip(&starts)) {
        if let Some(known) = known.get(&(*grain, *at, id.clone())) {
            tally.merge(known);
        }
    }
    let bytes: Vec<Vec<u8>> = tallies.iter().map(|(_, tally)| codec::tally_bytes(tally)).collect();
    session.execute(PUT, &[&grains, &starts, &ids, &bytes, &part]).await?;
    Ok(())
}

/// Of an endpoint that is deleted.
pub(crate) async fn forget(session: &Session, id: EndpointId, now: Timestamp) -> Result<(), Fault> {
    let (grains, starts) = span_columns(rows_of_endpoint(now).into_iter());
    session.execute(DELETE, &[&grains, &starts, &&codec::endpoint_bytes(id)[..]]).await?;
    Ok(())
}

/// One slice. One node at a time.
pub(crate) async fn sweep(session: &Session, now: Timestamp) -> Result<Swept, Fault> {
    if move_minutes(session, now).await? == MOVED_ROWS {
        return Ok(Swept::More);
    }
    for grain in Grain::COARSE {
        let before = grain.kept_from(now).as_millis();
        let expired =
            session.execute(EXPIRED, &[&(grain_number(grain) as i16), &before, &EXPIRED_ROWS]).await?;
        if expired as i64 == EXPIRED_ROWS {
            return Ok(Swept::More);
        }
    }
    Ok(Swept::Done)
}

/// Adds minutes that no window shows by themselves to every coarser grain, and removes them; how many.
async fn move_minutes(session: &Session, now: Timestamp) -> Result<usize, Fault> {
    let before = Grain::Minute.kept_from(now).as_millis();
    let taken = session.query(TAKE_OLD_MINUTES, &[&before, &(MOVED_ROWS as i64)]).await?;
    let mut minutes = Vec::with_capacity(taken.len());
    for row in &taken {
        minutes.push((
            Timestamp::from_millis(row.get(0)),
            endpoint_id(row, 1)?,
            codec::tally_of(row.get(2))?,
        ));
    }
    // What was recorded after the endpoint was deleted goes nowhere.
    let there = are_there(session, minutes.iter().map(|(_, id, _)| *id).collect()).await?;
    let mut coarser = BTreeMap::<TallyKey, Tally>::new();
    for (at, id, tally) in minutes.iter().filter(|(_, id, _)| there.contains(id)) {
        for grain in Grain::COARSE {
            coarser.entry((grain, grain.start_of(*at), *id)).or_default().merge(tally);
        }
    }
    add(session, coarser.into_iter().collect(), WHOLE).await?;
    Ok(taken.len())
}

async fn are_there(session: &Session, ids: HashSet<EndpointId>) -> Result<HashSet<EndpointId>, Fault> {
    let ids: Vec<Vec<u8>> = ids.into_iter().map(|id| codec::endpoint_bytes(id).to_vec()).collect();
    session.query(ARE_THERE, &[&ids]).await?.iter().map(|row| endpoint_id(row, 0)).collect()
}

//! The log's partitions, one a UTC day: made before the first row of a day comes, removed when the day is old.
//!
//! A partition is made apart and attached, and detached before it is dropped, so that nobody who reads or writes other days
//! waits for it.

use std::collections::HashSet;

use parking_lot::Mutex;
use store::backend::days::{Day, first_key_of, suffix};

use crate::fault::Fault;
use crate::pool::Pool;
use crate::session::Session;

const TABLES: [&str; 4] = ["events", "deliveries", "attempts", "undelivered"];

pub(crate) const HOLD: &str = "select value from counters where name = 'days' for update";
pub(crate) const KNOWN: &str = "select day from days where dropped_by is null";
pub(crate) const NOTE: &str = "insert into days (day) values ($1) on conflict do nothing";
pub(crate) const OLDEST: &str = "select day from days order by day limit 1";
/// One that began and is no more left it to others.
pub(crate) const BEGIN_DROP: &str = "update days set dropped_by = $2 where day = $1 and (dropped_by is null \
    or dropped_by = $2 or not exists (select from nodes where fence = dropped_by))";
pub(crate) const FORGET: &str = "delete from days where day = $1";
pub(crate) const DETACHING: &str =
    "select inhdetachpending from pg_inherits where inhrelid = to_regclass($1)::oid";

/// Which days are known to have their partitions.
#[derive(Debug, Default)]
pub(crate) struct Days {
    known: Mutex<HashSet<Day>>,
}

impl Days {
    /// Makes what is missing of these days' partitions.
    pub(crate) async fn ensure(&self, pool: &Pool, days: impl IntoIterator<Item = Day>) -> Result<(), Fault> {
        let missing: HashSet<Day> = {
            let known = self.known.lock();
            days.into_iter().filter(|day| !known.contains(day)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let session = pool.get().await?;
        for day in missing {
            make(&session, day).await?;
            self.known.lock().insert(day);
        }
        session.keep();
        Ok(())
    }

    /// Of what was known some may be gone.
    pub(crate) fn forget(&self) {
        self.known.lock().clear();
    }
}

/// The days that are there.
pub(crate) async fn all(session: &Session) -> Result<HashSet<Day>, Fault> {
    Ok(session.query(KNOWN, &[]).await?.iter().map(|row| row.get(0)).collect())
}

async fn make(session: &Session, day: Day) -> Result<(), Fault> {
    session.run("begin").await?;
    // One at a time over all nodes: who comes second finds it done.
    session.query(HOLD, &[]).await?;
    if session.execute(NOTE, &[&day]).await? == 1 {
        session.run(&making_sql(day)).await?;
    }
    session.run("commit").await
}

fn making_sql(day: Day) -> String {
    let (d, from, to) = (suffix(day), first_key_of(day), first_key_of(day + 1));
    let of_table = |table: &str| {
        format!(
            "create table {table}_{d} (like {table} including all); \
             alter table {table} attach partition {table}_{d} for values from ({from}) to ({to});"
        )
    };
    TABLES.map(of_table).concat()
}

/// Removes the day's partitions. `fence`: of this node. May be begun again by any node, wherever it ended.
pub(crate) async fn drop_day(session: &Session, day: Day, fence: i64) -> Result<(), Fault> {
    if session.execute(BEGIN_DROP, &[&day, &fence]).await? == 0 {
        return Ok(());
    }
    let d = suffix(day);
    for table in TABLES {
        let partition = format!("{table}_{d}");
        let detaching = session.find(DETACHING, &[&partition]).await?.map(|row| row.get::<_, bool>(0));
        match detaching {
            Some(false) => {
                session.run(&format!("alter table {table} detach partition {partition} concurrently")).await?
            }
            Some(true) => {
                session.run(&format!("alter table {table} detach partition {partition} finalize")).await?
            }
            None => {}
        }
        session.run(&format!("drop table if exists {partition}")).await?;
    }
    session.execute(FORGET, &[&day]).await?;
    Ok(())
}

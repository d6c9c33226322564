//! Listings: streams of keys from the queue and the day tables, merged in one snapshot. It knows keys only; what they stand
//! for is looked up by the caller.

use domain::id::DeliveryId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use store::backend::merge::{Fetch, Merge, Passed, Step, Stream};
pub(crate) use store::backend::merge::{KeyRange, STREAMS_MAX};
use store::page::{Page, PageRequest};

use crate::fault::Fault;

/// What a stream is fetched from: selects place, key and whether it fits, newest first; ?1 place below, ?2 place from, ?3 how many,
/// ?4 … `filter`.
#[derive(Debug)]
pub(crate) struct Query {
    sql: String,
    filter: Vec<Value>,
}

pub(crate) type Source = Stream<Query>;

pub(crate) fn source(sql: String, filter: Vec<Value>, range: KeyRange) -> Source {
    Stream::new(Query { sql, filter }, range)
}

/// The streams' keys, newest first.
#[derive(Debug)]
pub(crate) struct Keys<'c> {
    conn: &'c Connection,
    merge: Merge<Query>,
}

impl<'c> Keys<'c> {
    pub(crate) fn new(conn: &'c Connection, sources: Vec<Source>) -> Self {
        Self { conn, merge: Merge::new(sources) }
    }

    /// The next older key.
    pub(crate) fn next(&mut self) -> Result<Option<Passed>, Fault> {
        loop {
            let fetch = match self.merge.step() {
                Step::Key(passed) => return Ok(Some(passed)),
                Step::End => return Ok(None),
                Step::Fetch(fetch) => fetch,
            };
            let (place, rows) = (fetch.place(), rows(self.conn, &fetch)?);
            self.merge.fetched(place, rows);
        }
    }

    /// One page: `shown` looks a key up and says whether it is to be shown, `bits` is the shown row's id.
    pub(crate) fn page<T>(
        mut self,
        request: &PageRequest,
        shown: impl Fn(&Connection, i64) -> Result<Option<T>, Fault>,
        bits: impl Fn(&T) -> u128,
    ) -> Result<Page<T>, Fault> {
        let mut rows: Vec<T> = Vec::new();
        while let Some(Passed { key, fits }) = self.next()? {
            if fits && let Some(row) = shown(self.conn, key)? {
                if rows.len() == request.limit {
                    let next = rows.last().map(bits);
                    return Ok(Page { rows, next });
                }
                rows.push(row);
            }
            if self.merge.examined() >= PAGE_ROWS_EXAMINED_MAX {
                return Ok(Page { rows, next: Some(DeliveryId::from_parts(key, 0).bits()) });
            }
        }
        Ok(Page { rows, next: None })
    }
}

fn rows(conn: &Connection, fetch: &Fetch<'_, Query>) -> Result<Vec<(i64, i64, bool)>, Fault> {
    let mut select = conn.prepare_cached(&fetch.source.sql)?;
    let bounds = [fetch.range.high, fetch.range.low, fetch.rows as i64].map(Value::Integer);
    let values = params_from_iter(bounds.iter().chain(&fetch.source.filter));
    let rows = select.query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

//! Listings: an ordered merge, newest first, of the queue and the day tables, filter by filter, a bounded number of rows
//! at a time. It knows keys only; what they stand for is looked up by the caller in the same snapshot.

use std::collections::{BinaryHeap, VecDeque};

use domain::id::{DeliveryId, first_key_at};
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use store::page::{Page, PageRequest, Span};

use crate::fault::Fault;

/// Endpoints or locations with a stream each; above that, rows are judged one by one.
pub(crate) const STREAMS_MAX: usize = 200;
/// Keys fetched at once from one source: few where many sources are merged.
const CHUNK_ROWS_MAX: usize = 256;

/// Keys from `low` (inclusive) to `high` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub low: i64,
    pub high: i64,
}

impl KeyRange {
    pub(crate) fn of(span: Span, before: Option<u128>) -> Self {
        let before = before.map_or(i64::MAX, |bits| DeliveryId::from_bits(bits).key());
        let until = span.until.map_or(i64::MAX, first_key_at);
        Self { low: span.since.map_or(0, first_key_at), high: before.min(until) }
    }

    pub(crate) fn within(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low < both.high).then_some(both)
    }

    fn holds(self, key: i64) -> bool {
        (self.low..self.high).contains(&key)
    }
}

/// One ordered stream of keys.
#[derive(Debug)]
pub(crate) struct Source {
    /// Selects place and key, newest first; ?1 place below, ?2 place from, ?3 how many, ?4 … `filter`. The place orders
    /// the table; it is the key itself but where a delivery's row stands for its event.
    sql: String,
    filter: Vec<Value>,
    range: KeyRange,
    fetched: VecDeque<i64>,
    /// Nothing is left to fetch.
    dry: bool,
}

impl Source {
    pub(crate) fn new(sql: String, filter: Vec<Value>, range: KeyRange) -> Self {
        Self { sql, filter, range, fetched: VecDeque::new(), dry: false }
    }

    /// Keys that are known already.
    pub(crate) fn of_keys(mut keys: Vec<i64>, range: KeyRange) -> Self {
        keys.retain(|key| range.holds(*key));
        keys.sort_unstable_by(|a, b| b.cmp(a));
        Self { sql: String::new(), filter: Vec::new(), range, fetched: keys.into(), dry: true }
    }

    /// No key to come is larger; `None` at the end.
    fn bound(&self) -> Option<i64> {
        match self.fetched.front() {
            Some(key) => Some(*key),
            None => (!self.dry && self.range.low < self.range.high).then(|| self.range.high - 1),
        }
    }

    fn fetch(&mut self, conn: &Connection, rows: usize) -> Result<(), Fault> {
        let mut select = conn.prepare_cached(&self.sql)?;
        let bounds = [self.range.high, self.range.low, rows as i64].map(Value::Integer);
        let mut found = select.query(params_from_iter(bounds.iter().chain(&self.filter)))?;
        let mut count = 0;
        while let Some(row) = found.next()? {
            self.range.high = row.get(0)?;
            self.fetched.push_back(row.get(1)?);
            count += 1;
        }
        self.dry = count < rows;
        Ok(())
    }
}

/// Merges sources; the same key from two of them comes once.
#[derive(Debug)]
pub(crate) struct Merge<'c> {
    conn: &'c Connection,
    sources: Vec<Source>,
    /// Bounds with the places of their sources.
    next: BinaryHeap<(i64, usize)>,
    last: Option<i64>,
    chunk: usize,
    /// Keys looked at and queries made, whatever came of them.
    examined: usize,
}

impl<'c> Merge<'c> {
    pub(crate) fn new(conn: &'c Connection, sources: Vec<Source>) -> Self {
        let next: BinaryHeap<_> =
            sources.iter().enumerate().filter_map(|(place, source)| Some((source.bound()?, place))).collect();
        let chunk = (CHUNK_ROWS_MAX / next.len().max(1)).max(16);
        Self { conn, sources, next, last: None, chunk, examined: 0 }
    }

    /// The next older key.
    pub(crate) fn next(&mut self) -> Result<Option<i64>, Fault> {
        while let Some((_, place)) = self.next.pop() {
            let source = &mut self.sources[place];
            self.examined += 1;
            let key = source.fetched.pop_front();
            if key.is_none() {
                source.fetch(self.conn, self.chunk)?;
            }
            self.next.extend(source.bound().map(|bound| (bound, place)));
            if key.is_some() && key != self.last {
                self.last = key;
                return Ok(key);
            }
        }
        Ok(None)
    }

    /// One page: `shown` looks a key up and says whether it is to be shown, `bits` is the shown row's id.
    pub(crate) fn page<T>(
        mut self,
        request: &PageRequest,
        shown: impl Fn(&Connection, i64) -> Result<Option<T>, Fault>,
        bits: impl Fn(&T) -> u128,
    ) -> Result<Page<T>, Fault> {
        let mut rows: Vec<T> = Vec::new();
        while let Some(key) = self.next()? {
            if let Some(row) = shown(self.conn, key)? {
                if rows.len() == request.limit {
                    let next = rows.last().map(bits);
                    return Ok(Page { rows, next });
                }
                rows.push(row);
            }
            if self.examined >= PAGE_ROWS_EXAMINED_MAX {
                return Ok(Page { rows, next: Some(DeliveryId::from_parts(key, 0).bits()) });
            }
        }
        Ok(Page { rows, next: None })
    }
}

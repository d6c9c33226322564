//! Listings of the log: streams of keys merged in one snapshot (`store::backend::merge`), looked up many at a time.

use std::collections::HashMap;

use domain::id::DeliveryId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
pub(crate) use store::backend::merge::{KeyRange, STREAMS_MAX};
use store::backend::merge::{Merge, Passed, Step, Stream};
use store::page::{Page, PageRequest};

use crate::fault::Fault;
use crate::session::{Param, Session};

/// Keys looked up at once: a page, or more where most are not shown.
const LOOK_UP_MIN: usize = 32;
const LOOK_UP_MAX: usize = 256;

/// What a stream is fetched from: selects place, key and whether it fits, newest first; $1 place below, $2 place from, $3 how many, $4 …
/// `filter`.
#[derive(Debug)]
pub(crate) struct Query {
    sql: String,
    filter: Vec<Value>,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(i64),
    Small(i16),
    Text(String),
    Texts(Vec<String>),
    Ids(Vec<Vec<u8>>),
}

impl Value {
    fn param(&self) -> Param<'_> {
        match self {
            Self::Number(value) => value,
            Self::Small(value) => value,
            Self::Text(value) => value,
            Self::Texts(values) => values,
            Self::Ids(values) => values,
        }
    }
}

pub(crate) type Source = Stream<Query>;

pub(crate) fn source(sql: String, filter: Vec<Value>, range: KeyRange) -> Source {
    Stream::new(Query { sql, filter }, range)
}

/// The streams' keys, newest first.
pub(crate) struct Keys<'s> {
    session: &'s Session,
    merge: Merge<Query>,
}

impl<'s> Keys<'s> {
    pub(crate) fn new(session: &'s Session, sources: Vec<Source>) -> Self {
        Self { session, merge: Merge::new(sources) }
    }

    /// The next older keys that fit, with how much was examined up to each; fewer than `count` at the end. Where a page ends,
    /// one that does not fit stands too.
    pub(crate) async fn next(&mut self, count: usize) -> Result<Vec<(Passed, usize)>, Fault> {
        let mut keys = Vec::new();
        while keys.len() < count {
            let fetch = match self.merge.step() {
                Step::Key(passed) => {
                    let examined = self.merge.examined();
                    if passed.fits || examined >= PAGE_ROWS_EXAMINED_MAX {
                        keys.push((passed, examined));
                    }
                    continue;
                }
                Step::End => break,
                Step::Fetch(fetch) => fetch,
            };
            let rows = fetch.rows as i64;
            let mut params: Vec<Param<'_>> = vec![&fetch.range.high, &fetch.range.low, &rows];
            params.extend(fetch.source.filter.iter().map(Value::param));
            let found = self.session.query(&fetch.source.sql, &params).await?;
            let place = fetch.place();
            self.merge.fetched(place, found.iter().map(|row| (row.get(0), row.get(1), row.get(2))));
        }
        Ok(keys)
    }

    /// One page. `look_up` finds what is to be shown of these keys, `bits` is a shown row's id.
    pub(crate) async fn page<T>(
        mut self,
        request: &PageRequest,
        look_up: impl LookUp<T> + Send + Sync,
        bits: impl Fn(&T) -> u128,
    ) -> Result<Page<T>, Fault> {
        let mut rows: Vec<T> = Vec::new();
        let mut count = (request.limit + 1).clamp(LOOK_UP_MIN, LOOK_UP_MAX);
        loop {
            let keys = self.next(count).await?;
            let fitting = keys.iter().filter(|(passed, _)| passed.fits);
            let only_keys: Vec<i64> = fitting.map(|(passed, _)| passed.key).collect();
            let mut found = look_up.look_up(self.session, &only_keys).await?;
            for (Passed { key, .. }, examined) in &keys {
                if let Some(row) = found.remove(key) {
                    if rows.len() == request.limit {
                        let next = rows.last().map(bits);
                        return Ok(Page { rows, next });
                    }
                    rows.push(row);
                }
                if *examined >= PAGE_ROWS_EXAMINED_MAX {
                    return Ok(Page { rows, next: Some(DeliveryId::from_parts(*key, 0).bits()) });
                }
            }
            if keys.len() < count {
                return Ok(Page { rows, next: None });
            }
            count = LOOK_UP_MAX;
        }
    }
}

/// Finds what a listing shows of some keys.
pub(crate) trait LookUp<T> {
    fn look_up(
        &self,
        session: &Session,
        keys: &[i64],
    ) -> impl Future<Output = Result<HashMap<i64, T>, Fault>> + Send;
}

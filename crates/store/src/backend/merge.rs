//! Listings: an ordered merge of streams of keys, newest first, a bounded number of rows at a time. It says what to fetch
//! next and is told what came; how, and what the keys stand for, is the backend's affair.

use std::collections::{BinaryHeap, VecDeque};

use domain::id::{DeliveryId, first_key_at};

use crate::page::Span;

/// Endpoints or locations with a stream each; above that, rows are judged one by one.
pub const STREAMS_MAX: usize = 200;
/// Keys fetched at once from one source: few where many sources are merged.
const CHUNK_ROWS_MAX: usize = 256;

/// Keys from `low` (inclusive) to `high` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRange {
    pub low: i64,
    pub high: i64,
}

impl KeyRange {
    pub fn of(span: Span, before: Option<u128>) -> Self {
        let before = before.map_or(i64::MAX, |bits| DeliveryId::from_bits(bits).key());
        let until = span.until.map_or(i64::MAX, first_key_at);
        Self { low: span.since.map_or(0, first_key_at), high: before.min(until) }
    }

    pub fn within(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low < both.high).then_some(both)
    }

    fn holds(self, key: i64) -> bool {
        (self.low..self.high).contains(&key)
    }
}

/// A key on the way, and whether what it stands for may be wanted, as far as the source could tell. What is not wanted is
/// counted and passed by, and never looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    pub key: i64,
    pub fits: bool,
}

/// One ordered stream of keys.
#[derive(Debug)]
pub struct Stream<S> {
    /// What it is fetched from; `None`: its keys were known from the start.
    source: Option<S>,
    range: KeyRange,
    fetched: VecDeque<Passed>,
    /// Nothing is left to fetch.
    dry: bool,
}

impl<S> Stream<S> {
    pub fn new(source: S, range: KeyRange) -> Self {
        Self { source: Some(source), range, fetched: VecDeque::new(), dry: false }
    }

    /// Keys that are known already.
    pub fn of_keys(mut keys: Vec<i64>, range: KeyRange) -> Self {
        keys.retain(|key| range.holds(*key));
        keys.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            source: None,
            range,
            fetched: keys.into_iter().map(|key| Passed { key, fits: true }).collect(),
            dry: true,
        }
    }

    /// No key to come is larger; `None` at the end.
    fn bound(&self) -> Option<i64> {
        match self.fetched.front() {
            Some(passed) => Some(passed.key),
            None => (!self.dry && self.range.low < self.range.high).then(|| self.range.high - 1),
        }
    }
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step<'m, S> {
    /// The next older key.
    Key(Passed),
    /// Fetch this one's next rows, newest first, and hand them to [`Merge::fetched`].
    Fetch(Fetch<'m, S>),
    End,
}

#[derive(Debug)]
pub struct Fetch<'m, S> {
    place: usize,
    pub source: &'m S,
    pub range: KeyRange,
    pub rows: usize,
}

impl<S> Fetch<'_, S> {
    /// Of which stream, for [`Merge::fetched`].
    pub fn place(&self) -> usize {
        self.place
    }
}

/// Merges streams; the same key from two of them comes once.
#[derive(Debug)]
pub struct Merge<S> {
    streams: Vec<Stream<S>>,
    /// Bounds with the places of their streams.
    next: BinaryHeap<(i64, usize)>,
    last: Option<i64>,
    chunk: usize,
    examined: usize,
}

impl<S> Merge<S> {
    pub fn new(streams: Vec<Stream<S>>) -> Self {
        let next: BinaryHeap<_> =
            streams.iter().enumerate().filter_map(|(place, stream)| Some((stream.bound()?, place))).collect();
        let chunk = (CHUNK_ROWS_MAX / next.len().max(1)).max(16);
        Self { streams, next, last: None, chunk, examined: 0 }
    }

    /// Keys looked at and fetches made, whatever came of them.
    pub fn examined(&self) -> usize {
        self.examined
    }

    pub fn step(&mut self) -> Step<'_, S> {
        while let Some((_, place)) = self.next.pop() {
            self.examined += 1;
            let Some(passed) = self.streams[place].fetched.pop_front() else {
                let stream = &self.streams[place];
                let (range, rows) = (stream.range, self.chunk);
                let source = stream.source.as_ref().expect("keys that are known are never fetched");
                return Step::Fetch(Fetch { place, source, range, rows });
            };
            self.next.extend(self.streams[place].bound().map(|bound| (bound, place)));
            if Some(passed.key) != self.last {
                self.last = Some(passed.key);
                return Step::Key(passed);
            }
        }
        Step::End
    }

    /// What a [`Fetch`] brought: places, keys and whether they fit, newest first. The place orders the table; it is the key
    /// itself but where a delivery's row stands for its event.
    pub fn fetched(&mut self, place: usize, rows: impl IntoIterator<Item = (i64, i64, bool)>) {
        let stream = &mut self.streams[place];
        let mut count = 0;
        for (at, key, fits) in rows {
            stream.range.high = at;
            stream.fetched.push_back(Passed { key, fits });
            count += 1;
        }
        stream.dry = count < self.chunk;
        self.next.extend(stream.bound().map(|bound| (bound, place)));
    }
}

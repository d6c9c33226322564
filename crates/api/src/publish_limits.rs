//! How fast one key, and one location, may publish. Without a limit it costs a branch.

use std::hash::Hash;
use std::num::NonZeroU32;

use domain::location::LocationId;
use domain::publish_rate::{Buckets, Exhausted};
use domain::time::Timestamp;
use parking_lot::Mutex;

use crate::problem::{Code, Problem};

#[derive(Debug)]
pub(crate) struct PublishLimits {
    per_key: Option<Limit<u64>>,
    per_location: Option<Limit<LocationId>>,
}

#[derive(Debug)]
struct Limit<K> {
    per_second: NonZeroU32,
    buckets: Mutex<Buckets<K>>,
}

impl<K: Eq + Hash + Clone> Limit<K> {
    fn new(per_second: NonZeroU32) -> Self {
        Self { per_second, buckets: Mutex::new(Buckets::new(per_second)) }
    }

    fn take(&self, key: &K, whose: &'static str, now: Timestamp) -> Result<(), Problem> {
        let taken = self.buckets.lock().take(key, now);
        taken.map_err(|exhausted| refused(whose, self.per_second, exhausted))
    }
}

impl PublishLimits {
    pub(crate) fn new(per_key: Option<NonZeroU32>, per_location: Option<NonZeroU32>) -> Self {
        Self { per_key: per_key.map(Limit::new), per_location: per_location.map(Limit::new) }
    }

    /// One event by the caller with this token.
    pub(crate) fn by_key(&self, token_tag: u64, now: Timestamp) -> Result<(), Problem> {
        self.per_key.as_ref().map_or(Ok(()), |limit| limit.take(&token_tag, "key", now))
    }

    /// One event of this location, whoever publishes it.
    pub(crate) fn of_location(&self, id: Option<&LocationId>, now: Timestamp) -> Result<(), Problem> {
        match (&self.per_location, id) {
            (Some(limit), Some(id)) => limit.take(id, "location", now),
            _ => Ok(()),
        }
    }
}

fn refused(whose: &'static str, per_second: NonZeroU32, exhausted: Exhausted) -> Problem {
    let seconds = exhausted.retry_after_seconds;
    let detail =
        format!("one {whose} may publish {per_second} events a second here: repeat it after {seconds} s");
    Problem::new(Code::TooManyRequests, detail).with_retry_after(seconds)
}

//! How many events a second one key or one location may publish: a bucket of one second's worth for each, refilled steadily.
//!
//! A bucket is kept as the moment at which it is full again (GCRA), so that a full one needs no memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;

use crate::limits::PUBLISH_BUCKETS_MAX;
use crate::time::Timestamp;

const SECOND_NS: i64 = 1_000_000_000;

/// The buckets of one limit.
#[derive(Debug)]
pub struct Buckets<K> {
    /// Nanoseconds for one event.
    interval_ns: i64,
    /// What a bucket holds: a second, less what the interval was rounded down by.
    burst_ns: i64,
    full_at_ns: HashMap<K, i64>,
    /// Of all that have none of their own because [`PUBLISH_BUCKETS_MAX`] others are in use.
    shared_full_at_ns: i64,
    swept_at_ns: i64,
}

/// There is nothing left in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Whole seconds after which one more event fits, at least 1.
    pub retry_after_seconds: u32,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    pub fn new(per_second: NonZeroU32) -> Self {
        let per_second = i64::from(per_second.get());
        let interval_ns = SECOND_NS / per_second;
        Self {
            interval_ns,
            burst_ns: interval_ns * per_second,
            full_at_ns: HashMap::new(),
            shared_full_at_ns: 0,
            swept_at_ns: 0,
        }
    }

    /// Takes one event out of the key's bucket.
    pub fn take(&mut self, key: &K, now: Timestamp) -> Result<(), Exhausted> {
        let now_ns = now.as_millis().saturating_mul(1_000_000);
        let (interval_ns, burst_ns) = (self.interval_ns, self.burst_ns);
        let full_at_ns = self.bucket(key, now_ns);
        // Never later than an empty bucket has it: the clock may have been set back.
        let level_ns = (*full_at_ns - now_ns).clamp(0, burst_ns) + interval_ns;
        if level_ns > burst_ns {
            *full_at_ns = (*full_at_ns).min(now_ns + burst_ns);
            let wait_ns = (level_ns - burst_ns) as u64;
            return Err(Exhausted { retry_after_seconds: wait_ns.div_ceil(SECOND_NS as u64) as u32 });
        }
        *full_at_ns = now_ns + level_ns;
        Ok(())
    }

    fn bucket(&mut self, key: &K, now_ns: i64) -> &mut i64 {
        if self.full_at_ns.len() >= PUBLISH_BUCKETS_MAX && !self.full_at_ns.contains_key(key) {
            self.sweep(now_ns);
            if self.full_at_ns.len() >= PUBLISH_BUCKETS_MAX {
                return &mut self.shared_full_at_ns;
            }
        }
        self.full_at_ns.entry(key.clone()).or_insert(0)
    }

    /// Full buckets go, at most once in the time that an empty one takes to fill.
    fn sweep(&mut self, now_ns: i64) {
        if (now_ns - self.swept_at_ns).abs() < SECOND_NS {
            return;
        }
        self.swept_at_ns = now_ns;
        self.full_at_ns.retain(|_, full_at_ns| (now_ns + 1..=now_ns + SECOND_NS).contains(full_at_ns));
    }
}

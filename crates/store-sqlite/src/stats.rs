//! Counters for observation: plain atomics, read without a lock. Nothing decides by them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What the writer counted since the start.
#[derive(Debug, Default)]
pub struct Stats {
    commits: AtomicU64,
    operations: AtomicU64,
    lost_batches: AtomicU64,
    commit_micros: AtomicU64,
    commit_micros_max: AtomicU64,
    batch_micros: AtomicU64,
    wal_bytes: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsView {
    pub commits: u64,
    /// Operations that were committed; divided by `commits` it is the size of a group.
    pub operations: u64,
    /// Batches that were undone, by a full disk for one.
    pub lost_batches: u64,
    /// Time in `COMMIT`, which is mostly fsync, in all and the longest.
    pub commit_micros: u64,
    pub commit_micros_max: u64,
    /// Time in batches, commits included.
    pub batch_micros: u64,
    /// The write-ahead log that is in use.
    pub wal_bytes: u64,
}

impl Stats {
    pub fn view(&self) -> StatsView {
        StatsView {
            commits: self.commits.load(Relaxed),
            operations: self.operations.load(Relaxed),
            lost_batches: self.lost_batches.load(Relaxed),
            commit_micros: self.commit_micros.load(Relaxed),
            commit_micros_max: self.commit_micros_max.load(Relaxed),
            batch_micros: self.batch_micros.load(Relaxed),
            wal_bytes: self.wal_bytes.load(Relaxed),
        }
    }

    pub(crate) fn committed(&self, operations: usize, took: Duration) {
        self.commits.fetch_add(1, Relaxed);
        self.operations.fetch_add(operations as u64, Relaxed);
        self.commit_micros.fetch_add(took.as_micros() as u64, Relaxed);
        self.commit_micros_max.fetch_max(took.as_micros() as u64, Relaxed);
    }

    pub(crate) fn lost(&self) {
        self.lost_batches.fetch_add(1, Relaxed);
    }

    pub(crate) fn batch_took(&self, took: Duration) {
        self.batch_micros.fetch_add(took.as_micros() as u64, Relaxed);
    }

    pub(crate) fn wal_frames(&self, frames: u64) {
        self.wal_bytes.store(frames * u64::from(crate::open::PAGE_BYTES), Relaxed);
    }
}

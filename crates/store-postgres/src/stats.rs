//! Counters for observation: plain atomics, read without a lock. Nothing decides by them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What the group commit of publications counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    commits: AtomicU64,
    operations: AtomicU64,
    lost_batches: AtomicU64,
    commit_micros: AtomicU64,
    commit_micros_max: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsView {
    pub commits: u64,
    /// Calls that were committed; divided by `commits` it is the size of a group.
    pub operations: u64,
    /// Groups that were not stored.
    pub lost_batches: u64,
    /// Time in transactions, from the first statement to the commit's answer, in all and the longest.
    pub commit_micros: u64,
    pub commit_micros_max: u64,
    /// Connections that are open and unused.
    pub idle_connections: u64,
}

impl Stats {
    pub(crate) fn view(&self, idle_connections: usize) -> StatsView {
        StatsView {
            commits: self.commits.load(Relaxed),
            operations: self.operations.load(Relaxed),
            lost_batches: self.lost_batches.load(Relaxed),
            commit_micros: self.commit_micros.load(Relaxed),
            commit_micros_max: self.commit_micros_max.load(Relaxed),
            idle_connections: idle_connections as u64,
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
}

//! Housekeeping: retention, readiness, shutdown.

use async_trait::async_trait;
use domain::time::Timestamp;

use crate::StoreError;

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// Call again: the slice was full.
    More,
    Done,
}

/// What a store is and takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Such as `sqlite`.
    pub kind: &'static str,
    /// On disk.
    pub bytes: u64,
}

#[async_trait]
pub trait Maintenance {
    /// Whether a read and a write transaction are possible right now.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Removes one bounded slice of what is older than `horizon` (events, deliveries, attempts), of kept answers that
    /// expired at `now`, and of tallies that no window shows then.
    async fn sweep(&self, horizon: Timestamp, now: Timestamp) -> Result<Swept, StoreError>;
    async fn footprint(&self) -> Result<Footprint, StoreError>;
    /// Waits for what was accepted, then closes. Later calls fail with `Unavailable`.
    async fn close(&self);
}

//! The processes that serve from one store, and what each tells of itself: for looking, nothing is decided by it.

use async_trait::async_trait;
use domain::time::Timestamp;

use crate::StoreError;
use crate::feed::Listener;

/// Events accepted, attempts that succeeded, attempts that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    pub delivered: u64,
    pub failed: u64,
}

impl Counts {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted.saturating_sub(earlier.accepted),
            delivered: self.delivered.saturating_sub(earlier.delivered),
            failed: self.failed.saturating_sub(earlier.failed),
        }
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
        }
    }
}

/// What one process counted in one step of [`RATES_STEP_SECONDS`](domain::limits::RATES_STEP_SECONDS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it began.
    pub at: Timestamp,
    pub counts: Counts,
    /// Attempts that ran when it ended.
    pub in_flight: u64,
}

/// A process that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// New at each start.
    pub id: u64,
    /// Machine and process.
    pub name: String,
    pub version: String,
    pub started_at: Timestamp,
}

/// All that serve, and what they counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whole {
    /// The one that was asked.
    pub own_id: u64,
    /// Those that live, the longest running first.
    pub nodes: Vec<Node>,
    /// With whose each is, oldest first; also of those that serve no more.
    pub steps: Vec<(u64, Step)>,
}

#[async_trait]
pub trait Nodes {
    /// How many live, this one included, as far as it knows: at least one. From memory.
    fn living(&self) -> usize;
    /// Tells the others what this process counted in a step that is over. Steps older than
    /// [`RATES_SECONDS`](domain::limits::RATES_SECONDS) are forgotten.
    async fn tell_step(&self, step: Step) -> Result<(), StoreError>;
    /// Who lives, with the steps that began at `since` or later.
    async fn whole(&self, since: Timestamp) -> Result<Whole, StoreError>;
    /// Somebody listens here: from when this returns, what happens on any node is in this one's feed within a second.
    async fn listen(&self) -> Result<Listener, StoreError>;
}

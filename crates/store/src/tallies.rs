//! What became of each endpoint's attempts, counted as they are recorded: `Queue::record` adds them in its own transaction, so
//! that nothing is counted twice or not at all.

use async_trait::async_trait;
use domain::id::EndpointId;
use domain::scope::Scope;
use domain::tally::{Tally, Window};
use domain::time::Timestamp;

use crate::StoreError;

/// A window's tallies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tallied {
    /// When the first span begins.
    pub since: Timestamp,
    /// Every span of the window, oldest first, also those in which nothing happened.
    pub spans: Vec<Tally>,
    /// When the endpoint's latest attempt of the last 30 days began, also before the window.
    pub last_attempt_at: Option<Timestamp>,
}

impl Tallied {
    /// All spans together.
    pub fn whole(&self) -> Tally {
        let mut whole = Tally::default();
        self.spans.iter().for_each(|span| whole.merge(span));
        whole
    }
}

#[async_trait]
pub trait Tallies {
    /// The endpoint's attempts in the window up to `now`, each in the span in which it ended; test sends are not among them.
    /// Costs the same however much was logged. A deleted endpoint is not found, and what was counted of it is gone.
    async fn tallies(
        &self,
        scope: &Scope,
        id: EndpointId,
        window: Window,
        now: Timestamp,
    ) -> Result<Tallied, StoreError>;
}

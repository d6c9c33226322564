//! The queue: what is not finished. Publish, retry and recovery all feed it; the engine claims from it and records into it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::attempt::Attempt;
use domain::delivery::{EndReason, Trigger};
use domain::endpoint::TypeName;
use domain::event::Event;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::location::LocationId;
use domain::retry::Verdict;
use domain::time::Timestamp;

use crate::StoreError;
use crate::healths::HealthNote;
use crate::once::MaybeOnce;

/// Under which a process holds a delivery. A record or release with a claim that no longer holds changes nothing
/// (compare-and-set). Whoever holds a delivery anew has another claim, also the same process: a call whose answer was lost
/// may come again, and must not touch what was claimed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim(pub i64);

/// A delivery that this process holds, with all that an attempt and its record need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub endpoint_id: EndpointId,
    pub type_name: TypeName,
    pub location_id: Option<LocationId>,
    pub trigger: Trigger,
    pub retry_of: Option<DeliveryId>,
    /// Attempts finished before this claim.
    pub attempt_count: u32,
    pub claim: Claim,
    pub payload: Bytes,
}

/// Deliveries of one endpoint that nobody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub endpoint_id: EndpointId,
    /// When the earliest of them is due.
    pub due_at: Timestamp,
}

/// A wish to claim up to `limit` deliveries of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    pub endpoint_id: EndpointId,
    pub limit: usize,
}

/// What a wish brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub endpoint_id: EndpointId,
    /// Earliest due first.
    pub deliveries: Vec<ClaimedDelivery>,
    /// When the earliest delivery that is left unheld is due; `None`: none is left.
    pub next_due_at: Option<Timestamp>,
}

/// An attempt's outcome, to be recorded.
#[derive(Debug, Clone)]
pub struct Record {
    pub delivery: Arc<ClaimedDelivery>,
    pub attempt: Arc<Attempt>,
    pub verdict: Verdict,
}

/// What a record did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Applied,
    /// The claim no longer held: the delivery was cancelled, ended or adopted meanwhile. Where the delivery has ended,
    /// the attempt was added to its log all the same.
    Lost,
}

/// A claimed delivery given back without an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    pub id: DeliveryId,
    pub claim: Claim,
    pub due_at: Timestamp,
}

/// Deliveries of one endpoint that are not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub endpoint_id: EndpointId,
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest_at: Timestamp,
}

#[async_trait]
pub trait Queue {
    /// Endpoints with deliveries that nobody holds, ordered by id, those after `after`; at most `limit`.
    async fn due(&self, after: Option<EndpointId>, limit: usize) -> Result<Vec<Due>, StoreError>;
    /// Claims what is due at `now` for each wish. Deliveries of endpoints that are not enabled are never granted.
    async fn claim(&self, wants: Vec<Want>, now: Timestamp) -> Result<Vec<Granted>, StoreError>;
    /// One transaction for all. `Succeeded` and `Ended` move the delivery to the log, `RetryAt` moves its due time and
    /// gives the claim up. The answer has one entry per record, in order.
    async fn record(&self, records: Vec<Record>) -> Result<Vec<Recorded>, StoreError>;
    /// How many of `waiting` outcomes one call had better record: where everybody shares one writer, a publication waits for as
    /// long as a call takes.
    fn records_at_once(&self, waiting: usize) -> usize {
        waiting
    }
    /// Gives claims back, at a shutdown or when a lane is paused.
    async fn release(&self, releases: Vec<Release>) -> Result<(), StoreError>;
    /// Keeps what became of circuits, one transaction for all; see [`Healths`](crate::healths::Healths). A note whose receiver is no longer
    /// the endpoint's changes nothing. While an endpoint's circuit is not closed, its unheld deliveries that are due before
    /// `held_until` are shown as waiting.
    async fn note_health(&self, notes: Vec<HealthNote>) -> Result<(), StoreError>;
    /// Ends up to `limit` unheld deliveries of the endpoint without an attempt; how many ended.
    async fn end_deliveries(
        &self,
        endpoint_id: EndpointId,
        reason: EndReason,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;
    /// Stores a test send that is over: its event (`Visibility::TestOnly`), its delivery and its one attempt.
    async fn record_test(&self, event: Event, record: Record, once: MaybeOnce<()>) -> Result<(), StoreError>;
    /// Resolves when deliveries may have become due that this process has not heard of, such as those that it took over from
    /// one that is gone: a hint that [`due`](Self::due) is worth a look. Never, where one process has the store alone.
    async fn more_is_due(&self) {
        std::future::pending().await
    }
    /// Whether what this process holds under the claim may be sent: not while others may have taken it over. Asked before every
    /// attempt, and answered from memory.
    fn may_send(&self, _: Claim) -> bool {
        true
    }
    /// How many deliveries are not finished.
    async fn queue_length(&self) -> Result<u64, StoreError>;
    /// Each endpoint that has unfinished deliveries, in no order. Goes through an index of all of them, so it is for people who
    /// look, and not for every call of theirs.
    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError>;
}

//! A delivery as it stands, apart from how its row is stored.

use domain::attempt::Attempt;
use domain::delivery::{Delivery, EndReason, Status, Trigger};
use domain::endpoint::TypeName;
use domain::event::Event;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::location::LocationId;
use domain::retry::Verdict;
use domain::time::Timestamp;

use crate::events::NewDelivery;
use crate::queue::{Claim, ClaimedDelivery, Record};

/// What a delivery is, without where it stands.
#[derive(Debug, Clone)]
pub struct DeliveryHead {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub endpoint_id: EndpointId,
    pub type_name: TypeName,
    pub location_id: Option<LocationId>,
    pub trigger: Trigger,
    pub retry_of: Option<DeliveryId>,
}

/// One that has not ended.
#[derive(Debug, Clone)]
pub struct Queued {
    pub head: DeliveryHead,
    pub attempt_count: u32,
    pub due_at: Timestamp,
    pub claim: Option<Claim>,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    pub status: Status,
    pub reason: Option<EndReason>,
    pub attempt_count: u32,
    pub completed_at: Timestamp,
    pub attempt: Option<&'a Attempt>,
}

/// A delivery, wherever it is.
#[derive(Debug, Clone)]
pub enum Found {
    Queued(Queued),
    Ended(Delivery),
}

/// Where a delivery stands; `ended`: when and why.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub status: Status,
    pub attempt_count: u32,
    pub next_attempt_at: Option<Timestamp>,
    pub ended: Option<(Timestamp, Option<EndReason>)>,
}

impl DeliveryHead {
    /// An event's own.
    pub fn of_event(event: &Event, delivery: &NewDelivery) -> Self {
        Self {
            id: delivery.id,
            event_id: event.id,
            endpoint_id: delivery.endpoint_id,
            type_name: event.type_name.clone(),
            location_id: event.location_id.clone(),
            trigger: Trigger::Event,
            retry_of: None,
        }
    }

    /// Of the one that repeats `ended`.
    pub fn of_retry(ended: Delivery, id: DeliveryId) -> Self {
        Self {
            id,
            event_id: ended.event_id,
            endpoint_id: ended.endpoint_id,
            type_name: ended.type_name,
            location_id: ended.location_id,
            trigger: Trigger::Retry,
            retry_of: Some(ended.id),
        }
    }

    pub fn of_claimed(delivery: &ClaimedDelivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            endpoint_id: delivery.endpoint_id,
            type_name: delivery.type_name.clone(),
            location_id: delivery.location_id.clone(),
            trigger: delivery.trigger,
            retry_of: delivery.retry_of,
        }
    }

    pub fn claimed(self, attempt_count: u32, claim: Claim, payload: bytes::Bytes) -> ClaimedDelivery {
        ClaimedDelivery {
            id: self.id,
            event_id: self.event_id,
            endpoint_id: self.endpoint_id,
            type_name: self.type_name,
            location_id: self.location_id,
            trigger: self.trigger,
            retry_of: self.retry_of,
            attempt_count,
            claim,
            payload,
        }
    }

    /// As the log shows it.
    pub fn delivery(self, standing: Standing) -> Delivery {
        Delivery {
            id: self.id,
            event_id: self.event_id,
            endpoint_id: self.endpoint_id,
            type_name: self.type_name,
            location_id: self.location_id,
            trigger: self.trigger,
            retry_of: self.retry_of,
            status: standing.status,
            attempt_count: standing.attempt_count,
            next_attempt_at: standing.next_attempt_at,
            completed_at: standing.ended.map(|(at, _)| at),
            end_reason: standing.ended.and_then(|(_, reason)| reason),
        }
    }
}

impl Queued {
    /// As the log shows it. What is due before `held_until` is held back: its endpoint is disabled by hand, or fails.
    pub fn shown(self, held_until: Option<i64>) -> Delivery {
        let held_back = held_until.is_some_and(|until| self.due_at.as_millis() < until);
        let status = match (self.claim, held_back, self.attempt_count) {
            (Some(_), _, _) => Status::Delivering,
            (None, true, _) => Status::Waiting,
            (None, false, 0) => Status::Pending,
            (None, false, _) => Status::Retrying,
        };
        let next_attempt_at = (status != Status::Waiting).then_some(self.due_at);
        let attempt_count = self.attempt_count;
        self.head.delivery(Standing { status, attempt_count, next_attempt_at, ended: None })
    }

    /// Ended as it stands, without another attempt.
    pub fn ended(&self, reason: EndReason, now: Timestamp) -> Ending<'static> {
        Ending {
            status: reason.status(),
            reason: Some(reason),
            attempt_count: self.attempt_count,
            completed_at: now,
            attempt: None,
        }
    }

    /// As whoever holds it knows it.
    pub fn claimed(self, claim: Claim, payload: bytes::Bytes) -> ClaimedDelivery {
        self.head.claimed(self.attempt_count, claim, payload)
    }
}

impl<'a> Ending<'a> {
    /// The attempt was the last. A test is over after its one attempt, whatever the verdict.
    pub fn after_attempt(record: &'a Record) -> Self {
        let reason = match record.verdict {
            Verdict::Succeeded => None,
            Verdict::Ended(reason) => Some(reason),
            Verdict::RetryAt(_) => Some(EndReason::Exhausted),
        };
        Self {
            status: reason.map_or(Status::Succeeded, EndReason::status),
            reason,
            attempt_count: record.delivery.attempt_count + 1,
            completed_at: record.attempt.started_at.plus_millis(i64::from(record.attempt.duration_ms)),
            attempt: Some(&*record.attempt),
        }
    }

    /// What becomes of the event's note of where it was not delivered.
    pub fn note(&self, trigger: Trigger) -> UndeliveredNote {
        match (self.status, trigger) {
            // What is unfinished is in the queue, so that an event's own delivery that succeeds costs nothing here.
            (Status::Succeeded, Trigger::Event) | (_, Trigger::Test) => UndeliveredNote::Same,
            (Status::Succeeded, Trigger::Retry | Trigger::Replay) => UndeliveredNote::Removed,
            // What it repeats is noted, or has succeeded.
            (_, Trigger::Retry | Trigger::Replay) => UndeliveredNote::Same,
            (_, Trigger::Event) => UndeliveredNote::Made,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndeliveredNote {
    Same,
    Made,
    Removed,
}

impl Found {
    pub fn id(&self) -> DeliveryId {
        match self {
            Self::Queued(queued) => queued.head.id,
            Self::Ended(delivery) => delivery.id,
        }
    }

    pub fn endpoint_id(&self) -> EndpointId {
        match self {
            Self::Queued(queued) => queued.head.endpoint_id,
            Self::Ended(delivery) => delivery.endpoint_id,
        }
    }
}

//! What the store holds and the rules by which it changes: plain functions on plain maps, each one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::attempt::Attempt;
use domain::delivery::{Delivery, EndReason, Status, Trigger};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::event::Event;
use domain::health::Receiver;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::retry::Verdict;
use domain::time::Timestamp;
use store::StoreError;
use store::events::{Hold, Publication};
use store::healths::HealthNote;
use store::queue::{Claim, ClaimedDelivery, Granted, Record, Recorded, Release, Want};

#[derive(Debug)]
pub(crate) struct State {
    /// What is not finished.
    pub(crate) rows: BTreeMap<DeliveryId, Row>,
    pub(crate) ended: BTreeMap<DeliveryId, Ended>,
    pub(crate) attempts: BTreeMap<DeliveryId, Vec<Attempt>>,
    pub(crate) events: BTreeMap<EventId, Event>,
    /// Those that were deleted too.
    pub(crate) endpoints: BTreeMap<EndpointId, Arc<Endpoint>>,
    /// Under which the latest transaction holds what it holds.
    pub(crate) claim: Claim,
    /// The present process has later ones only.
    pub(crate) claim_before: Claim,
    /// What happened, in order, since it was last taken.
    pub(crate) changes: Vec<Change>,
    pub(crate) log: Vec<(DeliveryId, Option<Attempt>, Verdict)>,
    pub(crate) is_away: bool,
    /// Calls that failed because of that.
    pub(crate) refusals: u64,
    /// Says that something is due and grants nothing.
    pub(crate) grants_nothing: bool,
    pub(crate) claims: u64,
    /// Whose rows do not read back.
    pub(crate) damaged: Option<EndpointId>,
    /// Looking for what is due panics, once.
    pub(crate) panics: bool,
    pub(crate) horizons: Vec<Timestamp>,
    /// Notes of circuits, in order.
    pub(crate) notes: Vec<HealthNote>,
}

#[derive(Debug)]
pub(crate) struct Row {
    /// With the claim of whoever holds it, or held it last.
    pub(crate) delivery: ClaimedDelivery,
    pub(crate) due_at: Timestamp,
    pub(crate) is_held: bool,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) delivery: ClaimedDelivery,
    pub(crate) reason: Option<EndReason>,
    pub(crate) completed_at: Timestamp,
}

/// One thing that a transaction did.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Queued(DeliveryId, Hold),
    Claimed(DeliveryId),
    Recorded(DeliveryId, Claim, u32, Verdict, Recorded),
    Released(DeliveryId, Claim, Recorded),
    Ended(DeliveryId, EndReason),
    /// As it was before.
    Disabled(Arc<Endpoint>, DisabledReason),
}

impl Default for State {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            ended: BTreeMap::new(),
            attempts: BTreeMap::new(),
            events: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            claim: Claim(1),
            claim_before: Claim(0),
            changes: Vec::new(),
            log: Vec::new(),
            is_away: false,
            refusals: 0,
            grants_nothing: false,
            claims: 0,
            damaged: None,
            panics: false,
            horizons: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl State {
    /// The process is gone and another takes its place: what was held is free, under a claim that nobody had before.
    pub(crate) fn adopt(&mut self, now: Timestamp) {
        self.claim_before = self.claim;
        for row in self.rows.values_mut().filter(|row| row.is_held) {
            (row.is_held, row.due_at) = (false, now);
        }
    }

    /// Whoever holds a delivery anew has another claim.
    pub(crate) fn begin_claim(&mut self) -> Claim {
        self.claim = Claim(self.claim.0 + 1);
        self.claim
    }

    pub(crate) fn next_due_at(&self, id: EndpointId) -> Option<Timestamp> {
        let unheld = self.rows.values().filter(|row| row.delivery.endpoint_id == id && !row.is_held);
        unheld.map(|row| row.due_at).min()
    }

    /// Whether a note is of the endpoint as it stands.
    pub(crate) fn concerns(&self, note: &HealthNote) -> bool {
        let endpoint = self.endpoints.get(&note.endpoint_id);
        endpoint.is_some_and(|endpoint| note.receiver.is_of(endpoint))
    }

    fn is_enabled(&self, id: EndpointId) -> bool {
        self.endpoints.get(&id).is_some_and(|endpoint| endpoint.is_enabled())
    }

    pub(crate) fn claim(&mut self, want: Want, now: Timestamp) -> Granted {
        let id = want.endpoint_id;
        let is_due = |row: &&Row| row.delivery.endpoint_id == id && !row.is_held && row.due_at <= now;
        let limit = if self.grants_nothing || !self.is_enabled(id) { 0 } else { want.limit };
        let mut due: Vec<(Timestamp, DeliveryId)> =
            self.rows.values().filter(is_due).map(|row| (row.due_at, row.delivery.id)).collect();
        due.sort_unstable();
        let deliveries = due.into_iter().take(limit).map(|(_, id)| self.hold(id)).collect();
        Granted { endpoint_id: id, deliveries, next_due_at: self.next_due_at(id) }
    }

    fn hold(&mut self, id: DeliveryId) -> ClaimedDelivery {
        let row = self.rows.get_mut(&id).expect("it was just found");
        (row.is_held, row.delivery.claim) = (true, self.claim);
        self.changes.push(Change::Claimed(id));
        row.delivery.clone()
    }

    /// Compare-and-set: whether the row is held under that claim.
    fn holds(&self, id: DeliveryId, claim: Claim) -> bool {
        self.rows.get(&id).is_some_and(|row| row.is_held && row.delivery.claim == claim)
    }

    pub(crate) fn record(&mut self, record: Record) -> Recorded {
        let Record { delivery, attempt, verdict } = record;
        let (id, number) = (delivery.id, attempt.number);
        let recorded = if self.holds(id, delivery.claim) { Recorded::Applied } else { Recorded::Lost };
        self.changes.push(Change::Recorded(id, delivery.claim, number, verdict, recorded));
        match recorded {
            Recorded::Applied => self.apply(id, Arc::unwrap_or_clone(attempt), verdict),
            Recorded::Lost => self.log_late(id, Arc::unwrap_or_clone(attempt)),
        }
        recorded
    }

    fn apply(&mut self, id: DeliveryId, attempt: Attempt, verdict: Verdict) {
        let ended_at = attempt.started_at.plus_millis(i64::from(attempt.duration_ms));
        self.log.push((id, Some(attempt.clone()), verdict));
        self.attempts.entry(id).or_default().push(attempt);
        let row = self.rows.get_mut(&id).expect("it is held");
        row.delivery.attempt_count += 1;
        match verdict {
            Verdict::RetryAt(at) => (row.due_at, row.is_held) = (at, false),
            Verdict::Succeeded => self.finish(id, None, ended_at),
            Verdict::Ended(reason) => self.finish(id, Some(reason), ended_at),
        }
    }

    /// The claim is gone. Where the delivery has ended, its log shows the attempt all the same, once.
    fn log_late(&mut self, id: DeliveryId, attempt: Attempt) {
        let Some(ended) = self.ended.get_mut(&id) else { return };
        let attempts = self.attempts.entry(id).or_default();
        if attempts.iter().all(|known| known.id != attempt.id) {
            attempts.push(attempt);
            ended.delivery.attempt_count += 1;
        }
    }

    fn finish(&mut self, id: DeliveryId, reason: Option<EndReason>, completed_at: Timestamp) {
        if let Some(Row { delivery, .. }) = self.rows.remove(&id) {
            self.ended.insert(id, Ended { delivery, reason, completed_at });
        }
    }

    pub(crate) fn release(&mut self, release: Release) {
        let Release { id, claim, due_at } = release;
        let is_held = self.holds(id, claim);
        let result = if is_held { Recorded::Applied } else { Recorded::Lost };
        self.changes.push(Change::Released(id, claim, result));
        if let Some(row) = self.rows.get_mut(&id).filter(|_| is_held) {
            (row.due_at, row.is_held) = (due_at, false);
        }
    }

    pub(crate) fn end_unheld(
        &mut self,
        id: EndpointId,
        reason: EndReason,
        now: Timestamp,
        limit: usize,
    ) -> usize {
        let of_endpoint = |row: &&Row| row.delivery.endpoint_id == id && !row.is_held;
        let ids: Vec<DeliveryId> =
            self.rows.values().filter(of_endpoint).take(limit).map(|row| row.delivery.id).collect();
        for id in &ids {
            self.end(*id, reason, now);
        }
        ids.len()
    }

    fn end(&mut self, id: DeliveryId, reason: EndReason, now: Timestamp) {
        self.changes.push(Change::Ended(id, reason));
        self.log.push((id, None, Verdict::Ended(reason)));
        self.finish(id, Some(reason), now);
    }

    pub(crate) fn cancel(&mut self, id: DeliveryId, now: Timestamp) -> Result<Delivery, StoreError> {
        match self.shown(id)? {
            delivery if delivery.status.is_final() => Err(StoreError::DeliveryEnded),
            _ => {
                self.end(id, EndReason::ByHand, now);
                self.shown(id)
            }
        }
    }

    pub(crate) fn retry(
        &mut self,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        let found = self.shown(id)?;
        if !self.is_enabled(found.endpoint_id) {
            return Err(StoreError::EndpointDisabled);
        }
        if let Some(row) = self.rows.get_mut(&id) {
            if !row.is_held {
                row.due_at = row.due_at.min(now);
            }
            return self.shown(id);
        }
        let delivery = ClaimedDelivery {
            id: new_id,
            trigger: Trigger::Retry,
            retry_of: Some(id),
            attempt_count: 0,
            ..self.ended[&id].delivery.clone()
        };
        self.queue(delivery, now, Hold::Unclaimed);
        self.shown(new_id)
    }

    pub(crate) fn queue(&mut self, delivery: ClaimedDelivery, due_at: Timestamp, hold: Hold) {
        self.changes.push(Change::Queued(delivery.id, hold));
        self.rows.insert(delivery.id, Row { delivery, due_at, is_held: hold == Hold::Claimed });
    }

    pub(crate) fn publish(&mut self, publications: Vec<Publication>) -> Claim {
        self.begin_claim();
        for Publication { event, deliveries } in publications {
            for one in deliveries {
                let delivery = ClaimedDelivery {
                    id: one.id,
                    event_id: event.id,
                    endpoint_id: one.endpoint_id,
                    type_name: event.type_name.clone(),
                    location_id: event.location_id.clone(),
                    trigger: Trigger::Event,
                    retry_of: None,
                    attempt_count: 0,
                    claim: self.claim,
                    payload: event.payload.clone(),
                };
                self.queue(delivery, one.id.created_at(), one.hold);
            }
            self.events.insert(event.id, event);
        }
        self.claim
    }

    /// As the log shows it.
    pub(crate) fn shown(&self, id: DeliveryId) -> Result<Delivery, StoreError> {
        if let Some(row) = self.rows.get(&id) {
            let status = self.status(row);
            let next_attempt_at = (status != Status::Waiting).then_some(row.due_at);
            return Ok(Delivery { next_attempt_at, ..delivery(&row.delivery, status) });
        }
        let ended = self.ended.get(&id).ok_or(StoreError::NotFound)?;
        let status = ended.reason.map_or(Status::Succeeded, EndReason::status);
        Ok(Delivery {
            completed_at: Some(ended.completed_at),
            end_reason: ended.reason,
            ..delivery(&ended.delivery, status)
        })
    }

    fn status(&self, row: &Row) -> Status {
        let state = self.endpoints.get(&row.delivery.endpoint_id).map(|endpoint| endpoint.state);
        let by_hand = matches!(state, Some(EndpointState::Disabled { reason: DisabledReason::ByHand, .. }));
        match (row.is_held, by_hand, row.delivery.attempt_count) {
            (true, _, _) => Status::Delivering,
            (false, true, _) => Status::Waiting,
            (false, false, 0) => Status::Pending,
            (false, false, _) => Status::Retrying,
        }
    }
}

fn delivery(from: &ClaimedDelivery, status: Status) -> Delivery {
    Delivery {
        id: from.id,
        event_id: from.event_id,
        endpoint_id: from.endpoint_id,
        type_name: from.type_name.clone(),
        location_id: from.location_id.clone(),
        trigger: from.trigger,
        retry_of: from.retry_of,
        status,
        attempt_count: from.attempt_count,
        next_attempt_at: None,
        completed_at: None,
        end_reason: None,
    }
}

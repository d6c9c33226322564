//! Histories nobody thought of: random steps, crashes among them, each against a model of a few lines. The seed of a
//! history that fails is in the message, and the same seed makes the same history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::delivery::{EndReason, Status};
use domain::endpoint::Endpoint;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::time::Timestamp;

use super::stage::{Draft, NOW, Stage, location};
use crate::deliveries::DeliveryFilter;
use crate::events::EventFilter;
use crate::queue::{ClaimedDelivery, Recorded, Release};

const HISTORIES: u64 = 12;
const STEPS: usize = 120;

pub async fn any_history_goes_as_the_model_says(stage: &mut Stage) {
    for seed in 0..HISTORIES {
        let mut history = History::begin(stage, seed).await;
        for step in 0..STEPS {
            history.step(stage).await;
            if step % 12 == 11 {
                history.check(stage).await;
            }
        }
        // The next history begins with nothing unfinished.
        for endpoint in &history.endpoints {
            stage.crash(history.now).await;
            stage.end_deliveries(endpoint.id, EndReason::Gone, history.now, 10_000).await.unwrap();
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone)]
enum Place {
    Due(Timestamp),
    Held(Box<ClaimedDelivery>),
    Ended(Option<EndReason>),
}

#[derive(Debug, Clone)]
struct Known {
    event_id: EventId,
    endpoint_id: EndpointId,
    place: Place,
    attempts: u32,
}

struct History {
    seed: u64,
    random: u64,
    now: Timestamp,
    endpoints: Vec<Arc<Endpoint>>,
    /// What the log shows, in order of ids.
    known: BTreeMap<DeliveryId, Known>,
    /// Whom each event was meant for.
    events: BTreeMap<EventId, BTreeSet<EndpointId>>,
    /// Claims that were once held.
    stale: Vec<ClaimedDelivery>,
}

impl History {
    async fn begin(stage: &Stage, seed: u64) -> Self {
        let mut endpoints = Vec::new();
        for _ in 0..3 {
            endpoints.push(stage.endpoint(&location(&format!("of{seed}"))).await);
        }
        // A history takes about a day, and each has days of its own.
        let now = NOW.plus_seconds(seed as i64 * 3 * 86_400);
        let (known, events) = Default::default();
        Self { seed, random: seed, now, endpoints, known, events, stale: Vec::new() }
    }

    /// From 0 to below `n`.
    fn pick(&mut self, n: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % n.max(1)
    }

    fn some_id(&mut self, fits: impl Fn(&Known) -> bool) -> Option<DeliveryId> {
        let ids: Vec<_> = self.known.iter().filter(|(_, known)| fits(known)).map(|(id, _)| *id).collect();
        let place = self.pick(ids.len());
        ids.get(place).copied()
    }

    fn place(&mut self, id: DeliveryId) -> &mut Place {
        &mut self.known.get_mut(&id).unwrap().place
    }

    async fn step(&mut self, stage: &mut Stage) {
        self.now = self.now.plus_millis(self.pick(1_500_000) as i64);
        match self.pick(16) {
            0..3 => self.publish(stage).await,
            3..6 => self.claim(stage).await,
            6..10 => self.record(stage).await,
            10 => self.record_stale(stage).await,
            11 => self.release(stage).await,
            12 => self.cancel(stage).await,
            13 => self.retry(stage).await,
            14 => self.end(stage).await,
            _ => self.crash(stage).await,
        }
    }

    async fn publish(&mut self, stage: &Stage) {
        let mut draft = Draft::at(self.now).of(location(&format!("of{}", self.seed)));
        for n in 0..3 {
            draft = match self.pick(3) {
                0 => draft,
                1 => draft.held_for(&self.endpoints[n]),
                _ => draft.queued_for(&self.endpoints[n]),
            };
        }
        let publication = draft.make(&stage.ids);
        let claim = stage.publish(vec![publication.clone()], None).await.unwrap();
        let event_id = publication.event.id;
        let meant = publication.deliveries.iter().map(|one| one.endpoint_id).collect();
        self.events.insert(event_id, meant);
        for (one, held) in
            publication.deliveries.iter().zip(super::stage::Sent::new(&publication, claim).deliveries)
        {
            let place = match one.hold {
                crate::events::Hold::Claimed => Place::Held(Box::new(held)),
                crate::events::Hold::Unclaimed => Place::Due(self.now),
            };
            self.known.insert(one.id, Known { event_id, endpoint_id: one.endpoint_id, place, attempts: 0 });
        }
    }

    async fn claim(&mut self, stage: &Stage) {
        let (endpoint, limit) = (self.pick(3), self.pick(6));
        let endpoint = Arc::clone(&self.endpoints[endpoint]);
        let granted = stage.claim_up_to(&endpoint, limit, self.now).await.deliveries;
        let (now, seed) = (self.now, self.seed);
        let is_due = |known: &Known| known.endpoint_id == endpoint.id && known.is_due(now);
        let due = self.known.values().filter(|known| is_due(known)).count();
        assert_eq!(granted.len(), due.min(limit), "seed {seed}");
        for delivery in granted {
            let known = &self.known[&delivery.id];
            assert!(is_due(known), "seed {seed}: {known:?}");
            assert_eq!((delivery.event_id, delivery.attempt_count), (known.event_id, known.attempts));
            let id = delivery.id;
            *self.place(id) = Place::Held(Box::new(delivery));
        }
    }

    /// One that is held, now no longer.
    fn drop_held(&mut self) -> Option<ClaimedDelivery> {
        let id = self.some_id(|known| matches!(known.place, Place::Held(_)))?;
        let Place::Held(held) = self.place(id).clone() else { return None };
        self.stale.push((*held).clone());
        Some(*held)
    }

    fn verdict(&mut self) -> Verdict {
        match self.pick(4) {
            0 => Verdict::Succeeded,
            1 => Verdict::Ended(EndReason::ALL[self.pick(4)]),
            _ => Verdict::RetryAt(self.now.plus_seconds(self.pick(7_200) as i64)),
        }
    }

    async fn record(&mut self, stage: &Stage) {
        let Some(held) = self.drop_held() else { return };
        let verdict = self.verdict();
        stage.record_at(&held, verdict, self.now).await;
        self.known.get_mut(&held.id).unwrap().attempts += 1;
        *self.place(held.id) = match verdict {
            Verdict::Succeeded => Place::Ended(None),
            Verdict::Ended(reason) => Place::Ended(Some(reason)),
            Verdict::RetryAt(at) => Place::Due(at),
        };
    }

    async fn record_stale(&mut self, stage: &Stage) {
        let place = self.pick(self.stale.len());
        let Some(stale) = self.stale.get(place).cloned() else { return };
        if let Place::Ended(_) = self.place(stale.id) {
            self.known.get_mut(&stale.id).unwrap().attempts += 1;
        }
        let verdict = self.verdict();
        let record = stage.outcome(&stale, verdict, self.now);
        assert_eq!(stage.record_one(record).await, Recorded::Lost, "seed {}", self.seed);
    }

    async fn release(&mut self, stage: &Stage) {
        let Some(held) = self.drop_held() else { return };
        let due_at = self.now.plus_seconds(self.pick(3_600) as i64);
        stage.release(vec![Release { id: held.id, claim: held.claim, due_at }]).await.unwrap();
        *self.place(held.id) = Place::Due(due_at);
    }

    async fn cancel(&mut self, stage: &Stage) {
        let Some(id) = self.some_id(|_| true) else { return };
        let result = stage.cancel_delivery(&Scope::Platform, id, self.now, None).await;
        match self.place(id) {
            Place::Ended(_) => super::assert_fails!(result, DeliveryEnded),
            place => {
                result.unwrap();
                if let Place::Held(held) = std::mem::replace(place, Place::Ended(Some(EndReason::ByHand))) {
                    self.stale.push(*held);
                }
            }
        }
    }

    async fn retry(&mut self, stage: &Stage) {
        let Some(id) = self.some_id(|_| true) else { return };
        let (now, new_id) = (self.now, stage.ids.delivery(self.now));
        let answer = stage.retry_delivery(&Scope::Platform, id, new_id, now, None).await.unwrap();
        let known = self.known.get_mut(&id).unwrap();
        let new = matches!(known.place, Place::Ended(_));
        assert_eq!(answer.id, if new { new_id } else { id }, "seed {}", self.seed);
        if new {
            let again = Known { place: Place::Due(now), attempts: 0, ..known.clone() };
            self.known.insert(new_id, again);
        } else if let Place::Due(at) = &mut known.place {
            *at = now.min(*at);
        }
    }

    async fn end(&mut self, stage: &Stage) {
        let (endpoint, limit) = (self.pick(3), self.pick(3));
        let id = self.endpoints[endpoint].id;
        let unheld = |known: &Known| known.endpoint_id == id && matches!(known.place, Place::Due(_));
        let waiting: Vec<_> =
            self.known.iter().filter(|(_, known)| unheld(known)).map(|(id, _)| *id).collect();
        let reason = EndReason::EndpointFailing;
        let ended = stage.end_deliveries(id, reason, self.now, limit).await.unwrap();
        assert_eq!(ended, waiting.len().min(limit), "seed {}", self.seed);
        let mut found = 0;
        for id in waiting {
            if stage.status(id).await.is_final() {
                found += 1;
                *self.place(id) = Place::Ended(Some(reason));
            }
        }
        assert_eq!(found, ended, "seed {}", self.seed);
    }

    async fn crash(&mut self, stage: &mut Stage) {
        stage.crash(self.now).await;
        for known in self.known.values_mut() {
            if let Place::Held(held) = &known.place {
                self.stale.push((**held).clone());
                known.place = Place::Due(self.now);
            }
        }
    }

    async fn check(&self, stage: &Stage) {
        let mut by_status: BTreeMap<&str, Vec<DeliveryId>> = BTreeMap::new();
        for (id, known) in self.known.iter().rev() {
            let (shown, attempts) = stage.shown(*id).await;
            let context = format!("seed {}: {known:?}", self.seed);
            assert_eq!(shown.status, known.status(), "{context}");
            assert_eq!(shown.end_reason, known.end_reason(), "{context}");
            assert_eq!(
                (shown.attempt_count, attempts.len()),
                (known.attempts, known.attempts as usize),
                "{context}"
            );
            by_status.entry(shown.status.as_str()).or_default().push(*id);
        }
        let mine = location(&format!("of{}", self.seed));
        for status in Status::ALL {
            let filter = DeliveryFilter { status: Some(*status), ..Default::default() };
            let expected = by_status.get(status.as_str()).cloned().unwrap_or_default();
            assert_eq!(
                stage.deliveries_in(&mine, filter, 7).await,
                expected,
                "seed {}: {status:?}",
                self.seed
            );
        }
        let filter = EventFilter { undelivered_only: true, ..Default::default() };
        assert_eq!(stage.events_in(&mine, filter, 7).await, self.undelivered(), "seed {}", self.seed);
        let waiting = self.known.values().filter(|known| !known.status().is_final()).count();
        assert_eq!(stage.queue_length().await.unwrap(), waiting as u64, "seed {}", self.seed);
    }

    /// Newest first.
    fn undelivered(&self) -> Vec<EventId> {
        let succeeded: BTreeSet<_> = self
            .known
            .values()
            .filter(|known| known.status() == Status::Succeeded)
            .map(|known| (known.event_id, known.endpoint_id))
            .collect();
        let lacks = |id: EventId, meant: &BTreeSet<EndpointId>| {
            meant.iter().any(|endpoint_id| !succeeded.contains(&(id, *endpoint_id)))
        };
        self.events.iter().rev().filter(|(id, meant)| lacks(**id, meant)).map(|(id, _)| *id).collect()
    }
}

impl Known {
    fn status(&self) -> Status {
        match (&self.place, self.attempts) {
            (Place::Held(_), _) => Status::Delivering,
            (Place::Due(_), 0) => Status::Pending,
            (Place::Due(_), _) => Status::Retrying,
            (Place::Ended(None), _) => Status::Succeeded,
            (Place::Ended(Some(reason)), _) => reason.status(),
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.place, Place::Due(at) if at <= now)
    }

    fn end_reason(&self) -> Option<EndReason> {
        match self.place {
            Place::Ended(reason) => reason,
            _ => None,
        }
    }
}

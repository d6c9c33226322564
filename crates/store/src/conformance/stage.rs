//! What the cases stand on: one instance of a backend, seeded ids, fixed times, and short words for the long calls.
//! It checks nothing of its own beyond that a call succeeded.

use std::fmt::Debug;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use domain::attempt::{Attempt, Response, Timings};
use domain::delivery::{Delivery, Status, Trigger};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, SkipReason, Visibility};
use domain::health::Receiver;
use domain::id::{DeliveryId, EndpointId, EventId, IdSource};
use domain::location::Location;
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;

use super::{Backend, Instance};
use crate::deliveries::{DeliveryFilter, ListedDelivery};
use crate::events::{EventFilter, Hold, NewDelivery, Publication};
use crate::page::{Page, PageRequest};
use crate::queue::{Claim, ClaimedDelivery, Granted, Record, Recorded, Want};
use crate::vault::Vault;
use crate::{Store, StoreError};

/// When every case begins: 2023-11-14T22:13:20Z, less than two hours before a day ends.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const DAY_S: i64 = 86_400;
/// More pages than any case has rows.
const PAGES_MAX: usize = 10_000;

/// `NOW` and so many seconds.
pub(super) fn at(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

pub(super) fn location(id: &str) -> Scope {
    Scope::Location(id.parse().unwrap())
}
pub(super) fn company(id: &str) -> Scope {
    Scope::Company(id.parse().unwrap())
}
pub(super) fn app(id: &str) -> Scope {
    Scope::App(id.parse().unwrap())
}

/// Whose objects are `scope`'s own.
pub(super) fn owner(scope: &Scope) -> Owner {
    match scope {
        Scope::Location(id) => Owner::Location(id.clone()),
        Scope::Company(id) => Owner::Company(id.clone()),
        Scope::App(id) => Owner::App(id.clone()),
        Scope::Platform => panic!("the platform owns no endpoints"),
    }
}

/// A store that answers, and what a case needs beside it.
pub struct Stage {
    instance: Box<dyn Instance>,
    store: Arc<dyn Store>,
    pub(super) ids: Arc<IdSource>,
}

impl Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Deref for Stage {
    type Target = dyn Store;
    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Stage {
    pub async fn open(backend: &dyn Backend) -> Self {
        let instance = backend.fresh(NOW).await;
        Self { store: instance.store(), instance, ids: Arc::new(IdSource::seeded(7)) }
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Another live process, or this one again where there can be no other.
    pub(super) async fn second(&self) -> Arc<dyn Store> {
        self.instance.second(NOW).await.unwrap_or_else(|| self.store())
    }

    pub(super) fn opens_with(&mut self, vault: Vault) {
        self.instance.opens_with(vault);
    }

    pub(super) async fn crash(&mut self, now: Timestamp) {
        self.instance.crash_and_reopen(now).await;
        self.store = self.instance.store();
    }

    pub(super) async fn restart(&mut self, now: Timestamp) {
        self.instance.close_and_reopen(now).await;
        self.store = self.instance.store();
    }

    /// An enabled endpoint that wants everything, not stored yet.
    pub(super) fn new_endpoint(&self, whose: &Scope) -> Endpoint {
        let id = self.ids.endpoint(NOW);
        Endpoint {
            id,
            owner: owner(whose),
            url: "https://hooks.example.com/in".into(),
            description: String::new(),
            subscription: Subscription::All,
            headers: Vec::new(),
            retry_schedule: None,
            skip_own_events: false,
            state: EndpointState::Enabled { since: NOW },
            secrets: Secrets::new(SecretText::new(format!("whsec_{id}"))),
            created_at: id.created_at(),
            updated_at: id.created_at(),
        }
    }

    pub(super) async fn endpoint(&self, whose: &Scope) -> Arc<Endpoint> {
        self.create_endpoint(&Scope::Platform, self.new_endpoint(whose), 1_000, None).await.unwrap()
    }

    /// By the engine, on what its receiver answered. `endpoint`: as it was when that was asked.
    pub(super) async fn disable(&self, endpoint: &Endpoint, reason: DisabledReason, now: Timestamp) {
        let asked = Receiver::of(endpoint).unwrap();
        self.disable_endpoint(endpoint.id, asked, reason, now).await.unwrap();
    }

    pub(super) async fn register_location(&self, id: &str, company_id: Option<&str>) -> Location {
        let company_id = company_id.map(|id| id.parse().unwrap());
        let location = Location { id: id.parse().unwrap(), name: None, company_id };
        self.put_location(&Scope::Platform, location, NOW).await.unwrap()
    }

    /// Publishes one event.
    pub(super) async fn send(&self, draft: Draft<'_>) -> Sent {
        let publication = draft.make(&self.ids);
        let claim = self.publish(vec![publication.clone()], None).await.unwrap();
        Sent::new(&publication, claim)
    }

    /// Publishes one event to `endpoint`, held by this process.
    pub(super) async fn held(&self, endpoint: &Endpoint) -> ClaimedDelivery {
        self.send(Draft::at(NOW).held_for(endpoint)).await.delivery()
    }

    /// Publishes one event to `endpoint`, held by nobody and due at once.
    pub(super) async fn queued(&self, endpoint: &Endpoint) -> ClaimedDelivery {
        self.send(Draft::at(NOW).queued_for(endpoint)).await.delivery()
    }

    /// Publishes one event to `endpoint` and records one attempt with this verdict, made now.
    pub(super) async fn ended(&self, endpoint: &Endpoint, verdict: Verdict) -> ClaimedDelivery {
        let delivery = self.held(endpoint).await;
        self.record_at(&delivery, verdict, NOW).await;
        delivery
    }

    pub(super) async fn claim_up_to(&self, endpoint: &Endpoint, limit: usize, now: Timestamp) -> Granted {
        let granted = self.claim(vec![Want { endpoint_id: endpoint.id, limit }], now).await.unwrap();
        assert_eq!(granted.len(), 1, "one answer per wish");
        granted.into_iter().next().unwrap()
    }

    pub(super) async fn claim_all(&self, endpoint: &Endpoint, now: Timestamp) -> Vec<ClaimedDelivery> {
        self.claim_up_to(endpoint, 1_000, now).await.deliveries
    }

    /// The one delivery of the endpoint that is due.
    pub(super) async fn claim_one(&self, endpoint: &Endpoint, now: Timestamp) -> ClaimedDelivery {
        let mut deliveries = self.claim_all(endpoint, now).await;
        assert_eq!(deliveries.len(), 1, "due: {deliveries:?}");
        deliveries.remove(0)
    }

    /// An attempt that took 83 ms, begun at `started_at`, that went as `verdict` says.
    pub(super) fn attempt(&self, number: u32, verdict: Verdict, started_at: Timestamp) -> Attempt {
        let succeeded = verdict == Verdict::Succeeded;
        Attempt {
            id: self.ids.attempt(started_at),
            number,
            started_at,
            duration_ms: 83,
            outcome: if succeeded { Outcome::Succeeded } else { Outcome::HttpError },
            status_code: Some(if succeeded { 200 } else { 503 }),
            error: (!succeeded).then(|| "the receiver answered 503".to_owned()),
            remote_address: Some("203.0.113.7:443".to_owned()),
            request_headers: [("content-type", "application/json")].into_iter().collect(),
            response: Some(Response { body: Bytes::from_static(b"ok"), ..Response::default() }),
            timings: Timings { wait_ms: Some(50), ..Timings::default() },
        }
    }

    pub(super) fn outcome(&self, delivery: &ClaimedDelivery, verdict: Verdict, at: Timestamp) -> Record {
        let attempt = self.attempt(delivery.attempt_count + 1, verdict, at);
        Record { delivery: Arc::new(delivery.clone()), attempt: Arc::new(attempt), verdict }
    }

    pub(super) async fn record_one(&self, record: Record) -> Recorded {
        let recorded = self.record(vec![record]).await.unwrap();
        assert_eq!(recorded.len(), 1, "one answer per record");
        recorded[0]
    }

    /// Records an attempt whose claim holds, begun at `at`; the attempt.
    pub(super) async fn record_at(
        &self,
        delivery: &ClaimedDelivery,
        verdict: Verdict,
        at: Timestamp,
    ) -> Attempt {
        let record = self.outcome(delivery, verdict, at);
        let attempt = record.attempt.clone();
        assert_eq!(self.record_one(record).await, Recorded::Applied);
        Arc::unwrap_or_clone(attempt)
    }

    /// What the log shows to the platform.
    pub(super) async fn shown(&self, id: DeliveryId) -> (Delivery, Vec<Attempt>) {
        self.delivery(&Scope::Platform, id).await.unwrap()
    }

    pub(super) async fn status(&self, id: DeliveryId) -> Status {
        self.shown(id).await.0.status
    }

    /// A listing gone through to its end, `limit` rows at a time; checks that pages keep their limit and their order.
    pub(super) async fn events_in(&self, scope: &Scope, filter: EventFilter, limit: usize) -> Vec<EventId> {
        let page = |request| self.list_events(scope, filter.clone(), request);
        all_rows(limit, page, |event: &Event| event.id.bits()).await.iter().map(|event| event.id).collect()
    }

    pub(super) async fn events_seen(&self, scope: &Scope) -> Vec<EventId> {
        self.events_in(scope, EventFilter::default(), 50).await
    }

    pub(super) async fn deliveries_in(
        &self,
        scope: &Scope,
        filter: DeliveryFilter,
        limit: usize,
    ) -> Vec<DeliveryId> {
        let page = |request| self.list_deliveries(scope, filter.clone(), request);
        let rows = all_rows(limit, page, |listed: &ListedDelivery| listed.delivery.id.bits()).await;
        rows.iter().map(|listed| listed.delivery.id).collect()
    }

    pub(super) async fn deliveries_seen(&self, scope: &Scope) -> Vec<DeliveryId> {
        self.deliveries_in(scope, DeliveryFilter::default(), 50).await
    }
}

/// Goes through a listing, page by page, to its end. Every page keeps its limit, and rows come newest first, each once.
pub(super) async fn all_rows<T, F>(
    limit: usize,
    page: impl Fn(PageRequest) -> F,
    bits: impl Fn(&T) -> u128,
) -> Vec<T>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut rows: Vec<T> = Vec::new();
    let mut before = None;
    for _ in 0..PAGES_MAX {
        let Page { rows: more, next } = page(PageRequest { limit, before }).await.unwrap();
        assert!(more.len() <= limit, "a page of {limit} holds {} rows", more.len());
        let seen = rows.len();
        rows.extend(more);
        let order: Vec<u128> = rows[seen.saturating_sub(1)..].iter().map(&bits).collect();
        assert!(order.is_sorted_by(|newer, older| newer > older), "newest first, each once");
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(before, None, "the listing does not end");
    rows
}

/// An event to be published, and to whom.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    made_at: Timestamp,
    type_name: &'a str,
    /// Whose it is, then what else it names.
    scopes: Vec<Scope>,
    payload: Bytes,
    to: Vec<(EndpointId, Result<Hold, SkipReason>)>,
}

impl<'a> Draft<'a> {
    /// A `ContactCreate` made at `made_at`, of no location.
    pub(super) fn at(made_at: Timestamp) -> Self {
        let payload = Bytes::from_static(br#"{"type":"ContactCreate","id":"c1"}"#);
        Self { made_at, type_name: "ContactCreate", scopes: Vec::new(), payload, to: Vec::new() }
    }
    pub(super) fn of_type(self, type_name: &'a str) -> Self {
        Self { type_name, ..self }
    }
    /// Carries the id of this location, company or app. It is the event's own if it is the first.
    pub(super) fn of(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }
    pub(super) fn payload(self, payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), ..self }
    }
    pub(super) fn held_for(mut self, endpoint: &Endpoint) -> Self {
        self.to.push((endpoint.id, Ok(Hold::Claimed)));
        self
    }
    pub(super) fn queued_for(mut self, endpoint: &Endpoint) -> Self {
        self.to.push((endpoint.id, Ok(Hold::Unclaimed)));
        self
    }
    pub(super) fn skipping(mut self, endpoint: &Endpoint, reason: SkipReason) -> Self {
        self.to.push((endpoint.id, Err(reason)));
        self
    }

    pub(super) fn make(self, ids: &IdSource) -> Publication {
        let wanted = self.to.iter().filter(|(_, fate)| fate.is_ok()).count();
        let (id, delivery_ids) = ids.event_with_deliveries(self.made_at, wanted);
        let mut delivery_ids = delivery_ids.into_iter();
        let mut event = Event {
            id,
            type_name: self.type_name.into(),
            scope: match self.scopes.first() {
                Some(Scope::Company(_)) => EventScope::Company,
                Some(Scope::App(_)) => EventScope::App,
                _ => EventScope::Location,
            },
            location_id: None,
            company_id: None,
            app_id: None,
            payload: self.payload,
            visibility: Visibility::Listed,
            considered: Vec::new(),
        };
        for scope in self.scopes {
            match scope {
                Scope::Location(id) => event.location_id = Some(id),
                Scope::Company(id) => event.company_id = Some(id),
                Scope::App(id) => event.app_id = Some(id),
                Scope::Platform => panic!("no event is the platform's"),
            }
        }
        let mut deliveries = Vec::new();
        for (endpoint_id, fate) in self.to {
            let fate = match fate {
                Ok(hold) => {
                    let id = delivery_ids.next().unwrap();
                    deliveries.push(NewDelivery { id, endpoint_id, hold });
                    Fate::Delivery(id)
                }
                Err(reason) => Fate::Skipped(reason),
            };
            event.considered.push(Considered { endpoint_id, fate });
        }
        Publication { event, deliveries }
    }
}

/// A published event with its deliveries as the publishing process knows them.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) event: Event,
    pub(super) deliveries: Vec<ClaimedDelivery>,
}

impl Sent {
    pub(super) fn new(Publication { event, deliveries }: &Publication, claim: Claim) -> Self {
        let deliveries = deliveries.iter().map(|delivery| ClaimedDelivery {
            id: delivery.id,
            event_id: event.id,
            endpoint_id: delivery.endpoint_id,
            type_name: event.type_name.clone(),
            location_id: event.location_id.clone(),
            trigger: Trigger::Event,
            retry_of: None,
            attempt_count: 0,
            claim,
            payload: event.payload.clone(),
        });
        Self { event: event.clone(), deliveries: deliveries.collect() }
    }

    /// The first delivery.
    pub(super) fn delivery(&self) -> ClaimedDelivery {
        self.deliveries[0].clone()
    }
}

//! What people and their programs do meanwhile, each through the store and the engine as the API does it.

use std::sync::Arc;

use bytes::Bytes;
use domain::endpoint::{Endpoint, EndpointPatch, EndpointState, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, Visibility};
use domain::id::{DeliveryId, EndpointId};
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::{Clock as _, Timestamp};
use hoopoe_delivery::Engine;
use store::deliveries::Deliveries as _;
use store::endpoints::Endpoints as _;
use store::events::{Events as _, Hold, NewDelivery, Publication};
use store::queue::{Claim, ClaimedDelivery, Due};
use store::{Store as _, StoreError};

use crate::plan::Action;
use crate::support::FakeStore;
use crate::world::World;

const PAYLOAD: &[u8] = b"{\"type\":\"ContactCreate\"}";

/// Whoever calls the process that lives now.
#[derive(Debug, Clone)]
pub(crate) struct People {
    pub(crate) world: Arc<World>,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) engine: Engine,
}

impl People {
    pub(crate) async fn act(self, action: Action) {
        let _ = match action {
            Action::Publish(bits, events) => self.publish(bits, events).await,
            Action::Cancel => self.cancel().await,
            Action::Retry => self.retry().await,
            Action::Test(place) => self.test(place).await,
            Action::Delete(place) => self.delete(place).await,
            Action::Enable(place) => {
                let patch = EndpointPatch { enabled: Some(true), ..EndpointPatch::default() };
                self.change(place, patch).await
            }
            Action::Disable(place) => {
                let patch = EndpointPatch { enabled: Some(false), ..EndpointPatch::default() };
                self.change(place, patch).await
            }
            Action::Move(place) => {
                let url = format!("https://e{place}-{}.example/", self.world.seen().pick(100));
                self.change(place, EndpointPatch { url: Some(url.into()), ..EndpointPatch::default() }).await
            }
            Action::Reschedule(place, waits) => {
                {
                    let mut seen = self.world.seen();
                    seen.waits = (seen.waits.0.max(waits), seen.waits.1.min(waits));
                }
                let schedule = Some(Some(vec![3; waits]));
                self.change(place, EndpointPatch { retry_schedule: schedule, ..EndpointPatch::default() })
                    .await
            }
            other => unreachable!("{other:?} is no person's"),
        };
    }

    fn now(&self) -> Timestamp {
        self.world.time.now()
    }

    async fn publish(&self, bits: u8, events: usize) -> Result<(), StoreError> {
        let ids: Vec<EndpointId> = self.world.seen().endpoints.clone();
        let chosen = ids.iter().enumerate().filter(|(place, _)| bits & (1 << (place % 8)) != 0);
        let endpoints: Vec<Arc<Endpoint>> = chosen
            .filter_map(|(_, id)| self.store.routes().endpoint(*id).filter(|endpoint| endpoint.is_enabled()))
            .collect();
        let (mut publications, mut places) = (Vec::new(), Places::new(&self.engine));
        for _ in 0..events {
            publications.push(self.publication(&endpoints, &mut places));
        }
        let ids: Vec<DeliveryId> =
            publications.iter().flat_map(|one| one.deliveries.iter().map(|delivery| delivery.id)).collect();
        let claim = self.store.publish(publications, None).await?;
        places.hand_over(claim);
        self.world.step().await;
        let mut seen = self.world.seen();
        seen.say(format_args!("{} are acknowledged", ids.len()));
        seen.acknowledged.extend(ids);
        Ok(())
    }

    fn publication(&self, endpoints: &[Arc<Endpoint>], places: &mut Places) -> Publication {
        let (id, delivery_ids) = self.world.ids.event_with_deliveries(self.now(), endpoints.len());
        let mut event = Event {
            id,
            type_name: "ContactCreate".into(),
            scope: EventScope::Location,
            location_id: None,
            company_id: None,
            app_id: None,
            payload: Bytes::from_static(PAYLOAD),
            visibility: Visibility::Listed,
            considered: Vec::new(),
        };
        let mut deliveries = Vec::new();
        for (endpoint, id) in endpoints.iter().zip(delivery_ids) {
            event.considered.push(Considered { endpoint_id: endpoint.id, fate: Fate::Delivery(id) });
            deliveries.push(NewDelivery {
                id,
                endpoint_id: endpoint.id,
                hold: places.reserve(endpoint, id, &event),
            });
        }
        Publication { event, deliveries }
    }

    fn some_delivery(&self) -> Option<DeliveryId> {
        let mut seen = self.world.seen();
        let count = seen.acknowledged.len();
        let place = seen.pick(count);
        seen.acknowledged.iter().nth(place).copied()
    }

    async fn cancel(&self) -> Result<(), StoreError> {
        let Some(id) = self.some_delivery() else { return Ok(()) };
        let cancelled = self.store.cancel_delivery(&Scope::Platform, id, self.now(), None).await?;
        self.engine.cancelled(cancelled.endpoint_id, id);
        let mut seen = self.world.seen();
        let name = seen.delivery(id);
        seen.say(format_args!("{name} was cancelled, and the engine told"));
        // The engine cannot forget what it has not heard of yet.
        if !seen.unheard.contains(&id) {
            let told_ms = seen.elapsed_ms();
            seen.cancelled.insert(id, told_ms);
        }
        Ok(())
    }

    async fn retry(&self) -> Result<(), StoreError> {
        let Some(id) = self.some_delivery() else { return Ok(()) };
        let (now, new_id) = (self.now(), self.world.ids.delivery(self.now()));
        let retried = self.store.retry_delivery(&Scope::Platform, id, new_id, now, None).await?;
        self.engine.stored(Due { endpoint_id: retried.endpoint_id, due_at: now });
        self.world.seen().acknowledged.insert(retried.id);
        Ok(())
    }

    async fn test(&self, place: usize) -> Result<(), StoreError> {
        let id = self.world.seen().endpoints[place];
        let Some(endpoint) = self.store.routes().endpoint(id) else { return Ok(()) };
        let now = self.now();
        let (event_id, delivery_id) = (self.world.ids.event(now), self.world.ids.delivery(now));
        self.world.seen().tests.insert(delivery_id);
        let payload = Bytes::from_static(PAYLOAD);
        self.engine.test(endpoint, event_id, delivery_id, "ContactCreate".into(), payload).await;
        Ok(())
    }

    async fn change(&self, place: usize, patch: EndpointPatch) -> Result<(), StoreError> {
        let id = self.world.seen().endpoints[place];
        let changed = self.store.update_endpoint(&Scope::Platform, id, patch, self.now(), None).await?;
        self.world.seen().say(format_args!("e{place} is changed: {} {:?}", changed.url, changed.state));
        self.engine.endpoint_changed(id);
        Ok(())
    }

    async fn delete(&self, place: usize) -> Result<(), StoreError> {
        let id = self.world.seen().endpoints[place];
        self.store.delete_endpoint(&Scope::Platform, id, self.now()).await?;
        self.world.seen().say(format_args!("e{place} is deleted"));
        self.engine.endpoint_changed(id);
        Ok(())
    }
}

/// Places in the engine that a publication has reserved: given back unless they are used.
struct Places {
    engine: Engine,
    reserved: Vec<ClaimedDelivery>,
    unclaimed: Vec<Due>,
}

impl Places {
    fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), reserved: Vec::new(), unclaimed: Vec::new() }
    }

    fn reserve(&mut self, endpoint: &Arc<Endpoint>, id: DeliveryId, event: &Event) -> Hold {
        if !self.engine.reserve(endpoint, event.payload.len()) {
            self.unclaimed.push(Due { endpoint_id: endpoint.id, due_at: event.created_at() });
            return Hold::Unclaimed;
        }
        self.reserved.push(ClaimedDelivery {
            id,
            event_id: event.id,
            endpoint_id: endpoint.id,
            type_name: event.type_name.clone(),
            location_id: None,
            trigger: domain::delivery::Trigger::Event,
            retry_of: None,
            attempt_count: 0,
            claim: Claim(0),
            payload: event.payload.clone(),
        });
        Hold::Claimed
    }

    fn hand_over(&mut self, claim: Claim) {
        for delivery in std::mem::take(&mut self.reserved) {
            self.engine.hand_over(ClaimedDelivery { claim, ..delivery });
        }
        self.unclaimed.iter().for_each(|due| self.engine.stored(*due));
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for delivery in &self.reserved {
            self.engine.give_back(delivery.endpoint_id, delivery.payload.len());
        }
    }
}

/// The endpoint of the place `n`, stored before anything begins.
pub(crate) fn endpoint(world: &World, n: usize) -> Endpoint {
    let now = world.time.now();
    Endpoint {
        id: world.ids.endpoint(now),
        owner: Owner::Location(format!("loc{n}").parse().expect("a location id")),
        url: format!("https://e{n}.example/").into(),
        description: String::new(),
        subscription: Subscription::All,
        headers: Vec::new(),
        retry_schedule: None,
        skip_own_events: false,
        state: EndpointState::Enabled { since: now },
        secrets: Secrets::new(SecretText::new("0123456789abcdef".to_owned())),
        created_at: now,
        updated_at: now,
    }
}

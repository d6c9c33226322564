//! Endpoints, deliveries and events, as far as the queue's rules depend on them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::attempt::Attempt;
use domain::delivery::{Delivery, Status};
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch, EndpointState};
use domain::event::Event;
use domain::health::Receiver;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::scope::Scope;
use domain::time::Timestamp;
use store::StoreError;
use store::deliveries::{Deliveries, DeliveryFilter, ListedDelivery};
use store::endpoints::{EndpointFilter, Endpoints, Rotation};
use store::events::{EventFilter, Events, Publication};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};
use store::queue::Claim;

use super::fake_store::{Call, FakeStore};
use super::model::{Change, State};

type Answer<T> = Result<T, StoreError>;

impl FakeStore {
    /// The endpoint, if it is in the caller's world and not deleted.
    fn found(&self, scope: &Scope, id: EndpointId) -> Answer<Arc<Endpoint>> {
        let table = self.routes.read();
        let endpoint = table.endpoint(id).filter(|endpoint| table.sees(scope, &endpoint.owner));
        endpoint.cloned().ok_or(StoreError::NotFound)
    }

    /// Whether the endpoint's deliveries are in the caller's world, also after its end.
    fn sees(&self, scope: &Scope, state: &State, id: EndpointId) -> bool {
        let owner = state.endpoints.get(&id).map(|endpoint| &endpoint.owner);
        owner.is_some_and(|owner| self.routes.read().sees(scope, owner))
    }

    fn shown(&self, scope: &Scope, state: &State, id: DeliveryId) -> Answer<Delivery> {
        let shown = state.shown(id)?;
        if self.sees(scope, state, shown.endpoint_id) { Ok(shown) } else { Err(StoreError::NotFound) }
    }

    async fn change_endpoint(
        &self,
        scope: &Scope,
        id: EndpointId,
        change: impl FnOnce(&Endpoint) -> Endpoint + Send,
    ) -> Answer<Arc<Endpoint>> {
        self.reach(Call::ByHand, |state| {
            let changed = change(&*self.found(scope, id)?);
            Ok(self.put_endpoint_in(state, changed))
        })
        .await
    }
}

#[async_trait]
impl Endpoints for FakeStore {
    async fn create_endpoint(
        &self,
        _: &Scope,
        endpoint: Endpoint,
        _: usize,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        self.reach(Call::ByHand, |state| Ok(self.put_endpoint_in(state, endpoint))).await
    }
    async fn endpoint(&self, scope: &Scope, id: EndpointId) -> Answer<Arc<Endpoint>> {
        self.found(scope, id)
    }
    async fn list_endpoints(
        &self,
        _: &Scope,
        _: EndpointFilter,
        _: PageRequest,
    ) -> Answer<Page<Arc<Endpoint>>> {
        unreachable!()
    }
    async fn update_endpoint(
        &self,
        scope: &Scope,
        id: EndpointId,
        patch: EndpointPatch,
        now: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        self.change_endpoint(scope, id, |endpoint| patch.apply(endpoint, now)).await
    }
    async fn delete_endpoint(&self, scope: &Scope, id: EndpointId, now: Timestamp) -> Answer<()> {
        let state = EndpointState::Deleted { since: now };
        self.change_endpoint(scope, id, |endpoint| Endpoint { state, ..endpoint.clone() }).await.map(drop)
    }
    async fn disable_endpoint(
        &self,
        id: EndpointId,
        asked: Receiver,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Answer<()> {
        self.reach(Call::Disable, |state| {
            let endpoint = self.found(&Scope::Platform, id)?;
            if asked.is_of(&endpoint) {
                state.changes.push(Change::Disabled(Arc::clone(&endpoint), reason));
                let disabled = EndpointState::Disabled { reason, since: now };
                self.put_endpoint_in(state, Endpoint { state: disabled, ..(*endpoint).clone() });
            }
            Ok(())
        })
        .await
    }
    async fn rotate_secret(
        &self,
        _: &Scope,
        _: EndpointId,
        _: Rotation,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unreachable!()
    }
    async fn promote_secret(
        &self,
        _: &Scope,
        _: EndpointId,
        _: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unreachable!()
    }
}

#[async_trait]
impl Deliveries for FakeStore {
    async fn delivery(&self, scope: &Scope, id: DeliveryId) -> Answer<(Delivery, Vec<Attempt>)> {
        self.reach(Call::Read, |state| {
            let attempts = state.attempts.get(&id).cloned().unwrap_or_default();
            Ok((self.shown(scope, state, id)?, attempts))
        })
        .await
    }
    /// By scope and status, which is what the suite's histories ask for.
    async fn list_deliveries(
        &self,
        scope: &Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Answer<Page<ListedDelivery>> {
        self.reach(Call::Read, |state| {
            let ids = state.rows.keys().chain(state.ended.keys());
            let shown = ids.filter_map(|id| self.shown(scope, state, *id).ok());
            let fits = |status: Status| filter.status.is_none_or(|wanted| wanted == status);
            let listed = shown.filter(|shown| fits(shown.status)).map(|delivery| {
                let attempts = state.attempts.get(&delivery.id);
                let last_attempt = attempts.and_then(|attempts| attempts.last()).map(Attempt::head);
                ListedDelivery { delivery, last_attempt }
            });
            Ok(one_page(listed.collect(), |listed| listed.delivery.id.bits(), page))
        })
        .await
    }
    async fn deliveries_of(&self, scope: &Scope, event_id: EventId) -> Answer<Vec<Delivery>> {
        self.reach(Call::Read, |state| {
            let ids: BTreeSet<DeliveryId> = state.rows.keys().chain(state.ended.keys()).copied().collect();
            let shown = ids.into_iter().filter_map(|id| self.shown(scope, state, id).ok());
            Ok(shown.filter(|shown| shown.event_id == event_id).collect())
        })
        .await
    }
    async fn retry_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        self.reach(Call::ByHand, |state| {
            self.shown(scope, state, id)?;
            state.retry(id, new_id, now)
        })
        .await
    }
    async fn cancel_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        now: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        self.reach(Call::ByHand, |state| {
            self.shown(scope, state, id)?;
            state.cancel(id, now)
        })
        .await
    }
}

#[async_trait]
impl Events for FakeStore {
    async fn publish(&self, publications: Vec<Publication>, _: MaybeOnce<()>) -> Answer<Claim> {
        self.reach(Call::Publish, |state| Ok(state.publish(publications))).await
    }
    async fn event(&self, _: &Scope, id: EventId) -> Answer<Event> {
        self.reach(Call::Read, |state| state.events.get(&id).cloned().ok_or(StoreError::NotFound)).await
    }
    /// Of a location, or all of them.
    async fn list_events(
        &self,
        scope: &Scope,
        filter: EventFilter,
        page: PageRequest,
    ) -> Answer<Page<Event>> {
        self.reach(Call::Read, |state| {
            let seen = |event: &&Event| match scope {
                Scope::Location(id) => event.location_id.as_ref() == Some(id),
                _ => true,
            };
            let fits = |event: &&Event| !filter.undelivered_only || is_undelivered(state, event);
            let events = state.events.values().filter(seen).filter(fits).cloned().collect();
            Ok(one_page(events, |event| event.id.bits(), page))
        })
        .await
    }
}

fn is_undelivered(state: &State, event: &Event) -> bool {
    event.considered.iter().any(|considered| {
        !state.ended.values().any(|ended| {
            ended.reason.is_none()
                && (ended.delivery.event_id, ended.delivery.endpoint_id) == (event.id, considered.endpoint_id)
        })
    })
}

fn one_page<T>(mut rows: Vec<T>, bits: impl Fn(&T) -> u128, page: PageRequest) -> Page<T> {
    rows.retain(|row| page.before.is_none_or(|before| bits(row) < before));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(bits(row)));
    let is_cut = rows.len() > page.limit;
    rows.truncate(page.limit);
    let next = rows.last().filter(|_| is_cut).map(bits);
    Page { rows, next }
}

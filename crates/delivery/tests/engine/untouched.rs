//! The methods of a store that the engine has no business with, and the one of these traits that it has.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::ApiKey;
use domain::app::{App, InstallTarget};
use domain::attempt::Attempt;
use domain::delivery::Delivery;
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch, EndpointState};
use domain::event::Event;
use domain::id::{ApiKeyId, DeliveryId, EndpointId, EventId};
use domain::location::{AppId, Location, LocationId};
use domain::scope::Scope;
use domain::time::Timestamp;
use store::StoreError;
use store::api_keys::ApiKeys;
use store::deliveries::{Deliveries, DeliveryFilter};
use store::endpoints::{EndpointFilter, Endpoints, Rotation};
use store::events::{EventFilter, Events, Publication};
use store::once::{Answers, KeptAnswer, MaybeOnce, OnceKey};
use store::page::{Page, PageRequest};
use store::queue::Claim;
use store::tenants::{InstallChange, Tenants};

use crate::fake_store::FakeStore;

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl Endpoints for FakeStore {
    async fn disable_endpoint(&self, id: EndpointId, reason: DisabledReason, now: Timestamp) -> Answer<()> {
        self.reach(|_| self.set_state(id, EndpointState::Disabled { reason, since: now }))
    }
    async fn create_endpoint(
        &self,
        _: &Scope,
        _: Endpoint,
        _: usize,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unreachable!()
    }
    async fn endpoint(&self, _: &Scope, _: EndpointId) -> Answer<Arc<Endpoint>> {
        unreachable!()
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
        _: &Scope,
        _: EndpointId,
        _: EndpointPatch,
        _: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unreachable!()
    }
    async fn delete_endpoint(&self, _: &Scope, _: EndpointId, _: Timestamp) -> Answer<()> {
        unreachable!()
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
    async fn delivery(&self, _: &Scope, _: DeliveryId) -> Answer<(Delivery, Vec<Attempt>)> {
        unreachable!()
    }
    async fn list_deliveries(&self, _: &Scope, _: DeliveryFilter, _: PageRequest) -> Answer<Page<Delivery>> {
        unreachable!()
    }
    async fn deliveries_of(&self, _: &Scope, _: EventId) -> Answer<Vec<Delivery>> {
        unreachable!()
    }
    async fn retry_delivery(
        &self,
        _: &Scope,
        _: DeliveryId,
        _: DeliveryId,
        _: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        unreachable!()
    }
    async fn cancel_delivery(
        &self,
        _: &Scope,
        _: DeliveryId,
        _: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        unreachable!()
    }
}

#[async_trait]
impl Events for FakeStore {
    async fn publish(&self, _: Vec<Publication>, _: MaybeOnce<()>) -> Answer<Claim> {
        unreachable!()
    }
    async fn event(&self, _: &Scope, _: EventId) -> Answer<Event> {
        unreachable!()
    }
    async fn list_events(&self, _: &Scope, _: EventFilter, _: PageRequest) -> Answer<Page<Event>> {
        unreachable!()
    }
}

#[async_trait]
impl Tenants for FakeStore {
    async fn put_location(&self, _: &Scope, _: Location, _: Timestamp) -> Answer<Location> {
        unreachable!()
    }
    async fn location(&self, _: &Scope, _: &LocationId) -> Answer<Location> {
        unreachable!()
    }
    async fn delete_location(&self, _: &Scope, _: &LocationId) -> Answer<()> {
        unreachable!()
    }
    async fn put_app(&self, _: &Scope, _: App, _: Timestamp) -> Answer<App> {
        unreachable!()
    }
    async fn app(&self, _: &Scope, _: &AppId) -> Answer<App> {
        unreachable!()
    }
    async fn delete_app(&self, _: &Scope, _: &AppId) -> Answer<()> {
        unreachable!()
    }
    async fn install(&self, _: &Scope, _: InstallChange) -> Answer<Option<Claim>> {
        unreachable!()
    }
    async fn uninstall(&self, _: &Scope, _: InstallChange) -> Answer<Claim> {
        unreachable!()
    }
    async fn installs(&self, _: &Scope, _: &AppId, _: usize) -> Answer<Vec<InstallTarget>> {
        unreachable!()
    }
}

#[async_trait]
impl ApiKeys for FakeStore {
    async fn create_api_key(&self, _: &Scope, _: ApiKey, _: MaybeOnce<ApiKey>) -> Answer<ApiKey> {
        unreachable!()
    }
    async fn list_api_keys(&self, _: &Scope, _: PageRequest) -> Answer<Page<ApiKey>> {
        unreachable!()
    }
    async fn delete_api_key(&self, _: &Scope, _: ApiKeyId, _: Timestamp) -> Answer<()> {
        unreachable!()
    }
    fn api_key_by_hash(&self, _: &[u8; 32]) -> Option<Arc<ApiKey>> {
        unreachable!()
    }
    fn api_key_count(&self) -> usize {
        unreachable!()
    }
}

#[async_trait]
impl Answers for FakeStore {
    async fn kept_answer(&self, _: &OnceKey, _: Timestamp) -> Answer<Option<KeptAnswer>> {
        unreachable!()
    }
}

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
        unimplemented!()
    }
    async fn endpoint(&self, _: &Scope, _: EndpointId) -> Answer<Arc<Endpoint>> {
        unimplemented!()
    }
    async fn list_endpoints(
        &self,
        _: &Scope,
        _: EndpointFilter,
        _: PageRequest,
    ) -> Answer<Page<Arc<Endpoint>>> {
        unimplemented!()
    }
    async fn update_endpoint(
        &self,
        _: &Scope,
        _: EndpointId,
        _: EndpointPatch,
        _: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unimplemented!()
    }
    async fn delete_endpoint(&self, _: &Scope, _: EndpointId, _: Timestamp) -> Answer<()> {
        unimplemented!()
    }
    async fn rotate_secret(
        &self,
        _: &Scope,
        _: EndpointId,
        _: Rotation,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unimplemented!()
    }
    async fn promote_secret(
        &self,
        _: &Scope,
        _: EndpointId,
        _: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        unimplemented!()
    }
}

#[async_trait]
impl Deliveries for FakeStore {
    async fn delivery(&self, _: &Scope, _: DeliveryId) -> Answer<(Delivery, Vec<Attempt>)> {
        unimplemented!()
    }
    async fn list_deliveries(&self, _: &Scope, _: DeliveryFilter, _: PageRequest) -> Answer<Page<Delivery>> {
        unimplemented!()
    }
    async fn deliveries_of(&self, _: &Scope, _: EventId) -> Answer<Vec<Delivery>> {
        unimplemented!()
    }
    async fn retry_delivery(
        &self,
        _: &Scope,
        _: DeliveryId,
        _: DeliveryId,
        _: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        unimplemented!()
    }
    async fn cancel_delivery(
        &self,
        _: &Scope,
        _: DeliveryId,
        _: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        unimplemented!()
    }
}

#[async_trait]
impl Events for FakeStore {
    async fn publish(&self, _: Vec<Publication>, _: MaybeOnce<()>) -> Answer<Claim> {
        unimplemented!()
    }
    async fn event(&self, _: &Scope, _: EventId) -> Answer<Event> {
        unimplemented!()
    }
    async fn list_events(&self, _: &Scope, _: EventFilter, _: PageRequest) -> Answer<Page<Event>> {
        unimplemented!()
    }
}

#[async_trait]
impl Tenants for FakeStore {
    async fn put_location(&self, _: &Scope, _: Location, _: Timestamp) -> Answer<Location> {
        unimplemented!()
    }
    async fn location(&self, _: &Scope, _: &LocationId) -> Answer<Location> {
        unimplemented!()
    }
    async fn delete_location(&self, _: &Scope, _: &LocationId) -> Answer<()> {
        unimplemented!()
    }
    async fn put_app(&self, _: &Scope, _: App, _: Timestamp) -> Answer<App> {
        unimplemented!()
    }
    async fn app(&self, _: &Scope, _: &AppId) -> Answer<App> {
        unimplemented!()
    }
    async fn delete_app(&self, _: &Scope, _: &AppId) -> Answer<()> {
        unimplemented!()
    }
    async fn install(&self, _: &Scope, _: InstallChange) -> Answer<Option<Claim>> {
        unimplemented!()
    }
    async fn uninstall(&self, _: &Scope, _: InstallChange) -> Answer<Claim> {
        unimplemented!()
    }
    async fn installs(&self, _: &Scope, _: &AppId, _: usize) -> Answer<Vec<InstallTarget>> {
        unimplemented!()
    }
}

#[async_trait]
impl ApiKeys for FakeStore {
    async fn create_api_key(&self, _: &Scope, _: ApiKey, _: MaybeOnce<ApiKey>) -> Answer<ApiKey> {
        unimplemented!()
    }
    async fn list_api_keys(&self, _: &Scope, _: PageRequest) -> Answer<Page<ApiKey>> {
        unimplemented!()
    }
    async fn delete_api_key(&self, _: &Scope, _: ApiKeyId, _: Timestamp) -> Answer<()> {
        unimplemented!()
    }
    fn api_key_by_hash(&self, _: &[u8; 32]) -> Option<Arc<ApiKey>> {
        unimplemented!()
    }
    fn api_key_count(&self) -> usize {
        unimplemented!()
    }
}

#[async_trait]
impl Answers for FakeStore {
    async fn kept_answer(&self, _: &OnceKey, _: Timestamp) -> Answer<Option<KeptAnswer>> {
        unimplemented!()
    }
}

//! Test only: a store and an engine that do nothing, for what the API decides without them. What needs a real store is tested
//! through the binary.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;
use catalogue::Catalogue;
use domain::api_key::ApiKey;
use domain::app::{App, InstallTarget};
use domain::attempt::Attempt;
use domain::audit::{Action, AuditEntry, Object};
use domain::delivery::{Delivery, EndReason};
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch};
use domain::event::Event;
use domain::health::Receiver;
use domain::id::{ApiKeyId, DeliveryId, EndpointId, EventId, IdSource, SessionId};
use domain::location::{AppId, Location, LocationId};
use domain::scope::{Owner, Scope};
use domain::secret::SecretText;
use domain::session::Session;
use domain::tally::Window;
use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use store::api_keys::ApiKeys;
use store::audit::{Audit, AuditFilter, AuditNote};
use store::deliveries::{Deliveries, DeliveryFilter, ListedDelivery};
use store::endpoints::{EndpointFilter, Endpoints, Rotation};
use store::events::{EventFilter, Events, Publication};
use store::feed::{Feed, Listener};
use store::healths::{HealthNote, Healths};
use store::known::Known;
use store::maintenance::{Footprint, Maintenance, Swept};
use store::nodes::{Nodes, Step, Whole};
use store::once::{Answers, KeptAnswer, MaybeOnce, OnceKey};
use store::page::{Page, PageRequest};
use store::queue::{Claim, ClaimedDelivery, Due, Granted, Queue, Record, Recorded, Release, Waiting, Want};
use store::routes::Routes;
use store::sealing::{Resealed, Sealing};
use store::sessions::{LoginCode, Sessions};
use store::tallies::{Tallied, Tallies};
use store::tenants::{InstallChange, Tenants};
use store::vault::Vault;
use store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::engine::{Attempts, Engine, TestSend};
use crate::{Api, MasterKeys, Parts, RotateFault, Settings};

pub(crate) const KEY: &str = "hpk_0123456789abcdef0123456789abcdef";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Its calls fail with `Unavailable`, `ping` panics, and `publish` waits for `permits`.
#[derive(Debug)]
pub(crate) struct NoStore {
    pub(crate) routes: Routes,
    pub(crate) healths: Healths,
    pub(crate) feed: Arc<Feed>,
    pub(crate) permits: Semaphore,
    pub(crate) publish_fails: bool,
    /// How often it was asked for life.
    pub(crate) pings: AtomicUsize,
    pub(crate) keys: Vec<Arc<Known<ApiKey>>>,
}

impl Default for NoStore {
    fn default() -> Self {
        Self {
            routes: Routes::default(),
            healths: Healths::default(),
            feed: Arc::default(),
            permits: Semaphore::new(0),
            publish_fails: false,
            pings: AtomicUsize::new(0),
            keys: Vec::new(),
        }
    }
}

/// Notes what it is told.
#[derive(Debug, Default)]
pub(crate) struct NotingEngine {
    pub(crate) notes: Mutex<Vec<String>>,
}

/// A master key that the server may not change.
#[derive(Debug)]
struct ExternalKeys;

#[async_trait]
impl MasterKeys for ExternalKeys {
    async fn rotate(&self, _: MaybeOnce<usize>) -> Result<usize, RotateFault> {
        Err(RotateFault::External)
    }
}

/// Stands at [`NOW`] until it is moved.
#[derive(Debug, Default)]
pub(crate) struct StandingClock {
    pub(crate) moved_ms: AtomicI64,
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        NOW.plus_millis(self.moved_ms.load(Ordering::Relaxed))
    }
    fn sleep_until(&self, _: Timestamp) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        Box::pin(std::future::pending())
    }
}

pub(crate) fn api(store: Arc<NoStore>, engine: Arc<NotingEngine>) -> Arc<Api> {
    api_on(Arc::default(), store, engine)
}

pub(crate) fn api_on(clock: Arc<StandingClock>, store: Arc<NoStore>, engine: Arc<NotingEngine>) -> Arc<Api> {
    let settings = Settings { platform_key: Some(SecretText::new(KEY.to_owned())), ..Settings::new([7; 32]) };
    Api::new(Parts {
        settings,
        store,
        engine,
        master_keys: Arc::new(ExternalKeys),
        catalogue: Arc::new(Catalogue::builtin()),
        clock,
        ids: Arc::new(IdSource::seeded(1)),
    })
}

#[async_trait]
impl Engine for NotingEngine {
    fn reserve(&self, _: &Arc<Endpoint>, _: usize) -> bool {
        self.notes.lock().push("reserve".to_owned());
        true
    }
    fn hand_over(&self, delivery: ClaimedDelivery) {
        self.notes.lock().push(format!("hand over {}", delivery.claim.0));
    }
    fn give_back(&self, _: EndpointId, payload_bytes: usize) {
        self.notes.lock().push(format!("give back {payload_bytes}"));
    }
    fn stored(&self, _: Due) {}
    fn cancelled(&self, _: EndpointId, _: DeliveryId) {}
    fn endpoint_changed(&self, _: EndpointId) {}
    fn attempts(&self) -> Attempts {
        Attempts::default()
    }
    fn in_flight(&self) -> u64 {
        0
    }
    async fn test(&self, _: TestSend) -> Attempt {
        unreachable!("no test here sends")
    }
}

type Answer<T> = Result<T, StoreError>;

fn away<T>() -> Answer<T> {
    Err(StoreError::Unavailable { reason: "there is no store here".to_owned() })
}

impl Store for NoStore {
    fn routes(&self) -> &Routes {
        &self.routes
    }
    fn healths(&self) -> &Healths {
        &self.healths
    }
    fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }
    fn audited(self: Arc<Self>, _: AuditNote) -> Arc<dyn Store> {
        self
    }
}

#[async_trait]
impl Nodes for NoStore {
    fn living(&self) -> usize {
        1
    }
    async fn tell_step(&self, _: Step) -> Answer<()> {
        away()
    }
    async fn whole(&self, _: Timestamp) -> Answer<Whole> {
        away()
    }
    async fn listen(&self) -> Answer<Listener> {
        Ok(self.feed.listen())
    }
}

#[async_trait]
impl Audit for NoStore {
    async fn note(&self, _: Action, _: Option<Owner>, _: Object) -> Answer<()> {
        away()
    }
    async fn list_audit(&self, _: &Scope, _: AuditFilter, _: PageRequest) -> Answer<Page<AuditEntry>> {
        away()
    }
    async fn sweep_audit(&self, _: Timestamp) -> Answer<Swept> {
        away()
    }
}

#[async_trait]
impl Sessions for NoStore {
    async fn create_session(
        &self,
        _: &Scope,
        _: Session,
        _: LoginCode,
        _: usize,
        _: MaybeOnce<Session>,
    ) -> Answer<Session> {
        away()
    }
    async fn open_session(&self, _: [u8; 32], _: [u8; 32], _: Timestamp) -> Answer<Session> {
        away()
    }
    async fn session_of_code(&self, _: [u8; 32], _: Timestamp) -> Answer<Session> {
        away()
    }
    async fn list_sessions(&self, _: &Scope, _: Timestamp, _: PageRequest) -> Answer<Page<Session>> {
        away()
    }
    async fn delete_session(&self, _: &Scope, _: SessionId) -> Answer<()> {
        away()
    }
    fn session_by_hash(&self, _: &[u8; 32]) -> Option<Arc<Known<Session>>> {
        None
    }
}

#[async_trait]
impl ApiKeys for NoStore {
    async fn create_api_key(&self, _: &Scope, _: ApiKey, _: usize, _: MaybeOnce<ApiKey>) -> Answer<ApiKey> {
        away()
    }
    async fn list_api_keys(&self, _: &Scope, _: PageRequest) -> Answer<Page<ApiKey>> {
        away()
    }
    async fn delete_api_key(&self, _: &Scope, _: ApiKeyId, _: Timestamp) -> Answer<()> {
        away()
    }
    fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Known<ApiKey>>> {
        self.keys.iter().find(|key| key.value.hash == *hash).cloned()
    }
    async fn keep_uses(&self) -> Answer<()> {
        away()
    }
    fn api_key_count(&self) -> usize {
        self.keys.len()
    }
}

#[async_trait]
impl Deliveries for NoStore {
    async fn delivery(&self, _: &Scope, _: DeliveryId) -> Answer<(Delivery, Vec<Attempt>)> {
        away()
    }
    async fn list_deliveries(
        &self,
        _: &Scope,
        _: DeliveryFilter,
        _: PageRequest,
    ) -> Answer<Page<ListedDelivery>> {
        away()
    }
    async fn deliveries_of(&self, _: &Scope, _: EventId) -> Answer<Vec<Delivery>> {
        away()
    }
    async fn retry_delivery(
        &self,
        _: &Scope,
        _: DeliveryId,
        _: DeliveryId,
        _: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        away()
    }
    async fn cancel_delivery(
        &self,
        _: &Scope,
        _: DeliveryId,
        _: Timestamp,
        _: MaybeOnce<Delivery>,
    ) -> Answer<Delivery> {
        away()
    }
}

#[async_trait]
impl Endpoints for NoStore {
    async fn create_endpoint(
        &self,
        _: &Scope,
        _: Endpoint,
        _: usize,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        away()
    }
    async fn endpoint(&self, _: &Scope, id: EndpointId) -> Answer<Arc<Endpoint>> {
        self.routes.endpoint(id).ok_or(StoreError::NotFound)
    }
    async fn list_endpoints(
        &self,
        _: &Scope,
        _: EndpointFilter,
        _: PageRequest,
    ) -> Answer<Page<Arc<Endpoint>>> {
        away()
    }
    async fn update_endpoint(
        &self,
        _: &Scope,
        _: EndpointId,
        _: EndpointPatch,
        _: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        away()
    }
    async fn delete_endpoint(&self, _: &Scope, _: EndpointId, _: Timestamp) -> Answer<()> {
        away()
    }
    async fn disable_endpoint(
        &self,
        _: EndpointId,
        _: Receiver,
        _: DisabledReason,
        _: Timestamp,
    ) -> Answer<()> {
        away()
    }
    async fn rotate_secret(
        &self,
        _: &Scope,
        _: EndpointId,
        _: Rotation,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        away()
    }
    async fn promote_secret(
        &self,
        _: &Scope,
        _: EndpointId,
        _: Timestamp,
        _: MaybeOnce<Endpoint>,
    ) -> Answer<Arc<Endpoint>> {
        away()
    }
}

#[async_trait]
impl Events for NoStore {
    async fn publish(&self, _: Vec<Publication>, _: MaybeOnce<()>) -> Answer<Claim> {
        let permit = self.permits.acquire().await;
        permit.expect("the semaphore stays open").forget();
        if self.publish_fails { away() } else { Ok(Claim(42)) }
    }
    async fn event(&self, _: &Scope, _: EventId) -> Answer<Event> {
        away()
    }
    async fn list_events(&self, _: &Scope, _: EventFilter, _: PageRequest) -> Answer<Page<Event>> {
        away()
    }
}

#[async_trait]
impl Maintenance for NoStore {
    async fn ping(&self) -> Answer<()> {
        self.pings.fetch_add(1, Ordering::Relaxed);
        panic!("as a test wants it")
    }
    async fn sweep(&self, _: Timestamp, _: Timestamp) -> Answer<Swept> {
        away()
    }
    async fn footprint(&self) -> Answer<Footprint> {
        away()
    }
    async fn close(&self) {}
}

#[async_trait]
impl Sealing for NoStore {
    async fn use_vault(&self, _: Vault, _: MaybeOnce<()>) -> Answer<()> {
        away()
    }
    async fn reseal(&self, _: Option<EndpointId>) -> Answer<Resealed> {
        away()
    }
}

#[async_trait]
impl Answers for NoStore {
    async fn kept_answer(&self, _: &OnceKey, _: Timestamp) -> Answer<Option<KeptAnswer>> {
        Ok(None)
    }
}

#[async_trait]
impl Queue for NoStore {
    async fn due(&self, _: Option<EndpointId>, _: usize) -> Answer<Vec<Due>> {
        away()
    }
    async fn claim(&self, _: Vec<Want>, _: Timestamp) -> Answer<Vec<Granted>> {
        away()
    }
    async fn record(&self, _: Vec<Record>) -> Answer<Vec<Recorded>> {
        away()
    }
    async fn release(&self, _: Vec<Release>) -> Answer<()> {
        away()
    }
    async fn note_health(&self, _: Vec<HealthNote>) -> Answer<()> {
        away()
    }
    async fn end_deliveries(&self, _: EndpointId, _: EndReason, _: Timestamp, _: usize) -> Answer<usize> {
        away()
    }
    async fn record_test(&self, _: Event, _: Record, _: MaybeOnce<()>) -> Answer<()> {
        away()
    }
    async fn queue_length(&self) -> Answer<u64> {
        away()
    }
    async fn waiting(&self) -> Answer<Vec<Waiting>> {
        away()
    }
}

#[async_trait]
impl Tallies for NoStore {
    async fn tallies(&self, _: &Scope, _: EndpointId, _: Window, _: Timestamp) -> Answer<Tallied> {
        away()
    }
}

#[async_trait]
impl Tenants for NoStore {
    async fn put_location(&self, _: &Scope, _: Location, _: Timestamp) -> Answer<Location> {
        away()
    }
    async fn location(&self, _: &Scope, _: &LocationId) -> Answer<Location> {
        away()
    }
    async fn delete_location(&self, _: &Scope, _: &LocationId) -> Answer<()> {
        away()
    }
    async fn put_app(&self, _: &Scope, _: App, _: Timestamp) -> Answer<App> {
        away()
    }
    async fn app(&self, _: &Scope, _: &AppId) -> Answer<App> {
        away()
    }
    async fn delete_app(&self, _: &Scope, _: &AppId) -> Answer<()> {
        away()
    }
    async fn install(&self, _: &Scope, _: InstallChange) -> Answer<Option<Claim>> {
        away()
    }
    async fn uninstall(&self, _: &Scope, _: InstallChange) -> Answer<Claim> {
        away()
    }
    async fn installs(&self, _: &Scope, _: &AppId, _: usize) -> Answer<Vec<InstallTarget>> {
        away()
    }
}

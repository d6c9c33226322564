//! The HTTP API: router, callers, problems, pages, one file per resource.
//!
//! The only crate that knows status codes. It reads and writes through the store's traits, asks the engine through
//! [`engine::Engine`], and must not know a backend, open a socket to a receiver, or re-write a payload.

mod answer;
mod api_keys;
mod audit;
mod body;
mod caller;
mod cookie;
pub mod counters;
mod deliveries;
mod determined;
mod docs;
mod endpoints;
pub mod engine;
mod event_types;
mod events;
mod fields;
mod front;
mod health;
mod host;
mod installs;
mod layers;
mod login;
mod once;
mod openapi;
mod page;
mod path;
mod problem;
mod publish_limits;
mod query;
mod router;
#[cfg(test)]
mod router_tests;
mod running;
mod sessions;
mod sign_ins;
mod signatures;
#[cfg(test)]
mod stand_in;
mod stream;
mod system;
mod tenants;
mod views;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use catalogue::{Catalogue, Validate};
use domain::address_rules::AddressPolicy;
use domain::audit::{Action, Actor, Object};
use domain::fanout::Topology as _;
use domain::id::IdSource;
use domain::limits::{
    BATCHES_MAX, ENDPOINTS_PER_OWNER_DEFAULT, EXPLANATIONS_MAX, FAILED_SIGN_INS_PER_ADDRESS, REQUESTS_MAX,
    RETENTION_DAYS_DEFAULT, SIGN_INS_MAX,
};
use domain::scope::Scope;
use domain::secret::SecretText;
use domain::time::{Clock, Timestamp};
use domain::url_rules::UrlPolicy;
use sha2::{Digest, Sha256};
use store::once::OnceKey;
use store::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::counters::ApiCounters;
use crate::engine::Engine;
use crate::publish_limits::PublishLimits;
use crate::running::Running;

pub use front::Front;
pub use layers::put_security_headers;
pub use openapi::openapi;
pub use problem::Code;
pub use router::router;
pub use sessions::LinkFault;
pub use system::{MasterKeys, RotateFault};

/// What an operator may set.
#[derive(Clone)]
pub struct Settings {
    /// The operator's own key (`HOOPOE_PLATFORM_KEY`): everything is allowed with it while it is set.
    pub platform_key: Option<SecretText>,
    /// What becomes of faults against a schema where a request does not say.
    pub validate: Validate,
    /// Endpoints that are not deleted.
    pub endpoints_per_owner: usize,
    /// Signs cursors; the same on every node. Must be random, and may be derived from the master key.
    pub cursor_key: [u8; 32],
    pub url_policy: UrlPolicy,
    /// Goes with `url_policy`, and may open more: what an endpoint's URL may name.
    pub address_policy: AddressPolicy,
    /// Where people reach this server, such as `https://hooks.example.com`; `None`: where the request says.
    pub public_url: Option<String>,
    /// Whose pages may show this server's in a frame, as the directive `frame-ancestors` says it; `None`: nobody's.
    pub frame_ancestors: Option<String>,
    /// In a minute, of one address.
    pub failed_sign_ins: u32,
    /// Events a second by one key; `None`: as many as come.
    pub publish_per_second_per_key: Option<NonZeroU32>,
    /// Events a second of one location; `None`: as many as come.
    pub publish_per_second_per_location: Option<NonZeroU32>,
    /// Days that the log is kept, to be shown.
    pub retention_days: u32,
    /// Tells this process from others, also from those before it: random.
    pub node: u64,
    pub started_at: Timestamp,
}

impl Settings {
    /// The defaults, under a cursor key.
    pub fn new(cursor_key: [u8; 32]) -> Self {
        Self {
            platform_key: None,
            validate: Validate::Reject,
            endpoints_per_owner: ENDPOINTS_PER_OWNER_DEFAULT,
            cursor_key,
            url_policy: UrlPolicy::Strict,
            address_policy: AddressPolicy::strict(),
            public_url: None,
            frame_ancestors: None,
            failed_sign_ins: FAILED_SIGN_INS_PER_ADDRESS,
            publish_per_second_per_key: None,
            publish_per_second_per_location: None,
            retention_days: RETENTION_DAYS_DEFAULT,
            node: 0,
            started_at: Timestamp::default(),
        }
    }
}

/// What the API stands on.
pub struct Parts {
    pub settings: Settings,
    pub store: Arc<dyn Store>,
    pub engine: Arc<dyn Engine>,
    pub master_keys: Arc<dyn MasterKeys>,
    pub catalogue: Arc<Catalogue>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdSource>,
}

/// The API's state, shared by all requests.
pub struct Api {
    settings: Settings,
    store: Arc<dyn Store>,
    engine: Arc<dyn Engine>,
    master_keys: Arc<dyn MasterKeys>,
    catalogue: Arc<Catalogue>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    counters: Arc<ApiCounters>,
    platform_key_hash: Option<[u8; 32]>,
    publish_limits: PublishLimits,
    running: Running<OnceKey>,
    sign_ins: sign_ins::SignIns,
    tasks: TaskTracker,
    requests: Semaphore,
    /// Of [`requests`](Self::requests) those that may be sign-ins, which strangers send.
    sign_ins_at_once: Semaphore,
    readiness: health::Readiness,
    /// Turns of batches that have arrived.
    batches: Semaphore,
    arrivals: events::Arrivals,
    explanations: Semaphore,
    /// Whose they are: one of each owner's at a time.
    explaining: Running<Scope>,
    streams: stream::Streams,
    rates: system::Rates,
    backlog: system::Backlog,
    document: OnceLock<Bytes>,
}

impl Api {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { settings, store, engine, master_keys, catalogue, clock, ids } = parts;
        let hash = |key: &SecretText| Sha256::digest(key.expose()).into();
        Arc::new(Self {
            platform_key_hash: settings.platform_key.as_ref().map(hash),
            sign_ins: sign_ins::SignIns::new(settings.failed_sign_ins),
            publish_limits: PublishLimits::new(
                settings.publish_per_second_per_key,
                settings.publish_per_second_per_location,
            ),
            settings,
            store,
            engine,
            master_keys,
            catalogue,
            clock,
            ids,
            counters: Arc::default(),
            running: Running::default(),
            explaining: Running::default(),
            tasks: TaskTracker::new(),
            requests: Semaphore::new(REQUESTS_MAX),
            sign_ins_at_once: Semaphore::new(SIGN_INS_MAX),
            readiness: health::Readiness::default(),
            batches: Semaphore::new(BATCHES_MAX),
            arrivals: events::Arrivals::default(),
            explanations: Semaphore::new(EXPLANATIONS_MAX),
            streams: stream::Streams::default(),
            rates: system::Rates::default(),
            backlog: system::Backlog::default(),
            document: OnceLock::new(),
        })
    }

    pub fn counters(&self) -> Arc<ApiCounters> {
        Arc::clone(&self.counters)
    }

    /// A link that signs the operator in to the console, once and within a minute.
    ///
    /// # Errors
    /// The store did not take it, or the system gives no randomness; the cause is in the log.
    pub async fn login_link(&self, base: &str) -> Result<String, LinkFault> {
        sessions::operators_link(self, base).await
    }

    /// Writes down what the operator's settings open to customers: `("cidr", "10.1.0.0/16")`, `("name", "hooks.internal")`.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn note_allowed(&self, kind: &str, what: String) -> Result<(), StoreError> {
        let store = caller::audited(self, Actor::System, &caller::From::default());
        store.note(Action::EgressAllowed, None, Object::new(kind, what)).await
    }

    /// Waits for requests whose clients have left but whose work goes on. Call it after the listener has closed and before
    /// the store does.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Whose share of a bound is used up by what is done for `scope`: a company cannot multiply its own by its locations.
    fn accountable(&self, scope: &Scope) -> Scope {
        let Scope::Location(id) = scope else { return scope.clone() };
        self.store.routes().read().company_of(id).cloned().map_or_else(|| scope.clone(), Scope::Company)
    }

    /// The OpenAPI document as served, made once.
    fn document(&self) -> Bytes {
        let make = || serde_json::to_vec_pretty(&openapi(&self.catalogue)).unwrap_or_default().into();
        self.document.get_or_init(make).clone()
    }
}

/// Without the keys.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("validate", &self.validate)
            .field("endpoints_per_owner", &self.endpoints_per_owner)
            .field("url_policy", &self.url_policy)
            .field("address_policy", &self.address_policy)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

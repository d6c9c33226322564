//! What Hoopoe keeps, as traits: one file per noun, the same for every backend.
//!
//! A store is the only source of truth and the only queue. Its methods touch a tenant's object only through a
//! [`Scope`](domain::scope::Scope); they are told the time and never ask for it; a write that returned `Ok` is durable.
//! No transaction is open while a receiver is called. Nothing here knows SQL, HTTP or JSON.

pub mod api_keys;
pub mod audit;
pub mod backend;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod deliveries;
pub mod endpoints;
pub mod error;
pub mod events;
pub mod feed;
pub mod healths;
pub mod known;
pub mod maintenance;
pub mod nodes;
pub mod once;
pub mod page;
pub mod queue;
pub mod routes;
pub mod sealing;
pub mod sessions;
pub mod tallies;
pub mod tenants;
pub mod vault;

use std::sync::Arc;

pub use error::StoreError;

/// Everything that a backend does.
pub trait Store:
    api_keys::ApiKeys
    + audit::Audit
    + deliveries::Deliveries
    + endpoints::Endpoints
    + events::Events
    + maintenance::Maintenance
    + nodes::Nodes
    + once::Answers
    + queue::Queue
    + sealing::Sealing
    + sessions::Sessions
    + tallies::Tallies
    + tenants::Tenants
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// Who is registered where, in memory. After a write of this store returns, no later reader sees the older state.
    fn routes(&self) -> &routes::Routes;
    /// Which endpoints fail, in memory, with the same promise.
    fn healths(&self) -> &healths::Healths;
    /// What happens to endpoints, for whoever listens.
    fn feed(&self) -> &Arc<feed::Feed>;
    /// The same store, which tells of the next change who made it.
    fn audited(self: Arc<Self>, note: audit::AuditNote) -> Arc<dyn Store>;
}

//! Events: publishing, and what became of them.

use async_trait::async_trait;
use domain::endpoint::TypeName;
use domain::event::Event;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::location::LocationId;
use domain::scope::Scope;

use crate::StoreError;
use crate::once::MaybeOnce;
use crate::page::{Page, PageRequest, Span};
use crate::queue::Claim;

/// One event with the deliveries that its `considered` names.
#[derive(Debug, Clone)]
pub struct Publication {
    pub event: Event,
    pub deliveries: Vec<NewDelivery>,
}

/// A delivery to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub endpoint_id: EndpointId,
    pub hold: Hold,
}

/// Whether the publishing process takes a delivery at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Claimed by this process, which has a place for it in memory.
    Claimed,
    /// Left to be claimed later, due at once.
    Unclaimed,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub location_id: Option<LocationId>,
    pub type_name: Option<TypeName>,
    pub span: Span,
    /// Only events of which some considered endpoint has not succeeded.
    pub undelivered_only: bool,
}

#[async_trait]
pub trait Events {
    /// Stores all or nothing, durably: events, deliveries and the idempotency answer in one transaction. The claim is the
    /// one under which the `Hold::Claimed` deliveries are held.
    async fn publish(&self, publications: Vec<Publication>, once: MaybeOnce<()>)
    -> Result<Claim, StoreError>;
    /// Events of test sends are not found. A location sees its own events, a company those that carry its id or come from
    /// its locations, an app those for which one of its endpoints was considered.
    async fn event(&self, scope: &Scope, id: EventId) -> Result<Event, StoreError>;
    async fn list_events(
        &self,
        scope: &Scope,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>, StoreError>;
}

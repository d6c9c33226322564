//! Deliveries as the log shows them, and what a person may do to one.

use async_trait::async_trait;
use domain::attempt::{Attempt, AttemptHead};
use domain::delivery::{Delivery, Status};
use domain::endpoint::TypeName;
use domain::id::{DeliveryId, EndpointId, EventId};
use domain::location::LocationId;
use domain::scope::Scope;
use domain::time::Timestamp;

use crate::StoreError;
use crate::once::MaybeOnce;
use crate::page::{Page, PageRequest, Span};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub endpoint_id: Option<EndpointId>,
    pub event_id: Option<EventId>,
    pub location_id: Option<LocationId>,
    pub type_name: Option<TypeName>,
    pub status: Option<Status>,
    pub span: Span,
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDelivery {
    pub delivery: Delivery,
    /// The one that ended it, else the latest; `None` before one has ended.
    pub last_attempt: Option<AttemptHead>,
}

#[async_trait]
pub trait Deliveries {
    /// With its attempts, oldest first.
    async fn delivery(&self, scope: &Scope, id: DeliveryId) -> Result<(Delivery, Vec<Attempt>), StoreError>;
    async fn list_deliveries(
        &self,
        scope: &Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ListedDelivery>, StoreError>;
    /// Every delivery of an event in the caller's world, oldest first; for "what became of it".
    async fn deliveries_of(&self, scope: &Scope, event_id: EventId) -> Result<Vec<Delivery>, StoreError>;
    /// Of a finished delivery: queues a new one, `new_id`, with `trigger: retry`. Of an unfinished one: makes it due now (one
    /// that is held right now stays as it is). Fails with `EndpointDisabled` when its endpoint is not enabled.
    async fn retry_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
        once: MaybeOnce<Delivery>,
    ) -> Result<Delivery, StoreError>;
    /// Ends an unfinished delivery as cancelled, also one that is held; fails with `DeliveryEnded` on a finished one.
    async fn cancel_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
        now: Timestamp,
        once: MaybeOnce<Delivery>,
    ) -> Result<Delivery, StoreError>;
}

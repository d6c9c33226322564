//! What the API asks of the delivery engine. The two are strangers; the binary wires one to the other.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::attempt::Attempt;
use domain::endpoint::{Endpoint, TypeName};
use domain::id::{DeliveryId, EndpointId, EventId};
use store::queue::{ClaimedDelivery, Due};

/// The engine as the API sees it. Nothing here blocks but [`test`](Engine::test).
#[async_trait]
pub trait Engine: std::fmt::Debug + Send + Sync + 'static {
    /// Keeps a place for one delivery in the endpoint's lane. With `true` the caller stores the delivery claimed and then
    /// calls [`hand_over`](Engine::hand_over), or [`give_back`](Engine::give_back) when storing failed.
    fn reserve(&self, endpoint: &Arc<Endpoint>, payload_bytes: usize) -> bool;
    /// The reserved delivery is stored; send it.
    fn hand_over(&self, delivery: ClaimedDelivery);
    fn give_back(&self, endpoint_id: EndpointId, payload_bytes: usize);
    /// A delivery that nobody holds was stored and is due at the given time.
    fn stored(&self, due: Due);
    /// The delivery was cancelled: it is not sent if it waits in a lane; an attempt that runs is not called back.
    fn cancelled(&self, endpoint_id: EndpointId, delivery_id: DeliveryId);
    /// The endpoint was created, changed, enabled, disabled or deleted, or its secrets were.
    fn endpoint_changed(&self, id: EndpointId);
    /// Attempts finished since the start, test sends included.
    fn attempts(&self) -> Attempts;
    /// Attempts running now.
    fn in_flight(&self) -> u64;
    /// Sends now, past lanes and circuits, also to a disabled endpoint; one attempt, never repeated, not stored.
    async fn test(&self, send: TestSend) -> Attempt;
}

/// How many attempts ended so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    pub succeeded: u64,
    pub failed: u64,
}

/// One test send.
#[derive(Debug, Clone)]
pub struct TestSend {
    pub endpoint: Arc<Endpoint>,
    pub event_id: EventId,
    pub delivery_id: DeliveryId,
    pub type_name: TypeName,
    pub payload: Bytes,
}

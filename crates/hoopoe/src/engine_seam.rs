//! The delivery engine as the API sees it: the two crates are strangers, and this is their one handshake.

use std::sync::Arc;

use api::engine::Attempts;
use async_trait::async_trait;
use domain::attempt::Attempt;
use domain::endpoint::Endpoint;
use domain::id::{DeliveryId, EndpointId};
use domain::outcome::Outcome;
use store::queue::{ClaimedDelivery, Due};

#[derive(Debug, Clone)]
pub(crate) struct EngineSeam(pub(crate) delivery::Engine);

#[async_trait]
impl api::engine::Engine for EngineSeam {
    fn reserve(&self, endpoint: &Arc<Endpoint>, payload_bytes: usize) -> bool {
        self.0.reserve(endpoint, payload_bytes)
    }

    fn hand_over(&self, delivery: ClaimedDelivery) {
        self.0.hand_over(delivery);
    }

    fn give_back(&self, endpoint_id: EndpointId, payload_bytes: usize) {
        self.0.give_back(endpoint_id, payload_bytes);
    }

    fn stored(&self, due: Due) {
        self.0.stored(due);
    }

    fn cancelled(&self, endpoint_id: EndpointId, delivery_id: DeliveryId) {
        self.0.cancelled(endpoint_id, delivery_id);
    }

    fn endpoint_changed(&self, id: EndpointId) {
        self.0.endpoint_changed(id);
    }

    fn attempts(&self) -> Attempts {
        let counters = self.0.counters();
        let [succeeded, all @ ..] = Outcome::ALL.map(|outcome| counters.attempts(outcome));
        Attempts { succeeded, failed: all.iter().sum() }
    }

    fn in_flight(&self) -> u64 {
        self.0.counters().in_flight()
    }

    async fn test(&self, send: api::engine::TestSend) -> Attempt {
        let api::engine::TestSend { endpoint, event_id, delivery_id, type_name, payload } = send;
        self.0.test(endpoint, event_id, delivery_id, type_name, payload).await
    }
}

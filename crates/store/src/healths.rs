//! Which endpoints fail, in memory, beside the traits because every backend keeps it; see [`routes`](crate::routes).
//!
//! A backend changes it right after the change is durable and before its method returns. An endpoint that is not here is
//! healthy, so that it holds no more than what fails.

use std::collections::{HashMap, HashSet};

use domain::endpoint::Endpoint;
use domain::health::{Failing, Receiver};
use domain::id::EndpointId;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

/// What became of an endpoint's circuit, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthNote {
    pub endpoint_id: EndpointId,
    /// As it was when the circuit changed. A note of one that has been moved, enabled anew or disabled since changes nothing.
    pub receiver: Receiver,
    /// `None`: it is healthy again.
    pub failing: Option<Failing>,
}

#[derive(Debug, Default)]
pub struct Healths {
    table: RwLock<HashMap<EndpointId, (Receiver, Failing)>>,
    /// Whose health other nodes changed, until the engine takes them.
    elsewhere: Mutex<HashSet<EndpointId>>,
    changed: Notify,
}

impl Healths {
    /// What is kept of the endpoint as it stands.
    pub fn of(&self, endpoint: &Endpoint) -> Option<Failing> {
        let table = self.table.read();
        let (receiver, failing) = table.get(&endpoint.id)?;
        receiver.is_of(endpoint).then_some(*failing)
    }

    /// All that fail, in no order.
    pub fn all(&self) -> Vec<(EndpointId, Receiver, Failing)> {
        let table = self.table.read();
        table.iter().map(|(id, (receiver, failing))| (*id, receiver.clone(), *failing)).collect()
    }

    /// For backends, after the change is durable.
    pub fn put(&self, note: HealthNote) {
        let mut table = self.table.write();
        match note.failing {
            Some(failing) => table.insert(note.endpoint_id, (note.receiver, failing)),
            None => table.remove(&note.endpoint_id),
        };
    }

    /// For backends, after memory has it: another node changed it.
    pub fn was_changed_elsewhere(&self, id: EndpointId) {
        self.elsewhere.lock().insert(id);
        self.changed.notify_one();
    }

    /// Waits for others' changes; for one who asks.
    pub async fn changed_elsewhere(&self) -> Vec<EndpointId> {
        loop {
            let changed: Vec<EndpointId> = self.elsewhere.lock().drain().collect();
            if !changed.is_empty() {
                return changed;
            }
            self.changed.notified().await;
        }
    }

    /// For backends, after the change is durable: the endpoint is another one now.
    pub fn forget(&self, id: EndpointId) {
        self.table.write().remove(&id);
    }
}

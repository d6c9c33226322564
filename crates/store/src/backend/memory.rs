//! What is kept in memory beside the storage: routes, failing endpoints, API keys and sessions, and the count of unfinished
//! deliveries. A backend changes it after a commit and before it answers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::feed::{Feed, Happened, Numbering};
use crate::healths::{HealthNote, Healths};
use crate::known::Known;
use crate::routes::Routes;
use domain::api_key::ApiKey;
use domain::endpoint::Endpoint;
use domain::id::{ApiKeyId, SessionId};
use domain::session::Session;
use domain::time::Timestamp;
use parking_lot::RwLock;

#[derive(Debug, Default)]
pub struct Memory {
    pub routes: Routes,
    pub healths: Healths,
    pub feed: Arc<Feed>,
    pub api_keys: RwLock<KnownTable<ApiKeyId, ApiKey>>,
    /// Those that are opened.
    pub sessions: RwLock<KnownTable<SessionId, Session>>,
    /// As far as a backend counts it here.
    pub queue_length: AtomicI64,
}

impl Memory {
    /// Of one node among several: each appends to its feed what all were told.
    pub fn of_a_node() -> Self {
        Self { feed: Arc::new(Feed::new(Numbering::OfAll)), ..Self::default() }
    }

    /// Whoever listens hears of it.
    pub fn put_endpoint(&self, endpoint: Arc<Endpoint>) {
        self.routes.change(|table| table.put_endpoint(Arc::clone(&endpoint)));
        self.tell(endpoint);
    }

    pub fn put_health(&self, note: HealthNote) {
        let id = note.endpoint_id;
        self.healths.put(note);
        self.routes.endpoint(id).into_iter().for_each(|endpoint| self.tell(endpoint));
    }

    fn tell(&self, endpoint: Arc<Endpoint>) {
        if self.feed.is_wanted() {
            let failing = self.healths.of(&endpoint);
            self.feed.put([Happened::Changed { endpoint, failing }]);
        }
    }
}

/// What callers are known by: API keys by the hash of the key, sessions by that of their token.
#[derive(Debug)]
pub struct KnownTable<Id, T> {
    by_hash: HashMap<[u8; 32], Arc<Known<T>>>,
    hashes: HashMap<Id, [u8; 32]>,
}

impl<Id, T> Default for KnownTable<Id, T> {
    fn default() -> Self {
        Self { by_hash: HashMap::new(), hashes: HashMap::new() }
    }
}

impl<Id: Copy + Eq + Hash, T> KnownTable<Id, T> {
    pub fn put(&mut self, id: Id, hash: [u8; 32], known: Known<T>) {
        self.by_hash.insert(hash, Arc::new(known));
        self.hashes.insert(id, hash);
    }
    pub fn remove(&mut self, id: Id) {
        if let Some(hash) = self.hashes.remove(&id) {
            self.by_hash.remove(&hash);
        }
    }
    pub fn by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Known<T>>> {
        self.by_hash.get(hash).cloned()
    }
    pub fn used_at(&self, id: Id) -> Option<Timestamp> {
        self.by_hash.get(self.hashes.get(&id)?)?.used_at()
    }
    /// Uses that the storage does not know of yet.
    pub fn unkept(&self) -> Vec<(Id, Timestamp)> {
        let uses = self.hashes.iter();
        uses.filter_map(|(id, hash)| Some((*id, self.by_hash.get(hash)?.unkept()?))).collect()
    }
    pub fn kept(&self, uses: &[(Id, Timestamp)]) {
        for (id, at) in uses {
            if let Some(known) = self.hashes.get(id).and_then(|hash| self.by_hash.get(hash)) {
                known.kept(*at);
            }
        }
    }
    pub fn count(&self) -> usize {
        self.by_hash.len()
    }
}

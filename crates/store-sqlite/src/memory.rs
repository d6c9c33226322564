//! What is kept in memory beside the file: routes, failing endpoints, API keys, and the count of unfinished deliveries. The writer changes
//! it after a commit and before it answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use domain::api_key::ApiKey;
use domain::id::ApiKeyId;
use parking_lot::RwLock;
use store::healths::Healths;
use store::routes::Routes;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub routes: Routes,
    pub healths: Healths,
    pub api_keys: RwLock<ApiKeyTable>,
    pub queue_length: AtomicI64,
}

#[derive(Debug, Default)]
pub(crate) struct ApiKeyTable {
    by_hash: HashMap<[u8; 32], Arc<ApiKey>>,
}

impl ApiKeyTable {
    pub(crate) fn put(&mut self, key: ApiKey) {
        self.by_hash.insert(key.hash, Arc::new(key));
    }
    pub(crate) fn remove(&mut self, id: ApiKeyId) {
        self.by_hash.retain(|_, key| key.id != id);
    }
    pub(crate) fn by_hash(&self, hash: &[u8; 32]) -> Option<Arc<ApiKey>> {
        self.by_hash.get(hash).cloned()
    }
    pub(crate) fn count(&self) -> usize {
        self.by_hash.len()
    }
}

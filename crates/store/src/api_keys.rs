//! API keys. The key itself never comes here, only its SHA-256.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::ApiKey;
use domain::id::ApiKeyId;
use domain::scope::Scope;
use domain::time::Timestamp;

use crate::StoreError;
use crate::known::Known;
use crate::once::MaybeOnce;
use crate::page::{Page, PageRequest};

#[async_trait]
pub trait ApiKeys {
    /// Fails with `ApiKeyLimit` when the owner has `limit` keys.
    async fn create_api_key(
        &self,
        scope: &Scope,
        key: ApiKey,
        limit: usize,
        once: MaybeOnce<ApiKey>,
    ) -> Result<ApiKey, StoreError>;
    async fn list_api_keys(&self, scope: &Scope, page: PageRequest) -> Result<Page<ApiKey>, StoreError>;
    async fn delete_api_key(&self, scope: &Scope, id: ApiKeyId, now: Timestamp) -> Result<(), StoreError>;
    /// The key with this hash, from memory; coherent like the routes. Expiry is the caller's check.
    fn api_key_by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Known<ApiKey>>>;
    /// Stores when keys and sessions were last used, of those that were since the last call.
    async fn keep_uses(&self) -> Result<(), StoreError>;
    /// How many keys there are.
    fn api_key_count(&self) -> usize;
}

//! The methods of a store that neither the engine nor the simulation has any business with.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::ApiKey;
use domain::app::{App, InstallTarget};
use domain::id::ApiKeyId;
use domain::location::{AppId, Location, LocationId};
use domain::scope::Scope;
use domain::time::Timestamp;
use store::StoreError;
use store::api_keys::ApiKeys;
use store::once::{Answers, KeptAnswer, MaybeOnce, OnceKey};
use store::page::{Page, PageRequest};
use store::queue::Claim;
use store::tenants::{InstallChange, Tenants};

use super::fake_store::FakeStore;

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl Tenants for FakeStore {
    async fn put_location(&self, _: &Scope, _: Location, _: Timestamp) -> Answer<Location> {
        unreachable!()
    }
    async fn location(&self, _: &Scope, _: &LocationId) -> Answer<Location> {
        unreachable!()
    }
    async fn delete_location(&self, _: &Scope, _: &LocationId) -> Answer<()> {
        unreachable!()
    }
    async fn put_app(&self, _: &Scope, _: App, _: Timestamp) -> Answer<App> {
        unreachable!()
    }
    async fn app(&self, _: &Scope, _: &AppId) -> Answer<App> {
        unreachable!()
    }
    async fn delete_app(&self, _: &Scope, _: &AppId) -> Answer<()> {
        unreachable!()
    }
    async fn install(&self, _: &Scope, _: InstallChange) -> Answer<Option<Claim>> {
        unreachable!()
    }
    async fn uninstall(&self, _: &Scope, _: InstallChange) -> Answer<Claim> {
        unreachable!()
    }
    async fn installs(&self, _: &Scope, _: &AppId, _: usize) -> Answer<Vec<InstallTarget>> {
        unreachable!()
    }
}

#[async_trait]
impl ApiKeys for FakeStore {
    async fn create_api_key(&self, _: &Scope, _: ApiKey, _: MaybeOnce<ApiKey>) -> Answer<ApiKey> {
        unreachable!()
    }
    async fn list_api_keys(&self, _: &Scope, _: PageRequest) -> Answer<Page<ApiKey>> {
        unreachable!()
    }
    async fn delete_api_key(&self, _: &Scope, _: ApiKeyId, _: Timestamp) -> Answer<()> {
        unreachable!()
    }
    fn api_key_by_hash(&self, _: &[u8; 32]) -> Option<Arc<ApiKey>> {
        unreachable!()
    }
    fn api_key_count(&self) -> usize {
        unreachable!()
    }
}

#[async_trait]
impl Answers for FakeStore {
    async fn kept_answer(&self, _: &OnceKey, _: Timestamp) -> Answer<Option<KeptAnswer>> {
        unreachable!()
    }
}

//! The methods of a store that neither the engine nor the simulation has any business with.

use std::sync::Arc;

use async_trait::async_trait;
use domain::api_key::ApiKey;
use domain::app::{App, InstallTarget};
use domain::audit::{Action, AuditEntry, Object};
use domain::id::{ApiKeyId, EndpointId, SessionId};
use domain::location::{AppId, Location, LocationId};
use domain::scope::{Owner, Scope};
use domain::session::Session;
use domain::tally::Window;
use domain::time::Timestamp;
use store::StoreError;
use store::api_keys::ApiKeys;
use store::audit::{Audit, AuditFilter};
use store::known::Known;
use store::maintenance::Swept;
use store::once::{Answers, KeptAnswer, MaybeOnce, OnceKey};
use store::page::{Page, PageRequest};
use store::queue::Claim;
use store::sessions::{LoginCode, Sessions};
use store::tallies::{Tallied, Tallies};
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
    async fn create_api_key(&self, _: &Scope, _: ApiKey, _: usize, _: MaybeOnce<ApiKey>) -> Answer<ApiKey> {
        unreachable!()
    }
    async fn list_api_keys(&self, _: &Scope, _: PageRequest) -> Answer<Page<ApiKey>> {
        unreachable!()
    }
    async fn delete_api_key(&self, _: &Scope, _: ApiKeyId, _: Timestamp) -> Answer<()> {
        unreachable!()
    }
    fn api_key_by_hash(&self, _: &[u8; 32]) -> Option<Arc<Known<ApiKey>>> {
        unreachable!()
    }
    async fn keep_uses(&self) -> Answer<()> {
        unreachable!()
    }
    fn api_key_count(&self) -> usize {
        unreachable!()
    }
}

#[async_trait]
impl Audit for FakeStore {
    async fn note(&self, _: Action, _: Option<Owner>, _: Object) -> Answer<()> {
        unreachable!()
    }
    async fn list_audit(&self, _: &Scope, _: AuditFilter, _: PageRequest) -> Answer<Page<AuditEntry>> {
        unreachable!()
    }
    async fn sweep_audit(&self, _: Timestamp) -> Answer<Swept> {
        Ok(Swept::Done)
    }
}

#[async_trait]
impl Sessions for FakeStore {
    async fn create_session(
        &self,
        _: &Scope,
        _: Session,
        _: LoginCode,
        _: usize,
        _: MaybeOnce<Session>,
    ) -> Answer<Session> {
        unreachable!()
    }
    async fn open_session(&self, _: [u8; 32], _: [u8; 32], _: Timestamp) -> Answer<Session> {
        unreachable!()
    }
    async fn session_of_code(&self, _: [u8; 32], _: Timestamp) -> Answer<Session> {
        unreachable!()
    }
    async fn list_sessions(&self, _: &Scope, _: Timestamp, _: PageRequest) -> Answer<Page<Session>> {
        unreachable!()
    }
    async fn delete_session(&self, _: &Scope, _: SessionId) -> Answer<()> {
        unreachable!()
    }
    fn session_by_hash(&self, _: &[u8; 32]) -> Option<Arc<Known<Session>>> {
        unreachable!()
    }
}

#[async_trait]
impl Answers for FakeStore {
    async fn kept_answer(&self, _: &OnceKey, _: Timestamp) -> Answer<Option<KeptAnswer>> {
        unreachable!()
    }
}

#[async_trait]
impl Tallies for FakeStore {
    async fn tallies(&self, _: &Scope, _: EndpointId, _: Window, _: Timestamp) -> Answer<Tallied> {
        unreachable!()
    }
}

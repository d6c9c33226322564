//! Endpoints and their secrets.

use std::sync::Arc;

use async_trait::async_trait;
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch};
use domain::health::Receiver;
use domain::id::EndpointId;
use domain::scope::{Owner, Scope};
use domain::secret::SecretText;
use domain::time::Timestamp;

use crate::StoreError;
use crate::once::MaybeOnce;
use crate::page::{Page, PageRequest};

/// Which endpoints to list; deleted ones never are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointFilter {
    pub owner: Option<Owner>,
}

/// A rotation: the new secret, and how long the present one stays valid.
#[derive(Debug)]
pub struct Rotation {
    pub secret: SecretText,
    /// 0 to 604,800.
    pub grace_seconds: u32,
    pub now: Timestamp,
}

/// An endpoint that is moved, enabled, disabled or deleted loses what `Queue::note_health` kept of it.
///
/// Secrets and header values are sealed by the backend with the vault; here they are in the clear.
#[async_trait]
pub trait Endpoints {
    /// Fails with `EndpointLimit` when the owner has `limit` endpoints that are not deleted.
    async fn create_endpoint(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        limit: usize,
        once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError>;
    /// A deleted endpoint is not found.
    async fn endpoint(&self, scope: &Scope, id: EndpointId) -> Result<Arc<Endpoint>, StoreError>;
    async fn list_endpoints(
        &self,
        scope: &Scope,
        filter: EndpointFilter,
        page: PageRequest,
    ) -> Result<Page<Arc<Endpoint>>, StoreError>;
    async fn update_endpoint(
        &self,
        scope: &Scope,
        id: EndpointId,
        patch: EndpointPatch,
        now: Timestamp,
        once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError>;
    /// The log outlives the endpoint; its unfinished deliveries are ended by `Queue::end_deliveries`, in slices.
    async fn delete_endpoint(&self, scope: &Scope, id: EndpointId, now: Timestamp) -> Result<(), StoreError>;
    /// By the engine, on what the receiver answered. An endpoint that is not this receiver any more stays as it is.
    async fn disable_endpoint(
        &self,
        id: EndpointId,
        asked: Receiver,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    async fn rotate_secret(
        &self,
        scope: &Scope,
        id: EndpointId,
        rotation: Rotation,
        once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError>;
    async fn promote_secret(
        &self,
        scope: &Scope,
        id: EndpointId,
        now: Timestamp,
        once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError>;
}

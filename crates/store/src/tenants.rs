//! Locations, apps and installs: what the platform told us of who belongs to whom.

use async_trait::async_trait;
use domain::app::{App, InstallTarget};
use domain::location::{AppId, Location, LocationId};
use domain::scope::Scope;
use domain::time::Timestamp;

use crate::StoreError;
use crate::events::Publication;
use crate::queue::Claim;

/// A change of an install with the event that tells of it.
#[derive(Debug, Clone)]
pub struct InstallChange {
    pub app_id: AppId,
    pub target: InstallTarget,
    /// `AppInstall` or `AppUninstall`, stored in the same transaction, and only when something changed.
    pub publication: Publication,
    pub now: Timestamp,
}

#[async_trait]
pub trait Tenants {
    /// Creates or replaces.
    async fn put_location(
        &self,
        scope: &Scope,
        location: Location,
        now: Timestamp,
    ) -> Result<Location, StoreError>;
    async fn location(&self, scope: &Scope, id: &LocationId) -> Result<Location, StoreError>;
    /// Forgets the attributes; endpoints and the log stay.
    async fn delete_location(&self, scope: &Scope, id: &LocationId) -> Result<(), StoreError>;
    async fn put_app(&self, scope: &Scope, app: App, now: Timestamp) -> Result<App, StoreError>;
    async fn app(&self, scope: &Scope, id: &AppId) -> Result<App, StoreError>;
    /// Forgets the attributes and the installs; endpoints and the log stay.
    async fn delete_app(&self, scope: &Scope, id: &AppId) -> Result<(), StoreError>;
    /// `Some(claim)` when the install is new, `None` when it existed (then nothing was published).
    async fn install(&self, scope: &Scope, change: InstallChange) -> Result<Option<Claim>, StoreError>;
    /// `NotFound` when there is no such install.
    async fn uninstall(&self, scope: &Scope, change: InstallChange) -> Result<Claim, StoreError>;
    /// Where an app is installed, at most `limit`.
    async fn installs(
        &self,
        scope: &Scope,
        id: &AppId,
        limit: usize,
    ) -> Result<Vec<InstallTarget>, StoreError>;
}

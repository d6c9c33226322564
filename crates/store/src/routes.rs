//! The routing table: who is registered where, in memory, beside the traits because every backend keeps one.
//!
//! A backend changes it right after the change is durable and before its method returns.

use std::collections::HashMap;
use std::sync::Arc;

use domain::app::{App, InstallTarget};
use domain::endpoint::Endpoint;
use domain::fanout::Topology;
use domain::id::EndpointId;
use domain::location::{AppId, CompanyId, Location, LocationId};
use domain::scope::{Owner, Scope};
use parking_lot::{RwLock, RwLockReadGuard};

/// The table behind its lock. Readers hold it for the length of one fan-out and never across an await.
#[derive(Debug, Default)]
pub struct Routes {
    table: RwLock<RouteTable>,
}

impl Routes {
    pub fn read(&self) -> RwLockReadGuard<'_, RouteTable> {
        self.table.read()
    }

    /// For backends, after the change is durable.
    pub fn change<R>(&self, change: impl FnOnce(&mut RouteTable) -> R) -> R {
        change(&mut self.table.write())
    }

    pub fn endpoint(&self, id: EndpointId) -> Option<Arc<Endpoint>> {
        self.table.read().endpoints.get(&id).cloned()
    }
}

/// Endpoints that are not deleted, locations, apps and installs.
#[derive(Debug, Default)]
pub struct RouteTable {
    endpoints: HashMap<EndpointId, Arc<Endpoint>>,
    by_owner: HashMap<Owner, Vec<Arc<Endpoint>>>,
    company_of: HashMap<LocationId, CompanyId>,
    in_location: HashMap<LocationId, Vec<AppId>>,
    in_company: HashMap<CompanyId, Vec<AppId>>,
    scopes: HashMap<AppId, Vec<String>>,
}

impl RouteTable {
    pub fn endpoint(&self, id: EndpointId) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(&id)
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.values()
    }

    /// Whether `scope` may see the objects of `owner`.
    pub fn sees(&self, scope: &Scope, owner: &Owner) -> bool {
        scope.sees(owner, |location_id| self.company_of.get(location_id).cloned())
    }

    /// Adds or replaces; a deleted endpoint leaves the table.
    pub fn put_endpoint(&mut self, endpoint: Arc<Endpoint>) {
        self.remove_endpoint(endpoint.id);
        if endpoint.is_deleted() {
            return;
        }
        let siblings = self.by_owner.entry(endpoint.owner.clone()).or_default();
        let place = siblings.partition_point(|sibling| sibling.id < endpoint.id);
        siblings.insert(place, Arc::clone(&endpoint));
        self.endpoints.insert(endpoint.id, endpoint);
    }

    pub fn remove_endpoint(&mut self, id: EndpointId) {
        let Some(old) = self.endpoints.remove(&id) else { return };
        if let Some(siblings) = self.by_owner.get_mut(&old.owner) {
            siblings.retain(|sibling| sibling.id != id);
            if siblings.is_empty() {
                self.by_owner.remove(&old.owner);
            }
        }
    }

    pub fn put_location(&mut self, location: &Location) {
        match &location.company_id {
            Some(company_id) => self.company_of.insert(location.id.clone(), company_id.clone()),
            None => self.company_of.remove(&location.id),
        };
    }

    pub fn remove_location(&mut self, id: &LocationId) {
        self.company_of.remove(id);
    }

    pub fn put_app(&mut self, app: &App) {
        match &app.scopes {
            Some(scopes) => self.scopes.insert(app.id.clone(), scopes.clone()),
            None => self.scopes.remove(&app.id),
        };
    }

    /// Forgets the app's scopes and installs.
    pub fn remove_app(&mut self, id: &AppId) {
        self.scopes.remove(id);
        for apps in self.in_location.values_mut().chain(self.in_company.values_mut()) {
            apps.retain(|app_id| app_id != id);
        }
    }

    pub fn install(&mut self, app_id: &AppId, target: &InstallTarget) {
        let apps = match target {
            InstallTarget::Location(id) => self.in_location.entry(id.clone()).or_default(),
            InstallTarget::Company(id) => self.in_company.entry(id.clone()).or_default(),
        };
        if !apps.contains(app_id) {
            apps.push(app_id.clone());
        }
    }

    pub fn uninstall(&mut self, app_id: &AppId, target: &InstallTarget) {
        let apps = match target {
            InstallTarget::Location(id) => self.in_location.get_mut(id),
            InstallTarget::Company(id) => self.in_company.get_mut(id),
        };
        if let Some(apps) = apps {
            apps.retain(|installed| installed != app_id);
        }
    }
}

impl Topology for RouteTable {
    fn endpoints_of(&self, owner: &Owner) -> &[Arc<Endpoint>] {
        self.by_owner.get(owner).map_or(&[], Vec::as_slice)
    }
    fn company_of(&self, location_id: &LocationId) -> Option<&CompanyId> {
        self.company_of.get(location_id)
    }
    fn apps_in_location(&self, location_id: &LocationId) -> &[AppId] {
        self.in_location.get(location_id).map_or(&[], Vec::as_slice)
    }
    fn apps_in_company(&self, company_id: &CompanyId) -> &[AppId] {
        self.in_company.get(company_id).map_or(&[], Vec::as_slice)
    }
    fn scopes_of(&self, app_id: &AppId) -> Option<&[String]> {
        self.scopes.get(app_id).map(Vec::as_slice)
    }
}

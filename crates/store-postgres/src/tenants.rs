//! Locations, apps and installs. An install's event is stored in the install's own transaction.

use async_trait::async_trait;
use domain::app::{App, InstallTarget};
use domain::audit::Action;
use domain::location::{AppId, Location, LocationId};
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use store::StoreError;
use store::backend::changes::{of_app, of_install, of_location};
use store::backend::codec;
use store::backend::columns::{target_columns, target_of, target_owner, tenant_id};
use store::backend::memory::Memory;
use store::queue::Claim;
use store::routes::RouteTable;
use store::tenants::{InstallChange, Tenants};
use tokio_postgres::Row;

use crate::fault::Fault;
use crate::follow::Changed;
use crate::scope::must_see;
use crate::session::Session;
use crate::tx::{Tx, reading, writing};
use crate::{PostgresStore, api_keys, publisher, sessions};

pub(crate) const PUT_LOCATION: &str = "insert into locations (id, name, company_id) values ($1, $2, $3) \
    on conflict (id) do update set name = excluded.name, company_id = excluded.company_id";
pub(crate) const LOCATION: &str = "select id, name, company_id from locations where id = $1";
const LOCATIONS: &str = "select id, name, company_id from locations";
pub(crate) const DELETE_LOCATION: &str = "delete from locations where id = $1";
pub(crate) const PUT_APP: &str = "insert into apps (id, name, scopes) values ($1, $2, $3) \
    on conflict (id) do update set name = excluded.name, scopes = excluded.scopes";
pub(crate) const APP: &str = "select id, name, scopes from apps where id = $1";
const APPS: &str = "select id, name, scopes from apps";
pub(crate) const DELETE_APP: &str = "delete from apps where id = $1";
pub(crate) const DELETE_INSTALLS: &str = "delete from installs where app_id = $1";
pub(crate) const INSTALL: &str =
    "insert into installs (app_id, target_kind, target_id) values ($1, $2, $3) on conflict do nothing";
pub(crate) const UNINSTALL: &str =
    "delete from installs where app_id = $1 and target_kind = $2 and target_id = $3";
pub(crate) const INSTALLS: &str = "select target_kind, target_id from installs where app_id = $1 \
    order by target_kind desc, target_id desc limit $2";
const ALL_INSTALLS: &str = "select app_id, target_kind, target_id from installs";

#[async_trait]
impl Tenants for PostgresStore {
    async fn put_location(
        &self,
        scope: &Scope,
        location: Location,
        _now: Timestamp,
    ) -> Result<Location, StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| Box::pin(put_location(tx, scope, location)));
        self.change("storing a location", work).await
    }

    async fn location(&self, scope: &Scope, id: &LocationId) -> Result<Location, StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let look_up = reading(|session| {
            Box::pin(async move {
                must_see(session, &scope, &Owner::Location(id.clone())).await?;
                location_by_id(session, &id).await?.ok_or(StoreError::NotFound.into())
            })
        });
        self.read("looking up a location", look_up).await
    }

    async fn delete_location(&self, scope: &Scope, id: &LocationId) -> Result<(), StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let work = writing(move |tx| Box::pin(delete_location(tx, scope, id)));
        self.change("deleting a location", work).await
    }

    async fn put_app(&self, scope: &Scope, app: App, _now: Timestamp) -> Result<App, StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| Box::pin(put_app(tx, scope, app)));
        self.change("storing an app", work).await
    }

    async fn app(&self, scope: &Scope, id: &AppId) -> Result<App, StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let look_up = reading(|session| {
            Box::pin(async move {
                must_see(session, &scope, &Owner::App(id.clone())).await?;
                app_by_id(session, &id).await?.ok_or(StoreError::NotFound.into())
            })
        });
        self.read("looking up an app", look_up).await
    }

    async fn delete_app(&self, scope: &Scope, id: &AppId) -> Result<(), StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let work = writing(move |tx| Box::pin(delete_app(tx, scope, id)));
        self.change("deleting an app", work).await
    }

    async fn install(&self, scope: &Scope, change: InstallChange) -> Result<Option<Claim>, StoreError> {
        self.ensure_days_of(&change, "installing an app").await?;
        let scope = scope.clone();
        let work = writing(move |tx| Box::pin(install(tx, scope, change)));
        self.change("installing an app", work).await
    }

    async fn uninstall(&self, scope: &Scope, change: InstallChange) -> Result<Claim, StoreError> {
        self.ensure_days_of(&change, "uninstalling an app").await?;
        let scope = scope.clone();
        let work = writing(move |tx| Box::pin(uninstall(tx, scope, change)));
        self.change("uninstalling an app", work).await
    }

    async fn installs(
        &self,
        scope: &Scope,
        id: &AppId,
        limit: usize,
    ) -> Result<Vec<InstallTarget>, StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let list = reading(|session| {
            Box::pin(async move {
                must_see(session, &scope, &Owner::App(id.clone())).await?;
                installs_of(session, &id, limit as i64).await
            })
        });
        self.read("listing installs", list).await
    }
}

impl PostgresStore {
    async fn ensure_days_of(&self, change: &InstallChange, doing: &'static str) -> Result<(), StoreError> {
        let ensuring = publisher::ensure_days(&self.shared, std::iter::once(&change.publication));
        ensuring.await.map_err(|fault| fault.told(doing))
    }
}

/// What the routes know of tenants.
pub(crate) struct All {
    locations: Vec<Location>,
    apps: Vec<App>,
    installs: Vec<(AppId, InstallTarget)>,
}

pub(crate) async fn all(session: &Session) -> Result<All, Fault> {
    let locations = session.query(LOCATIONS, &[]).await?;
    let apps = session.query(APPS, &[]).await?;
    let installs = session.query(ALL_INSTALLS, &[]).await?;
    let install = |row: &Row| {
        let app_id = tenant_id(row.get(0))?.ok_or(Fault::Damaged("install"))?;
        Ok::<_, Fault>((app_id, target_of(row.get(1), row.get(2))?))
    };
    Ok(All {
        locations: locations.iter().map(location_of).collect::<Result<_, _>>()?,
        apps: apps.iter().map(app_of).collect::<Result<_, _>>()?,
        installs: installs.iter().map(install).collect::<Result<_, _>>()?,
    })
}

impl All {
    pub(crate) fn put_into(self, table: &mut RouteTable) {
        self.locations.iter().for_each(|location| table.put_location(location));
        self.apps.iter().for_each(|app| table.put_app(app));
        self.installs.iter().for_each(|(app_id, target)| table.install(app_id, target));
    }
}

/// After another node has changed it.
pub(crate) async fn read_location_anew(
    session: &Session,
    memory: &Memory,
    id: &LocationId,
) -> Result<(), Fault> {
    let location = location_by_id(session, id).await?;
    memory.routes.change(|table| match &location {
        Some(location) => table.put_location(location),
        None => table.remove_location(id),
    });
    Ok(())
}

/// After another node has changed it, or where it is installed.
pub(crate) async fn read_app_anew(session: &Session, memory: &Memory, id: &AppId) -> Result<(), Fault> {
    let app = app_by_id(session, id).await?;
    let targets = installs_of(session, id, i64::MAX).await?;
    memory.routes.change(|table| {
        table.remove_app(id);
        if let Some(app) = &app {
            table.put_app(app);
        }
        targets.iter().for_each(|target| table.install(id, target));
    });
    Ok(())
}

async fn location_by_id(session: &Session, id: &LocationId) -> Result<Option<Location>, Fault> {
    session.find(LOCATION, &[&id.as_str()]).await?.map(|row| location_of(&row)).transpose()
}

async fn app_by_id(session: &Session, id: &AppId) -> Result<Option<App>, Fault> {
    session.find(APP, &[&id.as_str()]).await?.map(|row| app_of(&row)).transpose()
}

async fn installs_of(session: &Session, id: &AppId, limit: i64) -> Result<Vec<InstallTarget>, Fault> {
    let rows = session.query(INSTALLS, &[&id.as_str(), &limit]).await?;
    rows.iter().map(|row| Ok(target_of(row.get(0), row.get(1))?)).collect()
}

fn location_of(row: &Row) -> Result<Location, Fault> {
    let id = tenant_id(row.get(0))?.ok_or(Fault::Damaged("location"))?;
    Ok(Location { id, name: row.get(1), company_id: tenant_id(row.get(2))? })
}

fn app_of(row: &Row) -> Result<App, Fault> {
    let id = tenant_id(row.get(0))?.ok_or(Fault::Damaged("app"))?;
    let scopes = row.get::<_, Option<&[u8]>>(2).map(codec::texts_of).transpose()?;
    Ok(App { id, name: row.get(1), scopes })
}

/// Only the platform may say of a location that is in nobody's world yet whose it is.
async fn put_location(tx: &mut Tx, scope: Scope, location: Location) -> Result<Location, Fault> {
    must_see(tx, &scope, &Owner::Location(location.id.clone())).await?;
    let before = location_by_id(tx, &location.id).await?;
    let company_id = location.company_id.as_ref().map(|id| id.as_str());
    tx.execute(PUT_LOCATION, &[&location.id.as_str(), &location.name, &company_id]).await?;
    tx.audit(of_location(Action::LocationPut, before.as_ref(), Some(&location))).await?;
    if let Some(before) = before.filter(|before| before.company_id != location.company_id) {
        left_company(tx, &before).await?;
    }
    let stored = location.clone();
    tx.changes(Changed::Location(location.id.clone()), move |memory| {
        memory.routes.change(|table| table.put_location(&stored));
    });
    Ok(location)
}

async fn delete_location(tx: &mut Tx, scope: Scope, id: LocationId) -> Result<(), Fault> {
    must_see(tx, &scope, &Owner::Location(id.clone())).await?;
    let before = location_by_id(tx, &id).await?.ok_or(StoreError::NotFound)?;
    tx.execute(DELETE_LOCATION, &[&id.as_str()]).await?;
    tx.audit(of_location(Action::LocationDeleted, Some(&before), None)).await?;
    left_company(tx, &before).await?;
    tx.changes(Changed::Location(id.clone()), move |memory| {
        memory.routes.change(|table| table.remove_location(&id));
    });
    Ok(())
}

/// What a company gave to act for its location ends when the location is the company's no more.
async fn left_company(tx: &mut Tx, before: &Location) -> Result<(), Fault> {
    let Some(company_id) = before.company_id.clone() else { return Ok(()) };
    let (location, company) = (Owner::Location(before.id.clone()), Owner::Company(company_id));
    api_keys::delete_granted(tx, &location, &company).await?;
    sessions::revoke_granted(tx, &location, &company).await
}

async fn put_app(tx: &mut Tx, scope: Scope, app: App) -> Result<App, Fault> {
    must_see(tx, &scope, &Owner::App(app.id.clone())).await?;
    let before = app_by_id(tx, &app.id).await?;
    let scopes = app.scopes.as_ref().map(|scopes| codec::texts_bytes(scopes.iter().map(String::as_str)));
    tx.execute(PUT_APP, &[&app.id.as_str(), &app.name, &scopes]).await?;
    tx.audit(of_app(Action::AppPut, &app.id, before.as_ref(), Some(&app))).await?;
    let stored = app.clone();
    tx.changes(Changed::App(app.id.clone()), move |memory| {
        memory.routes.change(|table| table.put_app(&stored));
    });
    Ok(app)
}

async fn delete_app(tx: &mut Tx, scope: Scope, id: AppId) -> Result<(), Fault> {
    must_see(tx, &scope, &Owner::App(id.clone())).await?;
    let before = app_by_id(tx, &id).await?;
    let installs = tx.execute(DELETE_INSTALLS, &[&id.as_str()]).await?;
    let apps = tx.execute(DELETE_APP, &[&id.as_str()]).await?;
    if installs + apps == 0 {
        return Err(StoreError::NotFound.into());
    }
    tx.audit(of_app(Action::AppDeleted, &id, before.as_ref(), None)).await?;
    tx.changes(Changed::App(id.clone()), move |memory| {
        memory.routes.change(|table| table.remove_app(&id));
    });
    Ok(())
}

/// Both sides must be in the caller's world: an app that installs itself somewhere would read what happens there.
async fn must_see_install(session: &Session, scope: &Scope, change: &InstallChange) -> Result<(), Fault> {
    must_see(session, scope, &Owner::App(change.app_id.clone())).await?;
    must_see(session, scope, &target_owner(&change.target)).await
}

async fn install(tx: &mut Tx, scope: Scope, change: InstallChange) -> Result<Option<Claim>, Fault> {
    must_see_install(tx, &scope, &change).await?;
    let (kind, id) = target_columns(&change.target);
    if tx.execute(INSTALL, &[&change.app_id.as_str(), &kind, &id]).await? == 0 {
        return Ok(None);
    }
    publisher::insert(tx, tx.claim, &[&change.publication]).await?;
    tx.audit(of_install(Action::AppInstalled, &change)).await?;
    tx.changes(Changed::App(change.app_id.clone()), move |memory| {
        memory.routes.change(|table| table.install(&change.app_id, &change.target));
    });
    Ok(Some(tx.claim))
}

async fn uninstall(tx: &mut Tx, scope: Scope, change: InstallChange) -> Result<Claim, Fault> {
    must_see_install(tx, &scope, &change).await?;
    let (kind, id) = target_columns(&change.target);
    if tx.execute(UNINSTALL, &[&change.app_id.as_str(), &kind, &id]).await? == 0 {
        return Err(StoreError::NotFound.into());
    }
    publisher::insert(tx, tx.claim, &[&change.publication]).await?;
    tx.audit(of_install(Action::AppUninstalled, &change)).await?;
    tx.changes(Changed::App(change.app_id.clone()), move |memory| {
        memory.routes.change(|table| table.uninstall(&change.app_id, &change.target));
    });
    Ok(tx.claim)
}

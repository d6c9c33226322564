//! Locations, apps and installs. An install's event is stored in the install's own transaction.

use async_trait::async_trait;
use domain::app::{App, InstallTarget};
use domain::audit::Action;
use domain::location::{AppId, Location, LocationId};
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use store::StoreError;
use store::backend::changes::{of_app, of_install, of_location};
use store::backend::columns::{target_columns, target_of, target_owner, tenant_id};
use store::queue::Claim;
use store::routes::Routes;
use store::tenants::{InstallChange, Tenants};

use crate::codec;
use crate::events::store_publication;
use crate::fault::Fault;
use crate::scope::must_see;
use crate::writer::Tx;
use crate::{SqliteStore, api_keys, sessions};

pub(crate) const PUT_LOCATION: &str =
    "INSERT OR REPLACE INTO locations (id, name, company_id) VALUES (?1, ?2, ?3)";
pub(crate) const LOCATION: &str = "SELECT id, name, company_id FROM locations WHERE id = ?1";
pub(crate) const DELETE_LOCATION: &str = "DELETE FROM locations WHERE id = ?1";
pub(crate) const PUT_APP: &str = "INSERT OR REPLACE INTO apps (id, name, scopes) VALUES (?1, ?2, ?3)";
pub(crate) const APP: &str = "SELECT id, name, scopes FROM apps WHERE id = ?1";
pub(crate) const DELETE_APP: &str = "DELETE FROM apps WHERE id = ?1";
pub(crate) const DELETE_INSTALLS: &str = "DELETE FROM installs WHERE app_id = ?1";
pub(crate) const INSTALL: &str =
    "INSERT OR IGNORE INTO installs (app_id, target_kind, target_id) VALUES (?1, ?2, ?3)";
pub(crate) const UNINSTALL: &str =
    "DELETE FROM installs WHERE app_id = ?1 AND target_kind = ?2 AND target_id = ?3";
pub(crate) const INSTALLS: &str = "SELECT target_kind, target_id FROM installs WHERE app_id = ?1 \
    ORDER BY target_kind DESC, target_id DESC LIMIT ?2";

#[async_trait]
impl Tenants for SqliteStore {
    async fn put_location(
        &self,
        scope: &Scope,
        location: Location,
        _now: Timestamp,
    ) -> Result<Location, StoreError> {
        let scope = scope.clone();
        self.write("storing a location", move |tx| put_location(tx, &scope, location)).await
    }

    async fn location(&self, scope: &Scope, id: &LocationId) -> Result<Location, StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let look_up = move |conn: &Connection| {
            must_see(conn, &scope, &Owner::Location(id.clone()))?;
            by_id(conn, LOCATION, id.as_str(), location_of)?.ok_or(StoreError::NotFound.into())
        };
        self.read("looking up a location", look_up).await
    }

    async fn delete_location(&self, scope: &Scope, id: &LocationId) -> Result<(), StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        self.write("deleting a location", move |tx| delete_location(tx, &scope, id)).await
    }

    async fn put_app(&self, scope: &Scope, app: App, _now: Timestamp) -> Result<App, StoreError> {
        let scope = scope.clone();
        self.write("storing an app", move |tx| put_app(tx, &scope, app)).await
    }

    async fn app(&self, scope: &Scope, id: &AppId) -> Result<App, StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let look_up = move |conn: &Connection| {
            must_see(conn, &scope, &Owner::App(id.clone()))?;
            by_id(conn, APP, id.as_str(), app_of)?.ok_or(StoreError::NotFound.into())
        };
        self.read("looking up an app", look_up).await
    }

    async fn delete_app(&self, scope: &Scope, id: &AppId) -> Result<(), StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        self.write("deleting an app", move |tx| delete_app(tx, &scope, id)).await
    }

    async fn install(&self, scope: &Scope, change: InstallChange) -> Result<Option<Claim>, StoreError> {
        let scope = scope.clone();
        self.write("installing an app", move |tx| install(tx, &scope, change)).await
    }

    async fn uninstall(&self, scope: &Scope, change: InstallChange) -> Result<Claim, StoreError> {
        let scope = scope.clone();
        self.write("uninstalling an app", move |tx| uninstall(tx, &scope, change)).await
    }

    async fn installs(
        &self,
        scope: &Scope,
        id: &AppId,
        limit: usize,
    ) -> Result<Vec<InstallTarget>, StoreError> {
        let (scope, id) = (scope.clone(), id.clone());
        let list = move |conn: &Connection| {
            must_see(conn, &scope, &Owner::App(id.clone()))?;
            let mut select = conn.prepare_cached(INSTALLS)?;
            let mut rows = select.query(params![id.as_str(), limit as i64])?;
            let mut targets = Vec::new();
            while let Some(row) = rows.next()? {
                targets.push(target_of(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?)?);
            }
            Ok(targets)
        };
        self.read("listing installs", list).await
    }
}

/// Everything, at a start.
pub(crate) fn load(conn: &Connection, routes: &Routes) -> Result<(), Fault> {
    each(conn, "SELECT id, name, company_id FROM locations", |row| {
        let location = location_of(row)?;
        routes.change(|table| table.put_location(&location));
        Ok(())
    })?;
    each(conn, "SELECT id, name, scopes FROM apps", |row| {
        let app = app_of(row)?;
        routes.change(|table| table.put_app(&app));
        Ok(())
    })?;
    each(conn, "SELECT app_id, target_kind, target_id FROM installs", |row| {
        let app_id = tenant_id(row.get(0)?)?.ok_or(Fault::Damaged("install"))?;
        let target = target_of(&row.get::<_, String>(1)?, &row.get::<_, String>(2)?)?;
        routes.change(|table| table.install(&app_id, &target));
        Ok(())
    })
}

fn each(
    conn: &Connection,
    sql: &str,
    mut put: impl FnMut(&Row<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut select = conn.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        put(row)?;
    }
    Ok(())
}

fn by_id<T>(
    conn: &Connection,
    sql: &str,
    id: &str,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query([id])?;
    rows.next()?.map(read).transpose()
}

fn location_of(row: &Row<'_>) -> Result<Location, Fault> {
    let id = tenant_id(row.get(0)?)?.ok_or(Fault::Damaged("location"))?;
    Ok(Location { id, name: row.get(1)?, company_id: tenant_id(row.get(2)?)? })
}

fn app_of(row: &Row<'_>) -> Result<App, Fault> {
    let id = tenant_id(row.get(0)?)?.ok_or(Fault::Damaged("app"))?;
    let scopes: Option<Vec<u8>> = row.get(2)?;
    let scopes = scopes.map(|bytes| codec::texts_of(&bytes)).transpose()?;
    Ok(App { id, name: row.get(1)?, scopes })
}

/// Only the platform may say of a location that is in nobody's world yet whose it is.
fn put_location(tx: &mut Tx<'_>, scope: &Scope, location: Location) -> Result<Location, Fault> {
    must_see(tx.conn, scope, &Owner::Location(location.id.clone()))?;
    let before = by_id(tx.conn, LOCATION, location.id.as_str(), location_of)?;
    let company_id = location.company_id.as_ref().map(|id| id.as_str());
    tx.conn.prepare_cached(PUT_LOCATION)?.execute(params![
        location.id.as_str(),
        location.name,
        company_id
    ])?;
    tx.audit(of_location(Action::LocationPut, before.as_ref(), Some(&location)))?;
    if let Some(before) = before.filter(|before| before.company_id != location.company_id) {
        left_company(tx, &before)?;
    }
    let stored = location.clone();
    tx.after_commit(move |memory| memory.routes.change(|table| table.put_location(&stored)));
    Ok(location)
}

fn delete_location(tx: &mut Tx<'_>, scope: &Scope, id: LocationId) -> Result<(), Fault> {
    must_see(tx.conn, scope, &Owner::Location(id.clone()))?;
    let before = by_id(tx.conn, LOCATION, id.as_str(), location_of)?.ok_or(StoreError::NotFound)?;
    tx.conn.prepare_cached(DELETE_LOCATION)?.execute([id.as_str()])?;
    tx.audit(of_location(Action::LocationDeleted, Some(&before), None))?;
    left_company(tx, &before)?;
    tx.after_commit(move |memory| memory.routes.change(|table| table.remove_location(&id)));
    Ok(())
}

/// What a company gave to act for its location ends when the location is the company's no more.
fn left_company(tx: &mut Tx<'_>, before: &Location) -> Result<(), Fault> {
    let Some(company_id) = before.company_id.clone() else { return Ok(()) };
    let (location, company) = (Owner::Location(before.id.clone()), Owner::Company(company_id));
    api_keys::delete_granted(tx, &location, &company)?;
    sessions::revoke_granted(tx, &location, &company)
}

fn put_app(tx: &mut Tx<'_>, scope: &Scope, app: App) -> Result<App, Fault> {
    must_see(tx.conn, scope, &Owner::App(app.id.clone()))?;
    let before = by_id(tx.conn, APP, app.id.as_str(), app_of)?;
    let scopes = app.scopes.as_ref().map(|scopes| codec::texts_bytes(scopes.iter().map(String::as_str)));
    tx.conn.prepare_cached(PUT_APP)?.execute(params![app.id.as_str(), app.name, scopes])?;
    tx.audit(of_app(Action::AppPut, &app.id, before.as_ref(), Some(&app)))?;
    let stored = app.clone();
    tx.after_commit(move |memory| memory.routes.change(|table| table.put_app(&stored)));
    Ok(app)
}

fn delete_app(tx: &mut Tx<'_>, scope: &Scope, id: AppId) -> Result<(), Fault> {
    must_see(tx.conn, scope, &Owner::App(id.clone()))?;
    let before = by_id(tx.conn, APP, id.as_str(), app_of)?;
    let installs = tx.conn.prepare_cached(DELETE_INSTALLS)?.execute([id.as_str()])?;
    let apps = tx.conn.prepare_cached(DELETE_APP)?.execute([id.as_str()])?;
    if installs + apps == 0 {
        return Err(StoreError::NotFound.into());
    }
    tx.audit(of_app(Action::AppDeleted, &id, before.as_ref(), None))?;
    tx.after_commit(move |memory| memory.routes.change(|table| table.remove_app(&id)));
    Ok(())
}

/// Both sides must be in the caller's world: an app that installs itself somewhere would read what happens there.
fn must_see_install(conn: &Connection, scope: &Scope, change: &InstallChange) -> Result<(), Fault> {
    must_see(conn, scope, &Owner::App(change.app_id.clone()))?;
    must_see(conn, scope, &target_owner(&change.target))
}

fn install(tx: &mut Tx<'_>, scope: &Scope, change: InstallChange) -> Result<Option<Claim>, Fault> {
    must_see_install(tx.conn, scope, &change)?;
    let (kind, id) = target_columns(&change.target);
    if tx.conn.prepare_cached(INSTALL)?.execute([change.app_id.as_str(), kind, id])? == 0 {
        return Ok(None);
    }
    store_publication(tx, &change.publication)?;
    tx.audit(of_install(Action::AppInstalled, &change))?;
    tx.after_commit(move |memory| {
        memory.routes.change(|table| table.install(&change.app_id, &change.target));
    });
    Ok(Some(tx.claim))
}

fn uninstall(tx: &mut Tx<'_>, scope: &Scope, change: InstallChange) -> Result<Claim, Fault> {
    must_see_install(tx.conn, scope, &change)?;
    let (kind, id) = target_columns(&change.target);
    if tx.conn.prepare_cached(UNINSTALL)?.execute([change.app_id.as_str(), kind, id])? == 0 {
        return Err(StoreError::NotFound.into());
    }
    store_publication(tx, &change.publication)?;
    tx.audit(of_install(Action::AppUninstalled, &change))?;
    tx.after_commit(move |memory| {
        memory.routes.change(|table| table.uninstall(&change.app_id, &change.target));
    });
    Ok(tx.claim)
}

//! Whose world an object is in, asked of the file, so that the answer is of the same snapshot as what is shown.

use std::collections::HashSet;

use domain::id::EndpointId;
use domain::location::{CompanyId, LocationId};
use domain::scope::{Owner, Scope};
use rusqlite::{Connection, OptionalExtension};
use store::StoreError;
use store::backend::columns::tenant_id;
pub(crate) use store::backend::columns::{owner_columns, owner_of_columns};

use crate::codec;
use crate::fault::Fault;

pub(crate) const COMPANY_OF: &str = "SELECT company_id FROM locations WHERE id = ?1";
pub(crate) const OWNER_OF: &str = "SELECT owner_kind, owner_id FROM endpoints WHERE id = ?1";
pub(crate) const ENDPOINTS_OF_OWNER: &str =
    "SELECT id FROM endpoints INDEXED BY endpoints_owner WHERE owner_kind = ?1 AND owner_id = ?2";
pub(crate) const ENDPOINTS_IN_COMPANY: &str = "SELECT e.id FROM locations AS l INDEXED BY locations_company \
    CROSS JOIN endpoints AS e INDEXED BY endpoints_owner ON e.owner_kind = 'location' AND e.owner_id = l.id \
    WHERE l.company_id = ?1";
pub(crate) const LOCATIONS_OF_COMPANY: &str =
    "SELECT id FROM locations INDEXED BY locations_company WHERE company_id = ?1";

pub(crate) fn sees(conn: &Connection, scope: &Scope, owner: &Owner) -> Result<bool, Fault> {
    let company_id = match (scope, owner) {
        (Scope::Company(_), Owner::Location(location_id)) => company_of(conn, location_id)?,
        _ => None,
    };
    Ok(scope.sees(owner, |_| company_id))
}

/// As [`sees`], of what may be the platform's own (`None`), which the platform alone sees.
pub(crate) fn sees_owned(conn: &Connection, scope: &Scope, owner: Option<&Owner>) -> Result<bool, Fault> {
    match owner {
        Some(owner) => sees(conn, scope, owner),
        None => Ok(*scope == Scope::Platform),
    }
}

/// `NotFound` for what is not in the caller's world.
pub(crate) fn must_see(conn: &Connection, scope: &Scope, owner: &Owner) -> Result<(), Fault> {
    if sees(conn, scope, owner)? { Ok(()) } else { Err(StoreError::NotFound.into()) }
}

fn company_of(conn: &Connection, location_id: &LocationId) -> Result<Option<CompanyId>, Fault> {
    let found: Option<Option<String>> =
        conn.prepare_cached(COMPANY_OF)?.query_row([location_id.as_str()], |row| row.get(0)).optional()?;
    Ok(tenant_id(found.flatten())?)
}

/// Whether the endpoint, deleted or not, is in the caller's world.
pub(crate) fn sees_endpoint(conn: &Connection, scope: &Scope, id: EndpointId) -> Result<bool, Fault> {
    if *scope == Scope::Platform {
        return Ok(true);
    }
    match owner_of(conn, id)? {
        Some(owner) => sees(conn, scope, &owner),
        None => Ok(false),
    }
}

/// Whose endpoint it is, deleted or not; `None`: there is none.
pub(crate) fn owner_of(conn: &Connection, id: EndpointId) -> Result<Option<Owner>, Fault> {
    let parts = conn
        .prepare_cached(OWNER_OF)?
        .query_row([codec::endpoint_bytes(id)], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let Some((kind, owner_id)) = parts else { return Ok(None) };
    Owner::from_parts(&kind, &owner_id).map(Some).ok_or(Fault::Damaged("endpoint's owner"))
}

/// The endpoints of the caller's world, deleted ones too; `None` is all.
pub(crate) fn visible_endpoints(
    conn: &Connection,
    scope: &Scope,
) -> Result<Option<HashSet<EndpointId>>, Fault> {
    let visible = match scope {
        Scope::Platform => return Ok(None),
        Scope::Location(id) => endpoint_ids(conn, ENDPOINTS_OF_OWNER, &["location", id.as_str()])?,
        Scope::App(id) => endpoint_ids(conn, ENDPOINTS_OF_OWNER, &["app", id.as_str()])?,
        Scope::Company(id) => {
            let mut own = endpoint_ids(conn, ENDPOINTS_OF_OWNER, &["company", id.as_str()])?;
            own.extend(endpoint_ids(conn, ENDPOINTS_IN_COMPANY, &[id.as_str()])?);
            own
        }
    };
    Ok(Some(visible))
}

fn endpoint_ids(conn: &Connection, sql: &str, of: &[&str]) -> Result<HashSet<EndpointId>, Fault> {
    let mut select = conn.prepare_cached(sql)?;
    let ids = select.query_map(rusqlite::params_from_iter(of), |row| row.get(0).map(codec::endpoint_of))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

pub(crate) fn locations_of(conn: &Connection, company_id: &CompanyId) -> Result<HashSet<String>, Fault> {
    let mut select = conn.prepare_cached(LOCATIONS_OF_COMPANY)?;
    let ids = select.query_map([company_id.as_str()], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

//! Whose world an object is in, asked of the database, so that the answer is of the same snapshot as what is shown.

use std::collections::HashSet;

use domain::id::EndpointId;
use domain::location::{CompanyId, LocationId};
use domain::scope::{Owner, Scope};
use store::StoreError;
use store::backend::codec;
use store::backend::columns::tenant_id;
pub(crate) use store::backend::columns::{owner_columns, owner_of_columns};

use crate::fault::Fault;
use crate::session::Session;

pub(crate) const COMPANY_OF: &str = "select company_id from locations where id = $1";
pub(crate) const OWNER_OF: &str = "select owner_kind, owner_id from endpoints where id = $1";
pub(crate) const ENDPOINTS_OF_OWNER: &str =
    "select id from endpoints where owner_kind = $1 and owner_id = $2";
pub(crate) const ENDPOINTS_IN_COMPANY: &str = "select e.id from locations l \
    join endpoints e on e.owner_kind = 'location' and e.owner_id = l.id where l.company_id = $1";
pub(crate) const LOCATIONS_OF_COMPANY: &str = "select id from locations where company_id = $1";

pub(crate) async fn sees(session: &Session, scope: &Scope, owner: &Owner) -> Result<bool, Fault> {
    let company_id = match (scope, owner) {
        (Scope::Company(_), Owner::Location(location_id)) => company_of(session, location_id).await?,
        _ => None,
    };
    Ok(scope.sees(owner, |_| company_id))
}

/// As [`sees`], of what may be the platform's own (`None`), which the platform alone sees.
pub(crate) async fn sees_owned(
    session: &Session,
    scope: &Scope,
    owner: Option<&Owner>,
) -> Result<bool, Fault> {
    match owner {
        Some(owner) => sees(session, scope, owner).await,
        None => Ok(*scope == Scope::Platform),
    }
}

/// `NotFound` for what is not in the caller's world.
pub(crate) async fn must_see(session: &Session, scope: &Scope, owner: &Owner) -> Result<(), Fault> {
    if sees(session, scope, owner).await? { Ok(()) } else { Err(StoreError::NotFound.into()) }
}

/// A world looked up once, for a listing that judges many rows.
pub(crate) struct Sight {
    scope: Scope,
    /// A company's.
    locations: HashSet<String>,
}

impl Sight {
    pub(crate) async fn of(session: &Session, scope: &Scope) -> Result<Self, Fault> {
        let locations = match scope {
            Scope::Company(id) => locations_of(session, id).await?,
            Scope::Platform | Scope::Location(_) | Scope::App(_) => HashSet::new(),
        };
        Ok(Self { scope: scope.clone(), locations })
    }

    pub(crate) fn sees(&self, owner: &Owner) -> bool {
        let company = match &self.scope {
            Scope::Company(id) => Some(id),
            Scope::Platform | Scope::Location(_) | Scope::App(_) => None,
        };
        self.scope
            .sees(owner, |location| company.filter(|_| self.locations.contains(location.as_str())).cloned())
    }

    pub(crate) fn sees_owned(&self, owner: Option<&Owner>) -> bool {
        owner.map_or(self.scope == Scope::Platform, |owner| self.sees(owner))
    }
}

async fn company_of(session: &Session, location_id: &LocationId) -> Result<Option<CompanyId>, Fault> {
    let row = session.find(COMPANY_OF, &[&location_id.as_str()]).await?;
    Ok(tenant_id(row.and_then(|row| row.get(0)))?)
}

/// Whether the endpoint, deleted or not, is in the caller's world.
pub(crate) async fn sees_endpoint(session: &Session, scope: &Scope, id: EndpointId) -> Result<bool, Fault> {
    if *scope == Scope::Platform {
        return Ok(true);
    }
    match owner_of(session, id).await? {
        Some(owner) => sees(session, scope, &owner).await,
        None => Ok(false),
    }
}

/// Whose endpoint it is, deleted or not; `None`: there is none.
pub(crate) async fn owner_of(session: &Session, id: EndpointId) -> Result<Option<Owner>, Fault> {
    let row = session.find(OWNER_OF, &[&&codec::endpoint_bytes(id)[..]]).await?;
    let Some(row) = row else { return Ok(None) };
    Owner::from_parts(row.get(0), row.get(1)).map(Some).ok_or(Fault::Damaged("endpoint's owner"))
}

/// The endpoints of the caller's world, deleted ones too; `None` is all.
pub(crate) async fn visible_endpoints(
    session: &Session,
    scope: &Scope,
) -> Result<Option<HashSet<EndpointId>>, Fault> {
    let visible = match scope {
        Scope::Platform => return Ok(None),
        Scope::Location(id) => endpoint_ids(session, ENDPOINTS_OF_OWNER, &["location", id.as_str()]).await?,
        Scope::App(id) => endpoint_ids(session, ENDPOINTS_OF_OWNER, &["app", id.as_str()]).await?,
        Scope::Company(id) => {
            let mut own = endpoint_ids(session, ENDPOINTS_OF_OWNER, &["company", id.as_str()]).await?;
            own.extend(endpoint_ids(session, ENDPOINTS_IN_COMPANY, &[id.as_str()]).await?);
            own
        }
    };
    Ok(Some(visible))
}

async fn endpoint_ids(session: &Session, sql: &str, of: &[&str]) -> Result<HashSet<EndpointId>, Fault> {
    let params: Vec<crate::session::Param<'_>> =
        of.iter().map(|text| text as crate::session::Param<'_>).collect();
    session.query(sql, &params).await?.iter().map(|row| endpoint_id(row, 0)).collect()
}

/// The endpoint's id in a column.
pub(crate) fn endpoint_id(row: &tokio_postgres::Row, column: usize) -> Result<EndpointId, Fault> {
    bits(row, column).map(EndpointId::from_bits)
}

/// The id in a column.
pub(crate) fn bits(row: &tokio_postgres::Row, column: usize) -> Result<u128, Fault> {
    let bytes: &[u8] = row.get(column);
    bytes.try_into().map(u128::from_be_bytes).map_err(|_| Fault::Damaged("id"))
}

pub(crate) async fn locations_of(
    session: &Session,
    company_id: &CompanyId,
) -> Result<HashSet<String>, Fault> {
    let rows = session.query(LOCATIONS_OF_COMPANY, &[&company_id.as_str()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

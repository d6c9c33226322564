//! Rows of `endpoints`: sealing, opening, reading, writing. It decides nothing about endpoints.

use std::sync::Arc;

use domain::endpoint::Endpoint;
use domain::id::EndpointId;
use domain::scope::Owner;
use domain::secret::{Previous, SecretText, Secrets};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use store::backend::columns::{
    self, SEALED, schedule_of, schedule_text, sealed_context, state_columns, state_of_columns,
    subscription_bytes, subscription_of,
};
use store::routes::Routes;
use store::vault::{Vault, VaultFault};

use crate::codec;
use crate::fault::Fault;

const COLUMNS: &str = "id, owner_kind, owner_id, url, description, subscription, headers, retry_schedule, \
    skip_own_events, state, disabled_reason, state_since, secret, previous_secret, grace_until, created_at, updated_at";
pub(crate) const PUT: &str = "INSERT OR REPLACE INTO endpoints (id, owner_kind, owner_id, url, description, \
    subscription, headers, retry_schedule, skip_own_events, state, disabled_reason, state_since, secret, \
    previous_secret, grace_until, created_at, updated_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

pub(crate) fn by_id_sql() -> String {
    format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1")
}

/// Everything that is not deleted, at a start.
pub(crate) fn load(conn: &Connection, vault: &Vault, routes: &Routes) -> Result<(), Fault> {
    let mut select = conn.prepare(&format!("SELECT {COLUMNS} FROM endpoints WHERE state <> 2"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let endpoint = Arc::new(of_row(row, vault)?);
        routes.change(|table| table.put_endpoint(endpoint));
    }
    Ok(())
}

/// `None` also for a deleted one.
pub(crate) fn by_id(conn: &Connection, vault: &Vault, id: EndpointId) -> Result<Option<Endpoint>, Fault> {
    let mut select = conn.prepare_cached(&by_id_sql())?;
    let mut rows = select.query([codec::endpoint_bytes(id)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if row.get::<_, i64>(9)? == 2 {
        return Ok(None);
    }
    of_row(row, vault).map(Some)
}

/// Writes all of it. Of a deleted endpoint the secrets are not kept.
pub(crate) fn put(conn: &Connection, vault: &Vault, endpoint: &Endpoint) -> Result<(), Fault> {
    let (state, reason, since) = state_columns(endpoint.state);
    let seal = |column: &str, plain: &[u8]| {
        vault.seal(&sealed_context(column, endpoint.id), plain).map_err(|_| Fault::Sealing).map(Some)
    };
    let kept = !endpoint.is_deleted();
    let previous = endpoint.secrets.previous.as_ref().filter(|_| kept);
    let headers = endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
    conn.prepare_cached(PUT)?.execute(params![
        codec::endpoint_bytes(endpoint.id),
        endpoint.owner.kind(),
        endpoint.owner.id(),
        &*endpoint.url,
        endpoint.description,
        subscription_bytes(&endpoint.subscription),
        if kept { seal("headers", &codec::pairs_bytes(headers))? } else { None },
        endpoint.retry_schedule.as_ref().map(|waits_s| schedule_text(waits_s)),
        endpoint.skip_own_events,
        state,
        reason,
        since.as_millis(),
        if kept { seal("secret", endpoint.secrets.current.expose().as_bytes())? } else { None },
        previous.map_or(Ok(None), |previous| seal("previous_secret", previous.secret.expose().as_bytes()))?,
        previous.map(|previous| previous.grace_until.as_millis()),
        endpoint.created_at.as_millis(),
        endpoint.updated_at.as_millis(),
    ])?;
    Ok(())
}

pub(crate) const SEALED_SLICE: &str =
    "SELECT id, headers, secret, previous_secret FROM endpoints WHERE id > ?1 ORDER BY id LIMIT ?2";
pub(crate) const RESEAL: &str =
    "UPDATE endpoints SET headers = ?2, secret = ?3, previous_secret = ?4 WHERE id = ?1";

/// What one endpoint holds sealed, in the order of [`SEALED`]. A deleted one holds nothing.
pub(crate) struct SealedRow {
    pub id: EndpointId,
    values: [Option<Vec<u8>>; SEALED.len()],
}

impl SealedRow {
    /// `row`: of [`SEALED_SLICE`].
    pub(crate) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let values = [row.get(1)?, row.get(2)?, row.get(3)?];
        Ok(Self { id: codec::endpoint_of(row.get(0)?), values })
    }
}

/// Seals what the endpoint holds under another key anew; how many values that were.
pub(crate) fn reseal(conn: &Connection, vault: &Vault, row: SealedRow) -> Result<usize, Fault> {
    let SealedRow { id, mut values } = row;
    let resealed = columns::reseal(vault, id, &mut values)?;
    if resealed > 0 {
        let [headers, secret, previous] = values;
        conn.prepare_cached(RESEAL)?.execute(params![
            codec::endpoint_bytes(id),
            headers,
            secret,
            previous
        ])?;
    }
    Ok(resealed)
}

fn opened(vault: &Vault, column: &'static str, id: EndpointId, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
    vault.open(&sealed_context(column, id), sealed).map_err(|fault| match fault {
        VaultFault::OtherKey => Fault::OtherKey,
        VaultFault::Damaged | VaultFault::NotSealed => Fault::Damaged(column),
    })
}

fn of_row(row: &Row<'_>, vault: &Vault) -> Result<Endpoint, Fault> {
    let (id, since) = (codec::endpoint_of(row.get(0)?), Timestamp::from_millis(row.get(11)?));
    let open = |column: &'static str, sealed: Vec<u8>| opened(vault, column, id, &sealed);
    let secret = |column, sealed| {
        let text = String::from_utf8(open(column, sealed)?).map_err(|_| Fault::Damaged(column))?;
        Ok::<_, Fault>(SecretText::new(text))
    };
    let headers: Option<Vec<u8>> = row.get(6)?;
    let headers = headers
        .map_or(Ok(Vec::new()), |sealed| Ok::<_, Fault>(codec::pairs_of(&open("headers", sealed)?)?))?;
    let kind: String = row.get(1)?;
    let owner_id: String = row.get(2)?;
    let previous: Option<Vec<u8>> = row.get(13)?;
    let grace_until = row.get::<_, Option<i64>>(14)?.map(Timestamp::from_millis);
    let previous = previous.map(|sealed| secret("previous_secret", sealed)).transpose()?.zip(grace_until);
    Ok(Endpoint {
        id,
        owner: Owner::from_parts(&kind, &owner_id).ok_or(Fault::Damaged("endpoint's owner"))?,
        url: row.get(3)?,
        description: row.get(4)?,
        subscription: subscription_of(row.get(5)?)?,
        headers: headers.into_iter().map(|(name, value)| (name, SecretText::new(value))).collect(),
        retry_schedule: row.get::<_, Option<String>>(7)?.map(|text| schedule_of(&text)).transpose()?,
        skip_own_events: row.get(8)?,
        state: state_of_columns(row.get(9)?, row.get::<_, Option<String>>(10)?.as_deref(), since)?,
        secrets: Secrets {
            current: secret("secret", row.get(12)?)?,
            previous: previous.map(|(secret, grace_until)| Previous { secret, grace_until }),
        },
        created_at: Timestamp::from_millis(row.get(15)?),
        updated_at: Timestamp::from_millis(row.get(16)?),
    })
}

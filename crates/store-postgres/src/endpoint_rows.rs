//! Rows of `endpoints`: sealing, opening, reading, writing. It decides nothing about endpoints.

use std::sync::Arc;

use domain::endpoint::Endpoint;
use domain::id::EndpointId;
use domain::scope::Owner;
use domain::secret::{Previous, SecretText, Secrets};
use domain::time::Timestamp;
use store::backend::codec;
use store::backend::columns::{
    self, DELETED, SEALED, schedule_of, schedule_text, sealed_context, state_columns, state_of_columns,
    subscription_bytes, subscription_of,
};
use store::backend::memory::Memory;
use store::vault::Vault;
use tokio_postgres::Row;

use crate::fault::Fault;
use crate::scope::endpoint_id;
use crate::session::Session;

macro_rules! columns {
    () => {
        "id, owner_kind, owner_id, url, description, subscription, headers, retry_schedule, skip_own_events, state, \
        disabled_reason, state_since, secret, previous_secret, grace_until, created_at, updated_at"
    };
}

pub(crate) const PUT: &str = concat!(
    "insert into endpoints (",
    columns!(),
    ") \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
     on conflict (id) do update set url = excluded.url, description = excluded.description, \
     subscription = excluded.subscription, headers = excluded.headers, retry_schedule = excluded.retry_schedule, \
     skip_own_events = excluded.skip_own_events, state = excluded.state, disabled_reason = excluded.disabled_reason, \
     state_since = excluded.state_since, secret = excluded.secret, previous_secret = excluded.previous_secret, \
     grace_until = excluded.grace_until, updated_at = excluded.updated_at"
);
pub(crate) const BY_ID: &str = concat!("select ", columns!(), " from endpoints where id = $1");
const ALL: &str = concat!("select ", columns!(), " from endpoints where state <> 2");
pub(crate) const SEALED_SLICE: &str = "select id, headers, secret, previous_secret from endpoints where id > $1 order by id limit $2 for update";
pub(crate) const RESEAL: &str =
    "update endpoints set headers = $2, secret = $3, previous_secret = $4 where id = $1";

/// Everything that is not deleted.
pub(crate) async fn all(session: &Session, vault: &Vault) -> Result<Vec<Endpoint>, Fault> {
    session.query(ALL, &[]).await?.iter().map(|row| of_row(row, vault)).collect()
}

/// `None` also for a deleted one.
pub(crate) async fn by_id(
    session: &Session,
    vault: &Vault,
    id: EndpointId,
) -> Result<Option<Endpoint>, Fault> {
    let row = session.find(BY_ID, &[&&codec::endpoint_bytes(id)[..]]).await?;
    let row = row.filter(|row| i64::from(row.get::<_, i16>(9)) != DELETED);
    row.map(|row| of_row(&row, vault)).transpose()
}

/// One that is deleted, without what only a living one has.
pub(crate) async fn deleted(session: &Session, id: EndpointId) -> Result<Option<Endpoint>, Fault> {
    let row = session.find(BY_ID, &[&&codec::endpoint_bytes(id)[..]]).await?;
    let row = row.filter(|row| i64::from(row.get::<_, i16>(9)) == DELETED);
    row.map(|row| of_columns(&row, Vec::new(), Secrets::new(SecretText::new(String::new())))).transpose()
}

/// After another node has changed it.
pub(crate) async fn read_anew(
    session: &Session,
    vault: &Vault,
    memory: &Memory,
    id: EndpointId,
) -> Result<(), Fault> {
    let endpoint = match by_id(session, vault, id).await {
        Ok(endpoint) => endpoint,
        // Another node seals under a key that this one was not given yet; what is known goes on.
        Err(Fault::Vault(fault)) => {
            tracing::error!(endpoint = %id, %fault, "an endpoint that another node changed does not open");
            return Ok(());
        }
        Err(fault) => return Err(fault),
    };
    match endpoint {
        Some(endpoint) => memory.put_endpoint(Arc::new(endpoint)),
        None => {
            memory.routes.change(|table| table.remove_endpoint(id));
            memory.healths.forget(id);
        }
    }
    Ok(())
}

/// Writes all of it. Of a deleted endpoint the secrets are not kept.
pub(crate) async fn put(session: &Session, vault: &Vault, endpoint: &Endpoint) -> Result<(), Fault> {
    let (state, reason, since) = state_columns(endpoint.state);
    let seal = |column: &str, plain: &[u8]| vault.seal(&sealed_context(column, endpoint.id), plain).map(Some);
    let kept = !endpoint.is_deleted();
    let previous = endpoint.secrets.previous.as_ref().filter(|_| kept);
    let headers = endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
    let headers = if kept { seal("headers", &codec::pairs_bytes(headers))? } else { None };
    let secret = if kept { seal("secret", endpoint.secrets.current.expose().as_bytes())? } else { None };
    let previous_secret =
        previous.map_or(Ok(None), |previous| seal("previous_secret", previous.secret.expose().as_bytes()))?;
    session
        .execute(
            PUT,
            &[
                &&codec::endpoint_bytes(endpoint.id)[..],
                &endpoint.owner.kind(),
                &endpoint.owner.id(),
                &&*endpoint.url,
                &endpoint.description.as_bytes(),
                &subscription_bytes(&endpoint.subscription),
                &headers,
                &endpoint.retry_schedule.as_ref().map(|waits_s| schedule_text(waits_s)),
                &endpoint.skip_own_events,
                &(state as i16),
                &reason,
                &since.as_millis(),
                &secret,
                &previous_secret,
                &previous.map(|previous| previous.grace_until.as_millis()),
                &endpoint.created_at.as_millis(),
                &endpoint.updated_at.as_millis(),
            ],
        )
        .await?;
    Ok(())
}

/// What one endpoint holds sealed, in the order of [`SEALED`]. A deleted one holds nothing.
pub(crate) struct SealedRow {
    pub id: EndpointId,
    values: [Option<Vec<u8>>; SEALED.len()],
}

impl SealedRow {
    /// `row`: of [`SEALED_SLICE`].
    pub(crate) fn of(row: &Row) -> Result<Self, Fault> {
        Ok(Self { id: endpoint_id(row, 0)?, values: [row.get(1), row.get(2), row.get(3)] })
    }
}

/// Seals what the endpoint holds under another key anew; how many values that were.
pub(crate) async fn reseal(session: &Session, vault: &Vault, row: SealedRow) -> Result<usize, Fault> {
    let SealedRow { id, mut values } = row;
    let resealed = columns::reseal(vault, id, &mut values)?;
    if resealed > 0 {
        let [headers, secret, previous] = values;
        session.execute(RESEAL, &[&&codec::endpoint_bytes(id)[..], &headers, &secret, &previous]).await?;
    }
    Ok(resealed)
}

fn of_row(row: &Row, vault: &Vault) -> Result<Endpoint, Fault> {
    let id = endpoint_id(row, 0)?;
    let open = |column: &'static str, sealed: &[u8]| vault.open(&sealed_context(column, id), sealed);
    let secret = |column, sealed: &[u8]| {
        let text = String::from_utf8(open(column, sealed)?).map_err(|_| Fault::Damaged(column))?;
        Ok::<_, Fault>(SecretText::new(text))
    };
    let headers = match row.get::<_, Option<&[u8]>>(6) {
        Some(sealed) => codec::pairs_of(&open("headers", sealed)?)?,
        None => Vec::new(),
    };
    let grace_until = row.get::<_, Option<i64>>(14).map(Timestamp::from_millis);
    let previous = row.get::<_, Option<&[u8]>>(13);
    let previous = previous.map(|sealed| secret("previous_secret", sealed)).transpose()?.zip(grace_until);
    let current: Option<&[u8]> = row.get(12);
    let headers = headers.into_iter().map(|(name, value)| (name, SecretText::new(value))).collect();
    let secrets = Secrets {
        current: secret("secret", current.ok_or(Fault::Damaged("secret"))?)?,
        previous: previous.map(|(secret, grace_until)| Previous { secret, grace_until }),
    };
    of_columns(row, headers, secrets)
}

/// What is not sealed of it, with what is.
fn of_columns(row: &Row, headers: Vec<(String, SecretText)>, secrets: Secrets) -> Result<Endpoint, Fault> {
    let since = Timestamp::from_millis(row.get(11));
    Ok(Endpoint {
        id: endpoint_id(row, 0)?,
        owner: Owner::from_parts(row.get(1), row.get(2)).ok_or(Fault::Damaged("endpoint's owner"))?,
        url: row.get::<_, &str>(3).into(),
        description: String::from_utf8(row.get(4)).map_err(|_| Fault::Damaged("description"))?,
        subscription: subscription_of(row.get(5))?,
        headers,
        retry_schedule: row.get::<_, Option<&str>>(7).map(schedule_of).transpose()?,
        skip_own_events: row.get(8),
        state: state_of_columns(i64::from(row.get::<_, i16>(9)), row.get(10), since)?,
        secrets,
        created_at: Timestamp::from_millis(row.get(15)),
        updated_at: Timestamp::from_millis(row.get(16)),
    })
}

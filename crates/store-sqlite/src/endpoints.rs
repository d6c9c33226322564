//! Endpoints: every change is made of the row as it stands in the writer's transaction, by the domain's rules.

use std::sync::Arc;

use async_trait::async_trait;
use domain::audit::Action;
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch, EndpointState};
use domain::health::Receiver;
use domain::id::EndpointId;
use domain::limits::PAGE_ROWS_EXAMINED_MAX;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use store::StoreError;
use store::backend::changes::of_endpoint;
use store::backend::worlds::listed_owner;
use store::endpoints::{EndpointFilter, Endpoints, Rotation};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};

use crate::SqliteStore;
use crate::codec;
use crate::endpoint_rows;
use crate::fault::Fault;
use crate::health;
use crate::once::once;
use crate::scope::{must_see, sees};
use crate::tallies;
use crate::walk::page_of;
use crate::writer::Tx;

pub(crate) const COUNT_OF_OWNER: &str =
    "SELECT count(*) FROM endpoints WHERE owner_kind = ?1 AND owner_id = ?2 AND state <> 2";
pub(crate) const LIST_ALL: &str = "SELECT id, owner_kind, owner_id FROM endpoints \
    WHERE id < ?1 AND state <> 2 ORDER BY id DESC LIMIT ?2";
pub(crate) const LIST_OF_OWNER: &str = "SELECT id, owner_kind, owner_id FROM endpoints INDEXED BY endpoints_owner \
    WHERE id < ?1 AND state <> 2 AND owner_kind = ?3 AND owner_id = ?4 ORDER BY id DESC LIMIT ?2";

#[async_trait]
impl Endpoints for SqliteStore {
    async fn create_endpoint(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        limit: usize,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let scope = scope.clone();
        let create = move |tx: &mut Tx<'_>| {
            let now = endpoint.created_at;
            let created = once(tx, maybe_once, now, |tx| {
                must_see(tx.conn, &scope, &endpoint.owner)?;
                if count_of(tx.conn, &endpoint.owner)? >= limit {
                    return Err(StoreError::EndpointLimit { max: limit }.into());
                }
                endpoint_rows::put(tx.conn, tx.vault, &endpoint)?;
                tx.audit(of_endpoint(Action::EndpointCreated, None, &endpoint))?;
                Ok(endpoint)
            })?;
            Ok(remember(tx, created))
        };
        self.write("creating an endpoint", create).await
    }

    async fn endpoint(&self, scope: &Scope, id: EndpointId) -> Result<Arc<Endpoint>, StoreError> {
        let table = self.memory.routes.read();
        let endpoint = table.endpoint(id).filter(|endpoint| table.sees(scope, &endpoint.owner));
        endpoint.cloned().ok_or(StoreError::NotFound)
    }

    async fn list_endpoints(
        &self,
        scope: &Scope,
        filter: EndpointFilter,
        page: PageRequest,
    ) -> Result<Page<Arc<Endpoint>>, StoreError> {
        let scope = scope.clone();
        let listed = self.read("listing endpoints", move |conn| list(conn, &scope, &filter, &page)).await?;
        // One that was deleted since the snapshot is left out.
        let table = self.memory.routes.read();
        let rows = listed.rows.iter().filter_map(|id| table.endpoint(*id).cloned()).collect();
        Ok(Page { rows, next: listed.next })
    }

    async fn update_endpoint(
        &self,
        scope: &Scope,
        id: EndpointId,
        patch: EndpointPatch,
        now: Timestamp,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let scope = scope.clone();
        let update = move |tx: &mut Tx<'_>| {
            let changed = once(tx, maybe_once, now, |tx| {
                change(tx, &scope, id, Action::EndpointUpdated, |endpoint| Ok(patch.apply(endpoint, now)))
            })?;
            Ok(remember(tx, changed))
        };
        self.write("changing an endpoint", update).await
    }

    async fn delete_endpoint(&self, scope: &Scope, id: EndpointId, now: Timestamp) -> Result<(), StoreError> {
        let scope = scope.clone();
        let delete = move |tx: &mut Tx<'_>| {
            let state = EndpointState::Deleted { since: now };
            let changed = change(tx, &scope, id, Action::EndpointDeleted, |endpoint| {
                Ok(Endpoint { state, updated_at: now, ..endpoint.clone() })
            })?;
            tallies::forget(tx, id, now)?;
            remember(tx, changed);
            Ok(())
        };
        self.write("deleting an endpoint", delete).await
    }

    async fn disable_endpoint(
        &self,
        id: EndpointId,
        asked: Receiver,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("disabling an endpoint", move |tx| disable(tx, (id, asked), reason, now)).await
    }

    async fn rotate_secret(
        &self,
        scope: &Scope,
        id: EndpointId,
        rotation: Rotation,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let scope = scope.clone();
        let rotate = move |tx: &mut Tx<'_>| {
            let Rotation { secret, grace_seconds, now } = rotation;
            let changed = once(tx, maybe_once, now, |tx| {
                change(tx, &scope, id, Action::SecretRotated, |endpoint| {
                    let secrets =
                        endpoint.secrets.rotate(secret, grace_seconds, now).map_err(StoreError::from)?;
                    Ok(Endpoint { secrets, updated_at: now, ..endpoint.clone() })
                })
            })?;
            Ok(remember(tx, changed))
        };
        self.write("rotating a secret", rotate).await
    }

    async fn promote_secret(
        &self,
        scope: &Scope,
        id: EndpointId,
        now: Timestamp,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let scope = scope.clone();
        let promote = move |tx: &mut Tx<'_>| {
            let changed = once(tx, maybe_once, now, |tx| {
                change(tx, &scope, id, Action::SecretPromoted, |endpoint| {
                    let secrets = endpoint.secrets.promote(now).map_err(StoreError::from)?;
                    Ok(Endpoint { secrets, updated_at: now, ..endpoint.clone() })
                })
            })?;
            Ok(remember(tx, changed))
        };
        self.write("promoting a secret", promote).await
    }
}

/// Routes see the endpoint as soon as it is durable.
fn remember(tx: &mut Tx<'_>, endpoint: Endpoint) -> Arc<Endpoint> {
    let endpoint = Arc::new(endpoint);
    let stored = Arc::clone(&endpoint);
    tx.after_commit(move |memory| memory.put_endpoint(stored));
    endpoint
}

fn count_of(conn: &Connection, owner: &Owner) -> Result<usize, Fault> {
    let count: i64 =
        conn.prepare_cached(COUNT_OF_OWNER)?.query_row([owner.kind(), owner.id()], |row| row.get(0))?;
    Ok(count.try_into().unwrap_or(0))
}

fn change(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: EndpointId,
    action: Action,
    change: impl FnOnce(&Endpoint) -> Result<Endpoint, Fault>,
) -> Result<Endpoint, Fault> {
    let endpoint = endpoint_rows::by_id(tx.conn, tx.vault, id)?.ok_or(StoreError::NotFound)?;
    must_see(tx.conn, scope, &endpoint.owner)?;
    let changed = change(&endpoint)?;
    endpoint_rows::put(tx.conn, tx.vault, &changed)?;
    health::changed(tx, &endpoint, &changed)?;
    tx.audit(of_endpoint(action, Some(&endpoint), &changed))?;
    Ok(changed)
}

fn disable(
    tx: &mut Tx<'_>,
    (id, asked): (EndpointId, Receiver),
    reason: DisabledReason,
    now: Timestamp,
) -> Result<(), Fault> {
    let found = endpoint_rows::by_id(tx.conn, tx.vault, id)?;
    let Some(endpoint) = found.filter(|found| asked.is_of(found)) else { return Ok(()) };
    let state = EndpointState::Disabled { reason, since: now };
    let disabled = Endpoint { state, updated_at: now, ..endpoint.clone() };
    endpoint_rows::put(tx.conn, tx.vault, &disabled)?;
    health::changed(tx, &endpoint, &disabled)?;
    tx.audit(of_endpoint(Action::EndpointDisabled, Some(&endpoint), &disabled))?;
    remember(tx, disabled);
    Ok(())
}

/// Ids only: the endpoints themselves are in memory, with their secrets open.
fn list(
    conn: &Connection,
    scope: &Scope,
    filter: &EndpointFilter,
    request: &PageRequest,
) -> Result<Page<EndpointId>, Fault> {
    let owner = listed_owner(scope, filter.owner.as_ref());
    let before = request.before.unwrap_or(u128::MAX).to_be_bytes().to_vec();
    let mut values = vec![Value::Blob(before), Value::Integer(PAGE_ROWS_EXAMINED_MAX as i64)];
    let sql = owner.as_ref().map_or(LIST_ALL, |_| LIST_OF_OWNER);
    values.extend(
        owner.iter().flat_map(|owner| [owner.kind(), owner.id()]).map(|text| Value::Text(text.to_owned())),
    );
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query(params_from_iter(values))?;
    page_of(found, request.limit, |row| {
        let id = codec::endpoint_of(row.get(0)?);
        let (kind, owner_id): (String, String) = (row.get(1)?, row.get(2)?);
        let owner = Owner::from_parts(&kind, &owner_id).ok_or(Fault::Damaged("endpoint's owner"))?;
        Ok((id.bits(), if sees(conn, scope, &owner)? { Some(id) } else { None }))
    })
}

//! Endpoints: every change is made of the row as it stands in the change's transaction, by the domain's rules.

use std::sync::Arc;

use async_trait::async_trait;
use domain::audit::Action;
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch, EndpointState};
use domain::health::Receiver;
use domain::id::EndpointId;
use domain::scope::{Owner, Scope};
use domain::time::Timestamp;
use store::StoreError;
use store::backend::changes::of_endpoint;
use store::backend::worlds::listed_owner;
use store::endpoints::{EndpointFilter, Endpoints, Rotation};
use store::once::MaybeOnce;
use store::page::{Page, PageRequest};

use crate::PostgresStore;
use crate::fault::Fault;
use crate::follow::Changed;
use crate::once::once;
use crate::scope::{Sight, endpoint_id, must_see};
use crate::session::Session;
use crate::tx::{Tx, reading, writing};
use crate::walk::page_of;
use crate::{endpoint_rows, health, tallies};

pub(crate) const COUNT_OF_OWNER: &str =
    "select count(*) from endpoints where owner_kind = $1 and owner_id = $2 and state <> 2";
pub(crate) const LIST_ALL: &str = "select id, owner_kind, owner_id from endpoints \
    where id < $1 and state <> 2 order by id desc limit $2";
pub(crate) const LIST_OF_OWNER: &str = "select id, owner_kind, owner_id from endpoints \
    where id < $1 and state <> 2 and owner_kind = $3 and owner_id = $4 order by id desc limit $2";

/// Makes of an endpoint what it shall be.
type Making = Box<dyn FnOnce(&Endpoint) -> Result<Endpoint, Fault> + Send>;

#[async_trait]
impl Endpoints for PostgresStore {
    async fn create_endpoint(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        limit: usize,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let scope = scope.clone();
        let work = writing(move |tx| {
            Box::pin(async move {
                let now = endpoint.created_at;
                let created =
                    once(tx, maybe_once, now, |tx| Box::pin(create(tx, scope, endpoint, limit))).await?;
                Ok(remember(tx, created))
            })
        });
        self.change("creating an endpoint", work).await
    }

    async fn endpoint(&self, scope: &Scope, id: EndpointId) -> Result<Arc<Endpoint>, StoreError> {
        let table = self.shared.memory.routes.read();
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
        let list = reading(|session| Box::pin(list(session, scope, filter, page)));
        let listed = self.read("listing endpoints", list).await?;
        // One that was deleted since the snapshot is left out.
        let table = self.shared.memory.routes.read();
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
        let making: Making = Box::new(move |endpoint| Ok(patch.apply(endpoint, now)));
        let change = EndpointChange { scope: scope.clone(), id, action: Action::EndpointUpdated, making };
        self.change_endpoint("changing an endpoint", change, now, maybe_once).await
    }

    async fn delete_endpoint(&self, scope: &Scope, id: EndpointId, now: Timestamp) -> Result<(), StoreError> {
        let state = EndpointState::Deleted { since: now };
        let making: Making =
            Box::new(move |endpoint| Ok(Endpoint { state, updated_at: now, ..endpoint.clone() }));
        let change = EndpointChange { scope: scope.clone(), id, action: Action::EndpointDeleted, making };
        let work = writing(move |tx| {
            Box::pin(async move {
                let deleted = change.make(tx).await?;
                tallies::forget(tx, id, now).await?;
                remember(tx, deleted);
                Ok(())
            })
        });
        self.change("deleting an endpoint", work).await
    }

    async fn disable_endpoint(
        &self,
        id: EndpointId,
        asked: Receiver,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let work = writing(move |tx| Box::pin(disable(tx, (id, asked), reason, now)));
        self.change("disabling an endpoint", work).await
    }

    async fn rotate_secret(
        &self,
        scope: &Scope,
        id: EndpointId,
        rotation: Rotation,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let Rotation { secret, grace_seconds, now } = rotation;
        let making: Making = Box::new(move |endpoint| {
            let secrets = endpoint.secrets.rotate(secret, grace_seconds, now).map_err(StoreError::from)?;
            Ok(Endpoint { secrets, updated_at: now, ..endpoint.clone() })
        });
        let change = EndpointChange { scope: scope.clone(), id, action: Action::SecretRotated, making };
        self.change_endpoint("rotating a secret", change, now, maybe_once).await
    }

    async fn promote_secret(
        &self,
        scope: &Scope,
        id: EndpointId,
        now: Timestamp,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let making: Making = Box::new(move |endpoint| {
            let secrets = endpoint.secrets.promote(now).map_err(StoreError::from)?;
            Ok(Endpoint { secrets, updated_at: now, ..endpoint.clone() })
        });
        let change = EndpointChange { scope: scope.clone(), id, action: Action::SecretPromoted, making };
        self.change_endpoint("promoting a secret", change, now, maybe_once).await
    }
}

struct EndpointChange {
    scope: Scope,
    id: EndpointId,
    action: Action,
    making: Making,
}

impl EndpointChange {
    async fn make(self, tx: &mut Tx) -> Result<Endpoint, Fault> {
        let endpoint = endpoint_rows::by_id(tx, &tx.vault, self.id).await?.ok_or(StoreError::NotFound)?;
        must_see(tx, &self.scope, &endpoint.owner).await?;
        let changed = (self.making)(&endpoint)?;
        endpoint_rows::put(tx, &tx.vault, &changed).await?;
        health::changed(tx, &endpoint, &changed).await?;
        tx.audit(of_endpoint(self.action, Some(&endpoint), &changed)).await?;
        Ok(changed)
    }
}

impl PostgresStore {
    async fn change_endpoint(
        &self,
        doing: &'static str,
        change: EndpointChange,
        now: Timestamp,
        maybe_once: MaybeOnce<Endpoint>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let work = writing(move |tx| {
            Box::pin(async move {
                let changed = once(tx, maybe_once, now, |tx| Box::pin(change.make(tx))).await?;
                Ok(remember(tx, changed))
            })
        });
        self.change(doing, work).await
    }
}

async fn create(tx: &mut Tx, scope: Scope, endpoint: Endpoint, limit: usize) -> Result<Endpoint, Fault> {
    must_see(tx, &scope, &endpoint.owner).await?;
    if count_of(tx, &endpoint.owner).await? >= limit {
        return Err(StoreError::EndpointLimit { max: limit }.into());
    }
    endpoint_rows::put(tx, &tx.vault, &endpoint).await?;
    tx.audit(of_endpoint(Action::EndpointCreated, None, &endpoint)).await?;
    Ok(endpoint)
}

/// Routes see the endpoint as soon as it is durable.
fn remember(tx: &mut Tx, endpoint: Endpoint) -> Arc<Endpoint> {
    let endpoint = Arc::new(endpoint);
    let stored = Arc::clone(&endpoint);
    tx.changes(Changed::Endpoint(endpoint.id), move |memory| memory.put_endpoint(stored));
    endpoint
}

async fn count_of(session: &Session, owner: &Owner) -> Result<usize, Fault> {
    let row = session.find(COUNT_OF_OWNER, &[&owner.kind(), &owner.id()]).await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>(0)).try_into().unwrap_or(0))
}

async fn disable(
    tx: &mut Tx,
    (id, asked): (EndpointId, Receiver),
    reason: DisabledReason,
    now: Timestamp,
) -> Result<(), Fault> {
    let found = endpoint_rows::by_id(tx, &tx.vault, id).await?;
    let Some(endpoint) = found.filter(|found| asked.is_of(found)) else { return Ok(()) };
    let state = EndpointState::Disabled { reason, since: now };
    let disabled = Endpoint { state, updated_at: now, ..endpoint.clone() };
    endpoint_rows::put(tx, &tx.vault, &disabled).await?;
    health::changed(tx, &endpoint, &disabled).await?;
    tx.audit(of_endpoint(Action::EndpointDisabled, Some(&endpoint), &disabled)).await?;
    remember(tx, disabled);
    Ok(())
}

/// Ids only: the endpoints themselves are in memory, with their secrets open.
async fn list(
    session: &Session,
    scope: Scope,
    filter: EndpointFilter,
    request: PageRequest,
) -> Result<Page<EndpointId>, Fault> {
    let owner = listed_owner(&scope, filter.owner.as_ref());
    let sight = Sight::of(session, &scope).await?;
    let owner = owner.as_ref();
    let fetch = |before: [u8; 16], rows: i64| -> crate::walk::Fetching<'_> {
        Box::pin(async move {
            match owner {
                Some(owner) => {
                    session.query(LIST_OF_OWNER, &[&&before[..], &rows, &owner.kind(), &owner.id()]).await
                }
                None => session.query(LIST_ALL, &[&&before[..], &rows]).await,
            }
        })
    };
    page_of(&request, request.before.unwrap_or(u128::MAX), fetch, |row| {
        let id = endpoint_id(row, 0)?;
        let owner = Owner::from_parts(row.get(1), row.get(2)).ok_or(Fault::Damaged("endpoint's owner"))?;
        Ok((id.bits(), sight.sees(&owner).then_some(id)))
    })
    .await
}

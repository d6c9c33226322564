//! Endpoints: creating, looking, changing, deleting.

mod request;
mod secret;
mod state;
mod stats;
mod test;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::endpoint::{Endpoint, EndpointState};
use domain::id::EndpointId;
use domain::scope::{Owner, Scope};
use domain::secret::Secrets;
use http::{StatusCode, Uri};
use store::endpoints::EndpointFilter;
use store::{Store, StoreError};

pub(crate) use secret::{
    __path_get_secret, __path_promote_secret, __path_rotate_secret, get_secret, promote_secret, rotate_secret,
};
pub(crate) use state::{__path_disable_endpoint, __path_enable_endpoint, disable_endpoint, enable_endpoint};
pub(crate) use stats::{__path_get_endpoint_stats, get_endpoint_stats};
pub(crate) use test::{__path_test_endpoint, test_endpoint};

use self::request::{EndpointBody, EndpointChange, NewEndpoint};
use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::{Caller, Manager, Viewer};
use crate::fields::OWNERS;
use crate::once::once;
use crate::page::{List, Listing};
use crate::path::Id;
use crate::problem::Problem;
use crate::query::Params;
use crate::views::{EndpointCreated, EndpointView};

/// List endpoints.
///
/// Newest first, without secrets.
#[utoipa::path(
    get, path = "/v1/endpoints", operation_id = "listEndpoints", tag = "Endpoints",
    params(
        ("locationId" = Option<String>, Query, description = "Only endpoints of this location"),
        ("companyId" = Option<String>, Query, description = "Only endpoints of this company"),
        ("appId" = Option<String>, Query, description = "Only endpoints of this app"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<EndpointView>)),
)]
pub(crate) async fn list_endpoints(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let owner = owner_filter(&mut params);
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/endpoints", &caller.owner())
        .filter(owner.as_ref().map(Owner::kind))
        .filter(owner.as_ref().map(Owner::id));
    let filter = EndpointFilter { owner };
    let page = api.store.list_endpoints(&caller.scope, filter, list.request(&wish)?).await?;
    Ok(answer::ok(&list.listing(page, |endpoint| shown(&*api.store, &endpoint))))
}

pub(crate) fn owner_filter(params: &mut Params) -> Option<Owner> {
    let expected = "must be an id: 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`";
    let mut owner = None;
    for (name, kind) in OWNERS {
        let given = params.parsed(name, expected, |id| Owner::from_parts(kind, id));
        if given.is_some() && owner.is_some() {
            params.fault(name, "cannot be combined with another owner: an endpoint has one");
        }
        owner = owner.or(given);
    }
    owner
}

/// Create an endpoint.
///
/// The answer holds its secret this once; later the secret routes show it.
#[utoipa::path(
    post, path = "/v1/endpoints", operation_id = "createEndpoint", tag = "Endpoints",
    params(("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    request_body = EndpointBody,
    responses((status = 201, description = "The new endpoint", body = EndpointCreated)),
)]
pub(crate) async fn create_endpoint(
    State(api): State<Arc<Api>>,
    caller: Manager,
    command: Command,
) -> Result<Response, Problem> {
    once(&api, &caller, &command, async |keep| {
        let new = NewEndpoint::read(&api, &command.body)?;
        own_world(&api, &caller, &new.owner)?;
        let endpoint = endpoint(&api, new)?;
        let keep = keep.answer(|endpoint: &Endpoint| {
            (StatusCode::CREATED, answer::bytes(&EndpointCreated::without_secret(endpoint)))
        });
        let limit = api.settings.endpoints_per_owner;
        let created = caller.store(&api).create_endpoint(&caller.scope, endpoint, limit, keep).await?;
        api.engine.endpoint_changed(created.id);
        Ok(answer::json(StatusCode::CREATED, &EndpointCreated::of(&created)))
    })
    .await
}

fn own_world(api: &Api, caller: &Caller, owner: &Owner) -> Result<(), Problem> {
    if caller.scope == Scope::Platform || api.store.routes().read().sees(&caller.scope, owner) {
        return Ok(());
    }
    Err(Problem::not_found("owner"))
}

fn endpoint(api: &Api, new: NewEndpoint) -> Result<Endpoint, Problem> {
    let now = api.clock.now();
    let secret = new.secret.map_or_else(secret::generated, Ok)?;
    let since = now;
    let reason = domain::endpoint::DisabledReason::ByHand;
    let state = match new.enabled {
        true => EndpointState::Enabled { since },
        false => EndpointState::Disabled { reason, since },
    };
    Ok(Endpoint {
        id: api.ids.endpoint(now),
        owner: new.owner,
        url: new.url,
        description: new.description,
        subscription: new.subscription,
        headers: new.headers,
        retry_schedule: new.retry_schedule,
        skip_own_events: new.skip_own_events,
        state,
        secrets: Secrets::new(secret),
        created_at: now,
        updated_at: now,
    })
}

/// One endpoint.
#[utoipa::path(
    get, path = "/v1/endpoints/{id}", operation_id = "getEndpoint", tag = "Endpoints",
    params(("id" = String, Path, description = "`ep_…`")),
    responses((status = 200, description = "The endpoint", body = EndpointView)),
)]
pub(crate) async fn get_endpoint(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    Id(id): Id<EndpointId>,
) -> Result<Response, Problem> {
    let endpoint = api.store.endpoint(&caller.scope, id).await.map_err(no_endpoint)?;
    Ok(answer::ok(&shown(&*api.store, &endpoint)))
}

/// Change an endpoint.
///
/// What is left out stays. The owner cannot change. A header whose value is the mask `********` keeps its stored value.
#[utoipa::path(
    patch, path = "/v1/endpoints/{id}", operation_id = "updateEndpoint", tag = "Endpoints",
    params(("id" = String, Path, description = "`ep_…`")),
    request_body = EndpointChange,
    responses((status = 200, description = "The changed endpoint", body = EndpointView)),
)]
pub(crate) async fn update_endpoint(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
    command: Command,
) -> Result<Response, Problem> {
    let stored = api.store.endpoint(&caller.scope, id).await.map_err(no_endpoint)?;
    let patch = request::change(&api, &stored, &command.body)?;
    let now = api.clock.now();
    let changed =
        caller.store(&api).update_endpoint(&caller.scope, id, patch, now, None).await.map_err(no_endpoint)?;
    api.engine.endpoint_changed(id);
    Ok(answer::ok(&shown(&*api.store, &changed)))
}

/// Delete an endpoint.
///
/// Its unfinished deliveries are cancelled; the log stays.
#[utoipa::path(
    delete, path = "/v1/endpoints/{id}", operation_id = "deleteEndpoint", tag = "Endpoints",
    params(("id" = String, Path, description = "`ep_…`")),
    responses((status = 204, description = "Deleted")),
)]
pub(crate) async fn delete_endpoint(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
) -> Result<Response, Problem> {
    caller.store(&api).delete_endpoint(&caller.scope, id, api.clock.now()).await.map_err(no_endpoint)?;
    api.engine.endpoint_changed(id);
    Ok(answer::no_content())
}

/// With its health as it is now.
fn shown(store: &dyn Store, endpoint: &Endpoint) -> EndpointView {
    EndpointView::of(endpoint, store.healths().of(endpoint).as_ref())
}

pub(crate) fn no_endpoint(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("endpoint"),
        other => other.into(),
    }
}

//! Enabling and disabling by hand.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::endpoint::{Endpoint, EndpointPatch};
use domain::id::EndpointId;
use http::StatusCode;

use super::{no_endpoint, shown};
use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::Manager;
use crate::fields::Fields;
use crate::once::once;
use crate::path::Id;
use crate::problem::Problem;
use crate::views::EndpointView;

/// Enable an endpoint.
///
/// Its unfinished deliveries go on.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/enable", operation_id = "enableEndpoint", tag = "Endpoints",
    params(
        ("id" = String, Path, description = "`ep_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    responses((status = 200, description = "The endpoint", body = EndpointView)),
)]
pub(crate) async fn enable_endpoint(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
    command: Command,
) -> Result<Response, Problem> {
    switch(&api, &caller, id, (&command, EndpointPatch { enabled: Some(true), ..EndpointPatch::default() }))
        .await
}

/// Disable an endpoint.
///
/// It gets no new deliveries; unfinished ones wait until it is enabled again.
#[utoipa::path(
    post, path = "/v1/endpoints/{id}/disable", operation_id = "disableEndpoint", tag = "Endpoints",
    params(
        ("id" = String, Path, description = "`ep_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    responses((status = 200, description = "The endpoint", body = EndpointView)),
)]
pub(crate) async fn disable_endpoint(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<EndpointId>,
    command: Command,
) -> Result<Response, Problem> {
    switch(&api, &caller, id, (&command, EndpointPatch { enabled: Some(false), ..EndpointPatch::default() }))
        .await
}

async fn switch(
    api: &Api,
    caller: &Manager,
    id: EndpointId,
    (command, patch): (&Command, EndpointPatch),
) -> Result<Response, Problem> {
    Fields::of_optional(&command.body)?.finish()?;
    once(api, caller, command, async |keep| {
        let store = Arc::clone(&api.store);
        let keep = keep
            .answer(move |endpoint: &Endpoint| (StatusCode::OK, answer::bytes(&shown(&*store, endpoint))));
        let now = api.clock.now();
        let changed = caller
            .store(api)
            .update_endpoint(&caller.scope, id, patch, now, keep)
            .await
            .map_err(no_endpoint)?;
        api.engine.endpoint_changed(id);
        Ok(answer::ok(&shown(&*api.store, &changed)))
    })
    .await
}

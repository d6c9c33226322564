//! Deliveries: the log, and what a person may do to one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::delivery::{Delivery, Status};
use domain::id::DeliveryId;
use http::{StatusCode, Uri};
use store::StoreError;
use store::deliveries::DeliveryFilter;
use store::queue::Due;

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::{Manager, Viewer};
use crate::event_types::type_filter;
use crate::fields::Fields;
use crate::once::once;
use crate::page::{List, Listing};
use crate::path::Id;
use crate::problem::Problem;
use crate::query::Params;
use crate::views::{DeliveryRow, DeliveryView, ListedDeliveryView};

/// List deliveries.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/deliveries", operation_id = "listDeliveries", tag = "Deliveries",
    params(
        ("endpointId" = Option<String>, Query, description = "Only deliveries to this endpoint"),
        ("eventId" = Option<String>, Query, description = "Only deliveries of this event"),
        ("locationId" = Option<String>, Query, description = "Only deliveries of this location's events"),
        ("type" = Option<String>, Query, description = "Only deliveries of events of this type"),
        ("status" = Option<String>, Query, description = "`pending`, `delivering`, `retrying`, `waiting`, `succeeded`, `failed` or `cancelled`"),
        ("since" = Option<String>, Query, description = "Created at or after this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Created before this RFC 3339 time"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<ListedDeliveryView>)),
)]
pub(crate) async fn list_deliveries(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let filter = filter(&api, &mut params);
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/deliveries", &caller.owner())
        .filter(filter.endpoint_id)
        .filter(filter.event_id)
        .filter(filter.location_id.as_ref())
        .filter(filter.type_name.as_ref())
        .filter(filter.status.map(Status::as_str))
        .filter(filter.span.since)
        .filter(filter.span.until);
    let page = api.store.list_deliveries(&caller.scope, filter, list.request(&wish)?).await?;
    Ok(answer::ok(&list.listing(page, |listed| ListedDeliveryView::of(&listed))))
}

fn filter(api: &Api, params: &mut Params) -> DeliveryFilter {
    let tenant_id = "must be an id: 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`";
    let statuses = "must be pending, delivering, retrying, waiting, succeeded, failed or cancelled";
    DeliveryFilter {
        endpoint_id: params
            .parsed("endpointId", "must be an endpoint's id: `ep_…`", |text| text.parse().ok()),
        event_id: params.parsed("eventId", "must be an event's id: `evt_…`", |text| text.parse().ok()),
        location_id: params.parsed("locationId", tenant_id, |text| text.parse().ok()),
        type_name: type_filter(api, params),
        status: params.parsed("status", statuses, Status::parse),
        span: params.span(),
    }
}

/// One delivery.
///
/// With its attempts, oldest first.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", operation_id = "getDelivery", tag = "Deliveries",
    params(("id" = String, Path, description = "`dlv_…`")),
    responses((status = 200, description = "The delivery", body = DeliveryView)),
)]
pub(crate) async fn get_delivery(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    Id(id): Id<DeliveryId>,
) -> Result<Response, Problem> {
    let (delivery, attempts) = api.store.delivery(&caller.scope, id).await.map_err(no_delivery)?;
    Ok(answer::ok(&DeliveryView::of(&delivery, &attempts)))
}

/// Retry a delivery.
///
/// Of a finished delivery, also a succeeded one, this makes a new delivery with the same `webhook-id`; of an unfinished one
/// it brings the next attempt forward.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "Deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    responses((status = 202, description = "The delivery that will be sent", body = DeliveryRow)),
)]
pub(crate) async fn retry_delivery(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<DeliveryId>,
    command: Command,
) -> Result<Response, Problem> {
    Fields::of_optional(&command.body)?.finish()?;
    once(&api, &caller, &command, async |keep| {
        let now = api.clock.now();
        let keep = keep
            .answer(|delivery: &Delivery| (StatusCode::ACCEPTED, answer::bytes(&DeliveryRow::of(delivery))));
        let new_id = api.ids.delivery(now);
        let retried = caller
            .store(&api)
            .retry_delivery(&caller.scope, id, new_id, now, keep)
            .await
            .map_err(no_delivery)?;
        api.engine.stored(Due { endpoint_id: retried.endpoint_id, due_at: now });
        Ok(answer::json(StatusCode::ACCEPTED, &DeliveryRow::of(&retried)))
    })
    .await
}

/// Cancel a delivery.
///
/// No further attempt is made. One that is running right now is not called back; its outcome is still logged.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/cancel", operation_id = "cancelDelivery", tag = "Deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    responses((status = 200, description = "The cancelled delivery", body = DeliveryRow)),
)]
pub(crate) async fn cancel_delivery(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<DeliveryId>,
    command: Command,
) -> Result<Response, Problem> {
    Fields::of_optional(&command.body)?.finish()?;
    once(&api, &caller, &command, async |keep| {
        let keep =
            keep.answer(|delivery: &Delivery| (StatusCode::OK, answer::bytes(&DeliveryRow::of(delivery))));
        let now = api.clock.now();
        let cancelled =
            caller.store(&api).cancel_delivery(&caller.scope, id, now, keep).await.map_err(no_delivery)?;
        api.engine.cancelled(cancelled.endpoint_id, cancelled.id);
        Ok(answer::ok(&DeliveryRow::of(&cancelled)))
    })
    .await
}

fn no_delivery(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("delivery"),
        other => other.into(),
    }
}

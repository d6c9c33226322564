//! Looking at events.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::event::{Considered, Fate};
use domain::id::EventId;
use domain::scope::Scope;
use http::Uri;
use store::StoreError;
use store::events::EventFilter;

use crate::Api;
use crate::answer;
use crate::caller::{Caller, Viewer};
use crate::event_types::type_filter;
use crate::page::{List, Listing};
use crate::path::Id;
use crate::problem::Problem;
use crate::query::Params;
use crate::views::{Became, EventRow, EventView};

const TENANT_ID: &str = "must be an id: 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`";

/// List events.
///
/// Newest first. Events of test sends are not listed.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "Events",
    params(
        ("locationId" = Option<String>, Query, description = "Only events of this location"),
        ("type" = Option<String>, Query, description = "Only events of this type"),
        ("since" = Option<String>, Query, description = "Created at or after this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Created before this RFC 3339 time"),
        ("undelivered" = Option<bool>, Query, description = "`true`: only events of which some considered endpoint has not succeeded"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<EventRow>)),
)]
pub(crate) async fn list_events(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let filter = EventFilter {
        location_id: params.parsed("locationId", TENANT_ID, |text| text.parse().ok()),
        type_name: type_filter(&api, &mut params),
        span: params.span(),
        undelivered_only: params.parsed("undelivered", "must be true or false", |text| text.parse().ok())
            == Some(true),
    };
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/events", &caller.owner())
        .filter(filter.location_id.as_ref())
        .filter(filter.type_name.as_ref())
        .filter(filter.span.since)
        .filter(filter.span.until)
        .filter(Some(filter.undelivered_only));
    let page = api.store.list_events(&caller.scope, filter, list.request(&wish)?).await?;
    Ok(answer::ok(&list.listing(page, |event| EventRow::of(&event))))
}

/// One event.
///
/// With its payload, and what became of it at each endpoint that was considered.
#[utoipa::path(
    get, path = "/v1/events/{id}", operation_id = "getEvent", tag = "Events",
    params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The event", body = EventView)),
)]
pub(crate) async fn get_event(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    Id(id): Id<EventId>,
) -> Result<Response, Problem> {
    let event = api.store.event(&caller.scope, id).await.map_err(no_event)?;
    let deliveries = api.store.deliveries_of(&caller.scope, id).await?;
    let shown = event.considered.iter().filter(|considered| {
        let delivered = deliveries.iter().any(|delivery| delivery.endpoint_id == considered.endpoint_id);
        delivered || is_visible(&api, &caller, considered)
    });
    let endpoints = shown.map(|considered| Became::of(considered, &deliveries)).collect();
    Ok(answer::ok(&EventView::of(&event, endpoints)))
}

fn no_event(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("event"),
        other => other.into(),
    }
}

/// Endpoints of other owners are not told of.
fn is_visible(api: &Api, caller: &Caller, considered: &Considered) -> bool {
    if caller.scope == Scope::Platform {
        return true;
    }
    let table = api.store.routes().read();
    let skipped = matches!(considered.fate, Fate::Skipped(_));
    skipped
        && table
            .endpoint(considered.endpoint_id)
            .is_some_and(|endpoint| table.sees(&caller.scope, &endpoint.owner))
}

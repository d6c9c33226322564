//! The catalogue as the API shows it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use catalogue::EventType;
use domain::endpoint::TypeName;
use http::Uri;
use store::page::Page;

use crate::Api;
use crate::answer;
use crate::caller::Viewer;
use crate::page::{List, Listing};
use crate::path::Id;
use crate::problem::{Code, Problem};
use crate::query::Params;
use crate::views::EventTypeView;

/// List the event types.
///
/// In catalogue order.
#[utoipa::path(
    get, path = "/v1/event-types", operation_id = "listEventTypes", tag = "Event types",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<EventTypeView>)),
)]
pub(crate) async fn list_event_types(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/event-types", &caller.owner());
    let request = list.request(&wish)?;
    let types = api.catalogue.types();
    let from = request.before.and_then(|place| usize::try_from(place).ok()).unwrap_or(0).min(types.len());
    let until = types.len().min(from + request.limit);
    let rows: Vec<&EventType> = types[from..until].iter().collect();
    let page = Page { rows, next: (until < types.len()).then_some(until as u128) };
    Ok(answer::ok(&list.listing(page, EventTypeView::of)))
}

/// One event type.
///
/// By its name or an alias.
#[utoipa::path(
    get, path = "/v1/event-types/{type}", operation_id = "getEventType", tag = "Event types",
    params(("type" = String, Path, description = "The name or an alias, such as `ContactCreate`")),
    responses((status = 200, description = "The event type", body = EventTypeView)),
)]
pub(crate) async fn get_event_type(
    State(api): State<Arc<Api>>,
    _caller: Viewer,
    Id(name): Id<String>,
) -> Result<Response, Problem> {
    let event_type = api.catalogue.find(&name).ok_or_else(|| Problem::not_found("event type"))?;
    Ok(answer::ok(&EventTypeView::of(event_type)))
}

/// The filter `type` of a list, canonical.
pub(crate) fn type_filter(api: &Api, params: &mut Params) -> Option<TypeName> {
    let name = params.text("type")?;
    match known_type(api, &name) {
        Ok(event_type) => Some(event_type.type_name().clone()),
        Err(sentence) => {
            params.faults.add(Code::UnknownType, "type", sentence);
            None
        }
    }
}

/// # Errors
/// A sentence that names the type that was probably meant.
pub(crate) fn known_type<'a>(api: &'a Api, name: &str) -> Result<&'a EventType, String> {
    api.catalogue.find(name).ok_or_else(|| {
        let shown: String = name.chars().take(100).collect();
        match api.catalogue.suggest(name) {
            Some(meant) => format!("names no event type (`{shown}`); did you mean `{}`?", meant.name()),
            None => format!("names no event type (`{shown}`); all are in /v1/event-types"),
        }
    })
}

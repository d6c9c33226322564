//! Locations and apps: what the platform tells us of who belongs to whom. Its own keys only may change that.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::app::App;
use domain::limits::{APP_SCOPE_LENGTH_MAX, APP_SCOPES_MAX, NAME_LENGTH_MAX};
use domain::location::{AppId, Location, LocationId};
use domain::scope::Owner;
use serde_json::Value;
use store::StoreError;
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::{Manager, Viewer};
use crate::fields::{Fields, Given};
use crate::path::Id;
use crate::problem::Problem;
use crate::views::{AppView, LocationView};

/// What to tell of a location; what is left out is null.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct LocationBody {
    #[schema(max_length = 256)]
    name: Option<String>,
    company_id: Option<String>,
}

/// What to tell of an app; what is left out is null.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it only describes the body, which is read field by field")]
pub(crate) struct AppBody {
    #[schema(max_length = 256)]
    name: Option<String>,
    /// Null holds all, an empty list none.
    #[schema(max_items = 200)]
    scopes: Option<Vec<String>>,
}

/// Register a location.
///
/// Creates or replaces its attributes. Publishing to a location that was never registered is fine.
#[utoipa::path(
    put, path = "/v1/locations/{id}", operation_id = "putLocation", tag = "Locations and apps",
    params(("id" = String, Path, description = "The platform's own id")),
    request_body(content = Option<LocationBody>, description = "Optional"),
    responses((status = 200, description = "As stored", body = LocationView)),
)]
pub(crate) async fn put_location(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<LocationId>,
    command: Command,
) -> Result<Response, Problem> {
    caller.on_the_platform_with(&api, "location", &Owner::Location(id.clone()))?;
    let mut fields = Fields::of_optional(&command.body)?;
    let name = fields.text("name", NAME_LENGTH_MAX).value();
    let company_id = fields.parsed("companyId", tenant_id).value();
    fields.finish()?;
    let location = Location { id, name, company_id };
    let stored = caller.store(&api).put_location(&caller.scope, location, api.clock.now()).await?;
    Ok(answer::ok(&LocationView::of(&stored)))
}

/// One location.
#[utoipa::path(
    get, path = "/v1/locations/{id}", operation_id = "getLocation", tag = "Locations and apps",
    params(("id" = String, Path, description = "The platform's own id")),
    responses((status = 200, description = "The location", body = LocationView)),
)]
pub(crate) async fn get_location(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    Id(id): Id<LocationId>,
) -> Result<Response, Problem> {
    let location = api.store.location(&caller.scope, &id).await.map_err(no_location)?;
    Ok(answer::ok(&LocationView::of(&location)))
}

/// Forget a location's attributes.
///
/// Its endpoints and its log stay.
#[utoipa::path(
    delete, path = "/v1/locations/{id}", operation_id = "deleteLocation", tag = "Locations and apps",
    params(("id" = String, Path, description = "The platform's own id")),
    responses((status = 204, description = "Forgotten")),
)]
pub(crate) async fn delete_location(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<LocationId>,
) -> Result<Response, Problem> {
    caller.on_the_platform_with(&api, "location", &Owner::Location(id.clone()))?;
    caller.store(&api).delete_location(&caller.scope, &id).await.map_err(no_location)?;
    Ok(answer::no_content())
}

/// Register an app.
///
/// Creates or replaces its attributes.
#[utoipa::path(
    put, path = "/v1/apps/{id}", operation_id = "putApp", tag = "Locations and apps",
    params(("id" = String, Path, description = "The platform's own id")),
    request_body(content = Option<AppBody>, description = "Optional"),
    responses((status = 200, description = "As stored", body = AppView)),
)]
pub(crate) async fn put_app(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<AppId>,
    command: Command,
) -> Result<Response, Problem> {
    caller.on_the_platform_with(&api, "app", &Owner::App(id.clone()))?;
    let mut fields = Fields::of_optional(&command.body)?;
    let name = fields.text("name", NAME_LENGTH_MAX).value();
    let scopes = scopes(&mut fields);
    fields.finish()?;
    let stored = caller.store(&api).put_app(&caller.scope, App { id, name, scopes }, api.clock.now()).await?;
    Ok(answer::ok(&AppView::of(&stored)))
}

fn scopes(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let Given::Value(items) = fields.list("scopes") else { return None };
    if items.len() > APP_SCOPES_MAX {
        fields.fault("scopes", format!("must have at most {APP_SCOPES_MAX} entries"));
        return None;
    }
    let mut scopes = Vec::new();
    for (n, item) in items.into_iter().enumerate() {
        match item {
            Value::String(scope) if is_scope(&scope) => scopes.push(scope),
            _ => {
                let detail =
                    format!("must be an OAuth scope: 1 to {APP_SCOPE_LENGTH_MAX} visible ASCII characters");
                fields.fault(&format!("scopes/{n}"), detail);
            }
        }
    }
    Some(scopes)
}

/// RFC 6749 §3.3, with a bound.
fn is_scope(text: &str) -> bool {
    (1..=APP_SCOPE_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// One app.
#[utoipa::path(
    get, path = "/v1/apps/{id}", operation_id = "getApp", tag = "Locations and apps",
    params(("id" = String, Path, description = "The platform's own id")),
    responses((status = 200, description = "The app", body = AppView)),
)]
pub(crate) async fn get_app(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    Id(id): Id<AppId>,
) -> Result<Response, Problem> {
    let app = api.store.app(&caller.scope, &id).await.map_err(no_app)?;
    Ok(answer::ok(&AppView::of(&app)))
}

/// Forget an app's attributes and installs.
///
/// Its endpoints and its log stay.
#[utoipa::path(
    delete, path = "/v1/apps/{id}", operation_id = "deleteApp", tag = "Locations and apps",
    params(("id" = String, Path, description = "The platform's own id")),
    responses((status = 204, description = "Forgotten")),
)]
pub(crate) async fn delete_app(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Id(id): Id<AppId>,
) -> Result<Response, Problem> {
    caller.on_the_platform_with(&api, "app", &Owner::App(id.clone()))?;
    caller.store(&api).delete_app(&caller.scope, &id).await.map_err(no_app)?;
    Ok(answer::no_content())
}

/// Reads an id of the platform's.
pub(crate) fn tenant_id<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "must be 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`".to_owned())
}

fn no_location(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("location"),
        other => other.into(),
    }
}

fn no_app(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("app"),
        other => other.into(),
    }
}

//! Installing and removing apps. The event that tells of it is published in the same transaction.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use catalogue::Validate;
use domain::app::InstallTarget;
use domain::fanout::Topology;
use domain::location::{AppId, CompanyId, LocationId};
use domain::scope::Owner;
use http::StatusCode;
use serde_json::{Map, Value};
use store::StoreError;
use store::tenants::InstallChange;

use crate::Api;
use crate::answer;
use crate::body::Command;
use crate::caller::Manager;
use crate::events::{Published, Wishes, fan_out, publication};
use crate::fields::Fields;
use crate::path::Ids;
use crate::problem::{Code, Problem};
use crate::views::InstallView;

/// Install an app in a location.
///
/// Publishes `AppInstall` in the same transaction; an app that is installed there already stays so, and nothing is published.
#[utoipa::path(
    put, path = "/v1/apps/{id}/installs/{locationId}", operation_id = "installApp", tag = "Locations and apps",
    params(("id" = String, Path, description = "The app"), ("locationId" = String, Path, description = "The location")),
    responses(
        (status = 201, description = "Installed", body = InstallView),
        (status = 200, description = "It was installed already", body = InstallView),
    ),
)]
pub(crate) async fn install_in_location(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Ids(app_id, location_id): Ids<AppId, LocationId>,
    command: Command,
) -> Result<Response, Problem> {
    Fields::of_optional(&command.body)?.finish()?;
    install(&api, &caller, app_id, InstallTarget::Location(location_id)).await
}

/// Remove an app from a location.
///
/// Publishes `AppUninstall` in the same transaction.
#[utoipa::path(
    delete, path = "/v1/apps/{id}/installs/{locationId}", operation_id = "uninstallApp", tag = "Locations and apps",
    params(("id" = String, Path, description = "The app"), ("locationId" = String, Path, description = "The location")),
    responses((status = 204, description = "Removed")),
)]
pub(crate) async fn uninstall_from_location(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Ids(app_id, location_id): Ids<AppId, LocationId>,
) -> Result<Response, Problem> {
    uninstall(&api, &caller, app_id, InstallTarget::Location(location_id)).await
}

/// Install an app for a whole company.
///
/// Publishes `AppInstall` in the same transaction; an app that is installed there already stays so, and nothing is published.
#[utoipa::path(
    put, path = "/v1/apps/{id}/company-installs/{companyId}", operation_id = "installAppInCompany",
    tag = "Locations and apps",
    params(("id" = String, Path, description = "The app"), ("companyId" = String, Path, description = "The company")),
    responses(
        (status = 201, description = "Installed", body = InstallView),
        (status = 200, description = "It was installed already", body = InstallView),
    ),
)]
pub(crate) async fn install_in_company(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Ids(app_id, company_id): Ids<AppId, CompanyId>,
    command: Command,
) -> Result<Response, Problem> {
    Fields::of_optional(&command.body)?.finish()?;
    install(&api, &caller, app_id, InstallTarget::Company(company_id)).await
}

/// Remove an app from a whole company.
///
/// Publishes `AppUninstall` in the same transaction.
#[utoipa::path(
    delete, path = "/v1/apps/{id}/company-installs/{companyId}", operation_id = "uninstallAppFromCompany",
    tag = "Locations and apps",
    params(("id" = String, Path, description = "The app"), ("companyId" = String, Path, description = "The company")),
    responses((status = 204, description = "Removed")),
)]
pub(crate) async fn uninstall_from_company(
    State(api): State<Arc<Api>>,
    caller: Manager,
    Ids(app_id, company_id): Ids<AppId, CompanyId>,
) -> Result<Response, Problem> {
    uninstall(&api, &caller, app_id, InstallTarget::Company(company_id)).await
}

async fn install(
    api: &Api,
    caller: &Manager,
    app_id: AppId,
    target: InstallTarget,
) -> Result<Response, Problem> {
    caller.on_the_platform_with(api, "app", &Owner::App(app_id.clone()))?;
    let (change, published) = change(api, "AppInstall", app_id.clone(), target.clone())?;
    let event_id = change.publication.event.id;
    match caller.store(api).install(&caller.scope, change).await? {
        Some(claim) => {
            published.hand_over(claim);
            api.counters.accepted(1);
            let view = InstallView::of(&app_id, &target, Some(event_id));
            Ok(answer::json(StatusCode::CREATED, &view))
        }
        None => Ok(answer::ok(&InstallView::of(&app_id, &target, None))),
    }
}

async fn uninstall(
    api: &Api,
    caller: &Manager,
    app_id: AppId,
    target: InstallTarget,
) -> Result<Response, Problem> {
    caller.on_the_platform_with(api, "app", &Owner::App(app_id.clone()))?;
    let (change, published) = change(api, "AppUninstall", app_id, target)?;
    let claim = caller.store(api).uninstall(&caller.scope, change).await.map_err(not_installed)?;
    published.hand_over(claim);
    api.counters.accepted(1);
    Ok(answer::no_content())
}

fn not_installed(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("install"),
        other => other.into(),
    }
}

/// The change with its event, placed in the engine as any published event is.
fn change(
    api: &Api,
    type_name: &str,
    app_id: AppId,
    target: InstallTarget,
) -> Result<(InstallChange, Published), Problem> {
    let payload = payload(api, type_name, &app_id, &target);
    let inspected = api.catalogue.inspect(&payload, Validate::Reject).map_err(|fault| {
        tracing::error!(%fault, type_name, "the payload of our own event does not fit the catalogue");
        Problem::new(
            Code::InternalError,
            "the server failed; nothing was changed: tell the operator the requestId",
        )
    })?;
    let wishes = Wishes { validate: Validate::Reject, origin_app_id: None };
    let choices = fan_out(api, &inspected, &wishes);
    let (publication, published) = publication(api, inspected, payload, choices);
    let now = publication.event.created_at();
    Ok((InstallChange { app_id, target, publication, now }, published))
}

fn payload(api: &Api, type_name: &str, app_id: &AppId, target: &InstallTarget) -> Bytes {
    let mut members = Map::new();
    let mut put = |name: &str, value: &str| members.insert(name.to_owned(), Value::from(value));
    put("type", type_name);
    put("appId", app_id.as_str());
    match target {
        InstallTarget::Company(company_id) => {
            put("companyId", company_id.as_str());
        }
        InstallTarget::Location(location_id) => {
            put("locationId", location_id.as_str());
            if let Some(company_id) = api.store.routes().read().company_of(location_id) {
                put("companyId", company_id.as_str());
            }
        }
    }
    answer::bytes(&members)
}

//! Locations, apps and installs as shown.

use domain::app::{App, InstallTarget};
use domain::id::EventId;
use domain::location::{AppId, Location};
use serde::Serialize;
use utoipa::ToSchema;

use super::text;

/// What the platform told us of a location.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Location)]
pub(crate) struct LocationView {
    id: String,
    #[schema(required)]
    name: Option<String>,
    /// The company that it is registered under; this, never a payload, decides routing.
    #[schema(required)]
    company_id: Option<String>,
}

/// What the platform told us of an app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
pub(crate) struct AppView {
    id: String,
    #[schema(required)]
    name: Option<String>,
    /// The OAuth scopes that it holds; null holds all, an empty list none.
    #[schema(required)]
    scopes: Option<Vec<String>>,
}

/// An app installed in a location or a company.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Install)]
pub(crate) struct InstallView {
    app_id: String,
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    /// The `AppInstall` that was published; null where the app was installed already.
    #[schema(required)]
    event_id: Option<String>,
}

impl LocationView {
    pub(crate) fn of(location: &Location) -> Self {
        let company_id = location.company_id.as_ref().map(text);
        Self { id: text(&location.id), name: location.name.clone(), company_id }
    }
}

impl AppView {
    pub(crate) fn of(app: &App) -> Self {
        Self { id: text(&app.id), name: app.name.clone(), scopes: app.scopes.clone() }
    }
}

impl InstallView {
    pub(crate) fn of(app_id: &AppId, target: &InstallTarget, event_id: Option<EventId>) -> Self {
        let (location_id, company_id) = match target {
            InstallTarget::Location(id) => (Some(text(id)), None),
            InstallTarget::Company(id) => (None, Some(text(id))),
        };
        Self { app_id: text(app_id), location_id, company_id, event_id: event_id.map(text) }
    }
}

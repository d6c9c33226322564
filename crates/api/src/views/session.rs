//! Sessions as shown.

use domain::session::Session;
use serde::Serialize;
use utoipa::ToSchema;

use super::{owner_ids, text, time};

/// A stay in the console or the portal, without what proves it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(crate) struct SessionView {
    id: String,
    /// All three are null for a session of the operator.
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    /// Of `manage` and `view`.
    permissions: Vec<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
    /// When its link was used; null: not yet.
    #[schema(required, format = DateTime)]
    opened_at: Option<String>,
    /// Within a minute.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// The caller's own session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CurrentSession {
    #[serde(flatten)]
    pub(crate) session: SessionView,
    /// To be sent as `x-csrf-token` with every change; null for a session that comes as a bearer token, which needs none.
    #[schema(required)]
    pub(crate) csrf_token: Option<String>,
}

/// A link that signs a person in, once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortalLink {
    /// The session that it opens.
    pub(crate) session_id: String,
    /// Good for one use within a minute. Null in an answer that is replayed.
    #[schema(required, example = "https://hooks.example.com/login?code=hpc_…")]
    pub(crate) url: Option<String>,
    #[schema(format = DateTime)]
    pub(crate) url_expires_at: String,
    /// The end of the session.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
}

impl SessionView {
    pub(crate) fn of(session: &Session) -> Self {
        let [location_id, company_id, app_id] = owner_ids(session.scope.owner().as_ref());
        Self {
            id: text(session.id),
            location_id,
            company_id,
            app_id,
            permissions: session.permissions.iter().map(|permission| permission.as_str()).collect(),
            created_at: time(session.id.created_at()),
            opened_at: session.opened_at.map(time),
            last_used_at: session.last_used_at.map(time),
            expires_at: time(session.expires_at),
        }
    }
}

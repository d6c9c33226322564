//! API keys as shown.

use domain::api_key::ApiKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::{owner_ids, text, time};

/// An API key without the key itself, which is not stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyView {
    id: String,
    name: String,
    /// All three are null for a key of the platform.
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    /// Of `publish`, `manage` and `view`.
    permissions: Vec<&'static str>,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    /// Within a minute; null: never.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A new API key, shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyCreated {
    #[serde(flatten)]
    pub(crate) view: ApiKeyView,
    /// Null in an answer that is replayed.
    #[schema(required, example = "hpk_…")]
    pub(crate) key: Option<String>,
}

impl ApiKeyView {
    pub(crate) fn of(key: &ApiKey) -> Self {
        let [location_id, company_id, app_id] = owner_ids(key.scope.owner().as_ref());
        Self {
            id: text(key.id),
            name: key.name.clone(),
            location_id,
            company_id,
            app_id,
            permissions: key.permissions.iter().map(|permission| permission.as_str()).collect(),
            expires_at: key.expires_at.map(time),
            last_used_at: key.last_used_at.map(time),
            created_at: time(key.id.created_at()),
        }
    }
}

//! Endpoints and their secrets as shown.

use std::collections::BTreeMap;

use domain::endpoint::{Endpoint, Subscription};
use domain::health::{Failing, describe};
use domain::secret::Secrets;
use domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{text, time};

/// Stands for the value of an endpoint's own header, which is a secret.
pub(crate) const HEADER_MASK: &str = "********";

/// A registered receiver URL with its subscription.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Endpoint)]
pub(crate) struct EndpointView {
    #[schema(example = "ep_01JB2Z8Q4X9T6K3M5N7P0R1S2V")]
    id: String,
    /// Exactly one of `locationId`, `companyId` and `appId` is set: the owner.
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    #[schema(example = "https://hooks.example.com/hoop")]
    url: String,
    description: String,
    /// Canonical names; `["*"]` is all, also future ones.
    event_types: Vec<String>,
    /// Reserved; always null in this version.
    #[schema(required, value_type = Option<String>)]
    filter: Option<()>,
    /// Reserved; always null in this version.
    #[schema(required, value_type = Option<String>)]
    transform: Option<()>,
    /// The endpoint's own headers. Values are secrets and shown as `********`.
    headers: BTreeMap<String, &'static str>,
    /// Reserved; always `none` in this version.
    ordering: &'static str,
    /// Reserved; always null in this version.
    #[schema(required, value_type = Option<f64>)]
    rate_limit: Option<()>,
    /// Seconds before attempts 2, 3, …; null is the server's schedule.
    #[schema(required)]
    retry_schedule: Option<Vec<u32>>,
    skip_own_events: bool,
    enabled: bool,
    health: HealthView,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// An endpoint's state in words that its owner understands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthView {
    /// `healthy`; `failing`: so many attempts failed in a row that new events wait, and one attempt at a time tests the
    /// receiver; `recovering`: it answers again, and what waited is being sent; `disabled`.
    state: &'static str,
    /// Why it is disabled: `by-hand`, `gone` or `failing`. While it is failing, how the latest attempt ended: `http-error`,
    /// `timeout`, `dns`, `connect`, `tls`, `blocked` or `protocol`.
    #[schema(required)]
    reason: Option<&'static str>,
    /// When the state began; while it is failing, when the first of the attempts failed.
    #[schema(format = DateTime)]
    since: String,
    /// A sentence for the receiver's owner.
    message: String,
}

/// A new endpoint, with its secret this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointCreated {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// Null in an answer that is replayed.
    #[schema(required)]
    secret: Option<String>,
}

/// An endpoint's secrets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointSecret)]
pub(crate) struct SecretView {
    /// Null in an answer that is replayed.
    #[schema(required)]
    secret: Option<String>,
    /// The secret before, while the grace of a rotation runs.
    #[schema(required)]
    previous_secret: Option<String>,
    #[schema(required, format = DateTime)]
    grace_until: Option<String>,
}

impl EndpointView {
    /// `failing`: what is kept of the endpoint as it stands.
    pub(crate) fn of(endpoint: &Endpoint, failing: Option<&Failing>) -> Self {
        let owned_by = |kind| (endpoint.owner.kind() == kind).then(|| endpoint.owner.id().to_owned());
        Self {
            id: text(endpoint.id),
            location_id: owned_by("location"),
            company_id: owned_by("company"),
            app_id: owned_by("app"),
            url: text(&endpoint.url),
            description: endpoint.description.clone(),
            event_types: names(&endpoint.subscription),
            filter: None,
            transform: None,
            headers: endpoint.headers.iter().map(|(name, _)| (name.clone(), HEADER_MASK)).collect(),
            ordering: "none",
            rate_limit: None,
            retry_schedule: endpoint.retry_schedule.clone(),
            skip_own_events: endpoint.skip_own_events,
            enabled: endpoint.is_enabled(),
            health: HealthView::of(endpoint, failing),
            created_at: time(endpoint.created_at),
            updated_at: time(endpoint.updated_at),
        }
    }
}

fn names(subscription: &Subscription) -> Vec<String> {
    match subscription {
        Subscription::All => vec!["*".to_owned()],
        Subscription::Types(names) => names.iter().map(text).collect(),
    }
}

impl HealthView {
    pub(super) fn of(endpoint: &Endpoint, failing: Option<&Failing>) -> Self {
        let health = describe(endpoint, failing);
        Self {
            state: health.state,
            reason: health.reason,
            since: time(health.since),
            message: health.message,
        }
    }
}

impl EndpointCreated {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let secret = Some(endpoint.secrets.current.expose().to_owned());
        Self { endpoint: EndpointView::of(endpoint, None), secret }
    }

    pub(crate) fn without_secret(endpoint: &Endpoint) -> Self {
        Self { endpoint: EndpointView::of(endpoint, None), secret: None }
    }
}

impl SecretView {
    pub(crate) fn of(secrets: &Secrets, now: Timestamp) -> Self {
        let previous = secrets.previous_at(now);
        Self {
            secret: Some(secrets.current.expose().to_owned()),
            previous_secret: previous.map(|previous| previous.secret.expose().to_owned()),
            grace_until: previous.map(|previous| time(previous.grace_until)),
        }
    }

    pub(crate) fn without_secrets(secrets: &Secrets, now: Timestamp) -> Self {
        Self { secret: None, previous_secret: None, ..Self::of(secrets, now) }
    }
}

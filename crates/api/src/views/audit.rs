//! The audit log as shown, and what its entries show.

use bytes::Bytes;
use domain::audit::{Actor, AuditEntry};
use domain::scope::Scope;
use serde::Serialize;
use serde_json::value::RawValue;
use store::audit::Subject;
use utoipa::ToSchema;

use super::{
    ApiKeyView, AppView, DeliveryRow, EndpointView, InstallView, LocationView, SessionView, owner_ids, text,
    time,
};
use crate::answer;

/// One change, or one look at a secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct AuditView {
    id: String,
    #[schema(format = DateTime)]
    at: String,
    /// Such as `endpoint.updated`.
    action: &'static str,
    actor: ActorView,
    /// The other end of the connection: the caller's, or that of a proxy before the server. Null where the actor is of another
    /// world than the reader, such as the platform's.
    #[schema(required)]
    address: Option<String>,
    request_id: String,
    /// Whose object it is; all three are null for what is the platform's own.
    #[schema(required)]
    location_id: Option<String>,
    #[schema(required)]
    company_id: Option<String>,
    #[schema(required)]
    app_id: Option<String>,
    object: ObjectView,
    /// As the API showed it, without secrets; null where there was none.
    #[schema(required, value_type = Option<Object>)]
    before: Option<Box<RawValue>>,
    #[schema(required, value_type = Option<Object>)]
    after: Option<Box<RawValue>>,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct ActorView {
    /// `platform-key`, `api-key`, `session` or `system`.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    kind: &'static str,
    /// Null where the actor is of another world than the reader.
    #[schema(required)]
    id: Option<String>,
    /// Of an API key, as it was then.
    #[schema(required)]
    name: Option<String>,
}

/// What it was done to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditObject)]
struct ObjectView {
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    kind: String,
    id: String,
}

impl AuditView {
    /// `sees`: whether the caller's world holds what is of this scope. Where somebody of another world is, and what his key is
    /// called, is not told.
    pub(crate) fn of(entry: AuditEntry, sees: impl Fn(&Scope) -> bool) -> Self {
        let sees_actor = sees(entry.actor.scope());
        let actor = ActorView::of(entry.actor);
        let address = entry.address.filter(|_| sees_actor);
        let [location_id, company_id, app_id] = owner_ids(entry.owner.as_ref());
        Self {
            id: text(entry.id),
            at: time(entry.id.created_at()),
            action: entry.action.as_str(),
            actor: if sees_actor { actor } else { actor.by_kind_alone() },
            address: address.map(text),
            request_id: entry.request_id,
            location_id,
            company_id,
            app_id,
            object: ObjectView { kind: entry.object.kind, id: entry.object.id },
            before: entry.before.and_then(raw),
            after: entry.after.and_then(raw),
        }
    }
}

impl ActorView {
    fn of(actor: Actor) -> Self {
        let (kind, id, name) = match actor {
            Actor::PlatformKey => ("platform-key", None, None),
            Actor::ApiKey { id, name, .. } => ("api-key", Some(text(id)), Some(name)),
            Actor::Session { id, .. } => ("session", Some(text(id)), None),
            Actor::System => ("system", None, None),
        };
        Self { kind, id, name }
    }

    fn by_kind_alone(self) -> Self {
        Self { id: None, name: None, ..self }
    }
}

fn raw(bytes: Bytes) -> Option<Box<RawValue>> {
    serde_json::from_slice(&bytes).ok()
}

/// What an entry shows of an object: as the API shows it, which is never with a secret.
pub(crate) fn audited(subject: Subject<'_>) -> Bytes {
    match subject {
        Subject::Endpoint(endpoint) => answer::bytes(&EndpointView::of(endpoint, None)),
        Subject::Location(location) => answer::bytes(&LocationView::of(location)),
        Subject::App(app) => answer::bytes(&AppView::of(app)),
        Subject::Install(app_id, target) => answer::bytes(&InstallView::of(app_id, target, None)),
        Subject::ApiKey(key) => answer::bytes(&ApiKeyView::of(key)),
        Subject::Session(session) => answer::bytes(&SessionView::of(session)),
        Subject::Delivery(delivery) => answer::bytes(&DeliveryRow::of(delivery)),
    }
}

//! The audit log: who changed what, when, from where. It can only be read.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::audit::Action;
use domain::limits::TENANT_ID_LENGTH_MAX;
use domain::scope::Scope;
use http::Uri;
use store::audit::AuditFilter;

use crate::Api;
use crate::answer;
use crate::caller::Manager;
use crate::endpoints::owner_filter;
use crate::page::{List, Listing};
use crate::problem::Problem;
use crate::query::Params;
use crate::views::AuditView;

/// List the audit log.
///
/// Every change and every look at a secret, newest first: who, what, when and from where, with the object before and after,
/// without secrets. Needs the permission `manage`.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "listAudit", tag = "Audit",
    params(
        ("locationId" = Option<String>, Query, description = "Only objects of this location"),
        ("companyId" = Option<String>, Query, description = "Only objects of this company"),
        ("appId" = Option<String>, Query, description = "Only objects of this app"),
        ("objectId" = Option<String>, Query, description = "Only this object: an id such as `ep_…`"),
        ("action" = Option<String>, Query, description = "Only this action, such as `endpoint.updated`"),
        ("since" = Option<String>, Query, description = "RFC 3339, inclusive"),
        ("until" = Option<String>, Query, description = "RFC 3339, exclusive"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 by default"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = Listing<AuditView>)),
)]
pub(crate) async fn list_audit(
    State(api): State<Arc<Api>>,
    caller: Manager,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let object_id = |text: &str| (1..=TENANT_ID_LENGTH_MAX).contains(&text.len()).then(|| text.to_owned());
    let filter = AuditFilter {
        owner: owner_filter(&mut params),
        action: params.parsed("action", "must be an action such as `endpoint.updated`", Action::parse),
        object_id: params.parsed("objectId", "must be an id of 1 to 64 characters", object_id),
        span: params.span(),
    };
    let wish = params.page();
    params.finish()?;
    let list = List::new(&api.settings.cursor_key, "/v1/audit", &caller.owner())
        .filter(filter.owner.as_ref().map(|owner| owner.kind()))
        .filter(filter.owner.as_ref().map(|owner| owner.id()))
        .filter(filter.action.map(Action::as_str))
        .filter(filter.object_id.as_ref())
        .filter(filter.span.since)
        .filter(filter.span.until);
    let page = api.store.list_audit(&caller.scope, filter, list.request(&wish)?).await?;
    let routes = api.store.routes().read();
    let sees = |scope: &Scope| match scope.owner() {
        Some(owner) => routes.sees(&caller.scope, &owner),
        None => caller.scope == Scope::Platform,
    };
    Ok(answer::ok(&list.listing(page, |entry| AuditView::of(entry, sees))))
}

//! Whether the process lives, and whether it can do its work.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::answer;
use crate::problem::Problem;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerState)]
pub(crate) struct StateView {
    /// `ok` or `ready`.
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", operation_id = "getHealth", tag = "Server", security(()),
    responses((status = 200, description = "It lives", body = StateView)),
)]
pub(crate) async fn healthz() -> Response {
    answer::ok(&StateView { status: "ok" })
}

/// Whether requests can be answered.
///
/// The store is asked for a read and a write.
#[utoipa::path(
    get, path = "/readyz", operation_id = "getReadiness", tag = "Server", security(()),
    responses((status = 200, description = "It is ready", body = StateView)),
)]
pub(crate) async fn readyz(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    api.store.ping().await?;
    Ok(answer::ok(&StateView { status: "ready" }))
}

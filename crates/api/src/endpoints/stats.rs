//! What became of an endpoint's attempts, counted.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::id::EndpointId;
use domain::tally::Window;
use http::Uri;

use super::no_endpoint;
use crate::Api;
use crate::answer;
use crate::caller::Viewer;
use crate::path::Id;
use crate::problem::Problem;
use crate::query::Params;
use crate::views::StatsView;

/// An endpoint's statistics.
///
/// Attempts counted by outcome, and how long the receiver took to answer, in the window up to now and in each of its equal spans.
/// An attempt counts in the span in which it ended; test sends are not counted. Counts are kept for 30 days, whatever the
/// retention of the log, and go with the endpoint.
#[utoipa::path(
    get, path = "/v1/endpoints/{id}/stats", operation_id = "getEndpointStats", tag = "Endpoints",
    params(
        ("id" = String, Path, description = "`ep_…`"),
        ("window" = Option<String>, Query, description = "`1h` (60 spans of a minute), `24h` (96 of 15 minutes, the default), `7d` (84 of 2 hours) or `30d` (90 of 8 hours)"),
    ),
    responses((status = 200, description = "What became of the attempts", body = StatsView)),
)]
pub(crate) async fn get_endpoint_stats(
    State(api): State<Arc<Api>>,
    caller: Viewer,
    Id(id): Id<EndpointId>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri);
    let window = params.parsed("window", "must be 1h, 24h, 7d or 30d", Window::parse).unwrap_or(Window::Day);
    params.finish()?;
    let now = api.clock.now();
    let tallied = api.store.tallies(&caller.scope, id, window, now).await.map_err(no_endpoint)?;
    Ok(answer::ok(&StatsView::of(id, window, &tallied, now)))
}

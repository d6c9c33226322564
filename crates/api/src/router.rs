//! Every route, in one list that is also the OpenAPI document's, and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{
    Api, api_keys, audit, deliveries, docs, endpoints, event_types, events, health, installs, layers, login,
    sessions, signatures, stream, system, tenants,
};

/// What the paths of programs begin with: they are told what they did wrong and shown no page.
const PROGRAMS: [&str; 7] = ["v1", "metrics", "healthz", "readyz", "openapi.json", "docs", "login"];

/// The API as a service. `pages` answers what browsers ask for where the API has no route, but where a program asks, which is 404
/// as a problem; `/metrics` is the binary's.
pub fn router(api: Arc<Api>, pages: Router) -> Router {
    let (router, _) = guarded().split_for_parts();
    let (probes, _) = probes().split_for_parts();
    let probes = probes.method_not_allowed_fallback(layers::no_method).layer(from_fn(layers::bound));
    router
        .merge(login::router())
        .fallback(move |request| no_route(pages, request))
        .method_not_allowed_fallback(layers::no_method)
        .layer(from_fn_with_state(Arc::clone(&api), layers::guard))
        .merge(probes)
        .layer(from_fn_with_state(Arc::clone(&api), layers::observe))
        .with_state(api)
}

async fn no_route(pages: Router, request: Request) -> Response {
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    if PROGRAMS.contains(&first) || !request.method().is_safe() {
        return layers::no_route().await.into_response();
    }
    pages.oneshot(request).await.into_response()
}

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    guarded().merge(probes())
}

/// What must answer however busy the server is.
fn probes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(health::healthz)).routes(routes!(health::readyz))
}

fn guarded() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(events::publish_event, events::list_events))
        .routes(routes!(events::publish_batch))
        .routes(routes!(events::get_event))
        .routes(routes!(endpoints::list_endpoints, endpoints::create_endpoint))
        .routes(routes!(endpoints::get_endpoint, endpoints::update_endpoint, endpoints::delete_endpoint))
        .routes(routes!(endpoints::enable_endpoint))
        .routes(routes!(endpoints::disable_endpoint))
        .routes(routes!(endpoints::test_endpoint))
        .routes(routes!(endpoints::get_endpoint_stats))
        .routes(routes!(endpoints::get_secret))
        .routes(routes!(endpoints::rotate_secret))
        .routes(routes!(endpoints::promote_secret))
        .routes(routes!(signatures::explain_signatures))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::get_delivery))
        .routes(routes!(deliveries::retry_delivery))
        .routes(routes!(deliveries::cancel_delivery))
        .routes(routes!(stream::stream_events))
        .routes(routes!(event_types::list_event_types))
        .routes(routes!(event_types::get_event_type))
        .routes(routes!(tenants::put_location, tenants::get_location, tenants::delete_location))
        .routes(routes!(tenants::put_app, tenants::get_app, tenants::delete_app))
        .routes(routes!(installs::install_in_location, installs::uninstall_from_location))
        .routes(routes!(installs::install_in_company, installs::uninstall_from_company))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::delete_api_key))
        .routes(routes!(sessions::create_portal_session))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::current_session))
        .routes(routes!(sessions::delete_session))
        .routes(routes!(audit::list_audit))
        .routes(routes!(system::get_system))
        .routes(routes!(system::rotate_master_key))
        .routes(routes!(docs::openapi_json))
        .routes(routes!(docs::reference))
        .routes(routes!(docs::error_page))
}

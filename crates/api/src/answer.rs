//! JSON answers.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

pub(crate) fn json(status: StatusCode, view: &impl Serialize) -> Response {
    json_bytes(status, bytes(view))
}

pub(crate) fn ok(view: &impl Serialize) -> Response {
    json(StatusCode::OK, view)
}

pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The JSON of a view, for an answer that is kept.
pub(crate) fn bytes(view: &impl Serialize) -> Bytes {
    serde_json::to_vec(view).expect("views have text keys only and serialise without fail").into()
}

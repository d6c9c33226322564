//! The web console: the files that `web/` was built to, and what a browser needs to know of whose console it is.
//!
//! It knows no store and no route of the API; the console is a client of the public API like any other. Nothing here is
//! secret, so nothing asks who calls.

mod brand;
mod encoding;
mod files;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use brand::{Brand, BrandFault, Color, Logo, Name, Parent, Parents, Stage};

use crate::encoding::Encodings;
use crate::files::File;

const INDEX: &str = "index.html";
/// Their names hold a hash of what is in them.
const HASHED: &str = "assets/";
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Asked for again each time, and then mostly not sent.
const CHECKED: HeaderValue = HeaderValue::from_static("no-cache");
const NOT_BUILT: &str = include_str!("not_built.html");

#[derive(Debug)]
struct Console {
    brand: Brand,
    policy: HeaderValue,
}

/// Answers `GET` for every path: a file of the console, its brand, or else the page that finds its way by the path.
pub fn router(brand: Brand) -> Router {
    let policy = brand.content_policy();
    Router::new()
        .route("/brand.json", get(told))
        .route("/brand/logo", get(logo))
        .fallback(page_or_file)
        .with_state(Arc::new(Console { brand, policy }))
}

async fn told(State(console): State<Arc<Console>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, console.brand.json()).into_response()
}

async fn logo(State(console): State<Arc<Console>>) -> Response {
    let Some(Logo { media_type, bytes }) = &console.brand.logo else { return not_there() };
    let headers = [(header::CONTENT_TYPE, *media_type), (header::CACHE_CONTROL, "no-cache")];
    let mut response = (headers, bytes.clone()).into_response();
    // An SVG may hold script, which shall not run when it is opened by itself.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

async fn page_or_file(State(console): State<Arc<Console>>, request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
    }
    match found(request.uri()) {
        Some(file) => console.answer(&file, request.headers()),
        None => not_there(),
    }
}

/// A path without a file is one of the console's own pages, which the index shows; but not where a file is meant.
fn found(uri: &Uri) -> Option<File> {
    let path = uri.path().trim_start_matches('/');
    let named = if path.is_empty() { INDEX } else { path };
    let means_a_file =
        path.starts_with(HASHED) || path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    File::named(named)
        .or_else(|| if means_a_file { None } else { File::named(INDEX).or(Some(File::not_built(NOT_BUILT))) })
}

fn not_there() -> Response {
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "there is no such file\n")
        .into_response()
}

impl Console {
    fn answer(&self, file: &File, asked: &HeaderMap) -> Response {
        let (encoding, bytes) = file.encoded(Encodings::accepted(asked));
        let tag = file.tag(encoding);
        let mut response = match asked.get(header::IF_NONE_MATCH).is_some_and(|known| *known == tag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => bytes.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, file.media_type());
        headers.insert(header::ETAG, tag);
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers
            .insert(header::CACHE_CONTROL, if file.name().starts_with(HASHED) { FOREVER } else { CHECKED });
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        response
    }
}

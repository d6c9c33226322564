//! What surrounds every request: its id, its log line, its headers, its bounds.
//!
//! `observed` is the outermost and writes problems; `guarded` runs the handler. `observe` and `guard` are the router's names
//! for them. Nothing here logs a token, a secret, a payload or
//! the value of a query.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::limits::REQUEST_HEADER_BYTES_MAX;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use tracing::Instrument;

use crate::Api;
use crate::determined::Determined;
use crate::host;
use crate::problem::{Code, Problem};

/// How long a handler may take. A test send takes up to 10 s, a body up to 30 s to arrive.
const HANDLER_TIME_MAX: Duration = Duration::from_secs(60);
const REQUEST_ID_LENGTH_MAX: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, the caller's own or a new one.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// What is said of a request in the log and counted of it.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'static str,
    /// As in the document, or empty.
    pub(crate) route: &'a str,
    pub(crate) id: RequestId,
}

pub(crate) async fn observe(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let id = request_id(&api, request.headers());
    request.extensions_mut().insert(id.clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str).unwrap_or_default();
    let asked = Asked { method: known(request.method()), route, id };
    observed(&api, asked, next.run(request)).await
}

/// The answer that `work` comes to, as it leaves.
pub(crate) async fn observed(api: &Api, asked: Asked<'_>, work: impl Future<Output = Response>) -> Response {
    let started = Instant::now();
    let Asked { method, route, id } = asked;
    // A span is written out when it is made, whether or not a line follows in it; that is for those who ask for it.
    let span = tracing::debug_span!("request", method, route, id = &*id.0);
    let mut response = work.instrument(span).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = written(&problem, &id, &response);
        if let Some(cause) = problem.cause {
            tracing::error!(id = &*id.0, error = &*cause as &dyn std::error::Error, "the store failed");
        }
    }
    put_headers(response.headers_mut(), &id);
    let took = started.elapsed();
    log(response.status().as_u16(), (method, route, &id), took);
    api.counters.answered((method, route, response.status().as_u16() / 100), took);
    response
}

/// A header such as `allow`, which the router set beside the problem, is kept.
fn written(problem: &Problem, id: &RequestId, carrier: &Response) -> Response {
    let mut response = problem.write(&id.0);
    if let Some(allow) = carrier.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}

pub(crate) fn request_id(api: &Api, headers: &HeaderMap) -> RequestId {
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    RequestId(match given.filter(|text| is_sane(text)) {
        Some(text) => text.into(),
        None => {
            let id = api.ids.event(api.clock.now()).to_string();
            format!("req_{}", id.trim_start_matches("evt_")).into()
        }
    })
}

fn is_sane(text: &str) -> bool {
    (1..=REQUEST_ID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Methods are a label of a metric, so a stranger must not be able to invent them.
fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn put_headers(headers: &mut HeaderMap, id: &RequestId) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    put_security_headers(headers);
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
}

/// What keeps a browser from making anything of an answer but what it is. A page that brings its own policy keeps it. There
/// is no `access-control-*`, so that no other site's script can read an answer; and no HSTS, which is the TLS proxy's to say.
pub fn put_security_headers(headers: &mut HeaderMap) {
    let may_be_framed = headers
        .get(header::CONTENT_SECURITY_POLICY)
        .is_some_and(|policy| policy.to_str().is_ok_and(|text| text.contains("frame-ancestors 'self'")));
    let all = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    // Older than the policy's directive, and it knows no list of origins.
    for (name, value) in all.into_iter().filter(|(name, _)| !may_be_framed || name != header::X_FRAME_OPTIONS)
    {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// What is wrong with a request's head alone, whatever it asks for.
pub(crate) fn judge_head(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if bytes.sum::<usize>() > REQUEST_HEADER_BYTES_MAX {
        return Err(Problem::new(
            Code::HeadersTooLarge,
            format!(
                "the headers of a request may have {REQUEST_HEADER_BYTES_MAX} bytes in all: send fewer or shorter ones"
            ),
        ));
    }
    host::judge(version, headers)
}

/// Answered like every other.
pub(crate) async fn refused_head(
    api: &Api,
    (method, headers): (&Method, &HeaderMap),
    problem: Problem,
) -> Response {
    let asked = Asked { method: known(method), route: "", id: request_id(api, headers) };
    observed(api, asked, async { problem.into_response() }).await
}

fn log(status: u16, (method, route, id): (&'static str, &str, &RequestId), took: Duration) {
    let (id, duration_ms) = (&*id.0, took.as_millis() as u64);
    match status {
        500.. => tracing::warn!(method, route, id, status, duration_ms, "failed"),
        // Whoever sends too much must not fill the log as well; the counters tell.
        429 => tracing::debug!(method, route, id, status, duration_ms, "told to wait"),
        400.. => tracing::info!(method, route, id, status, duration_ms, "refused"),
        _ => tracing::debug!(method, route, id, status, duration_ms, "answered"),
    }
}

pub(crate) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    guarded(&api, &method, Box::pin(next.run(request))).await
}

/// For probes, which take no place: they cost next to nothing, and a server whose places are all taken lives.
pub(crate) async fn bound(request: Request, next: Next) -> Response {
    bounded(unwound(next.run(request))).await
}

/// `work` within the server's bounds, and to its end if it may change something and its body has come.
pub(crate) async fn guarded(api: &Api, method: &Method, work: BoxFuture<'static, Response>) -> Response {
    let Ok(_place) = api.requests.try_acquire() else {
        return Problem::new(
            Code::TooManyRequests,
            "the server is answering as many requests as it can: try again later",
        )
        .into_response();
    };
    let work = unwound(work);
    match method.is_safe() {
        true => bounded(work).await,
        false => bounded(Determined::new(work.instrument(tracing::Span::current()), &api.tasks)).await,
    }
}

fn unwound<F: Future<Output = Response>>(work: F) -> impl Future<Output = Result<Response, ()>> + use<F> {
    AssertUnwindSafe(work).catch_unwind().map(|ran| ran.map_err(|_| ()))
}

async fn bounded(work: impl Future<Output = Result<Response, ()>>) -> Response {
    match tokio::time::timeout(HANDLER_TIME_MAX, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(())) => panicked().into_response(),
        Err(_) => Problem::new(
            Code::StoreUnavailable,
            "the request took too long; nothing is promised: repeat it with the same Idempotency-Key",
        )
        .ending_connection()
        .into_response(),
    }
}

pub(crate) fn panicked() -> Problem {
    tracing::error!("a handler panicked; the panic's own message stands before this line");
    Problem::new(
        Code::InternalError,
        "the server failed; nothing is promised: tell the operator the requestId",
    )
}

pub(crate) async fn no_route() -> Problem {
    Problem::new(Code::NotFound, "there is no such route: all are in /openapi.json")
}

pub(crate) async fn no_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "this route does not have this method: the header `allow` names those it has",
    )
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    #[derive(Default)]
    struct Levels(Mutex<Vec<Level>>);

    impl Subscriber for Levels {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            self.0.lock().push(*event.metadata().level());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_flood_that_is_told_to_wait_does_not_fill_the_log() {
        let levels = Arc::new(Levels::default());
        tracing::subscriber::with_default(Arc::clone(&levels), || {
            for status in [202, 401, 429, 503] {
                log(status, ("POST", "/v1/events", &RequestId("r".into())), Duration::ZERO);
            }
        });
        assert_eq!(*levels.0.lock(), [Level::DEBUG, Level::INFO, Level::DEBUG, Level::WARN]);
    }

    #[test]
    fn a_request_id_is_short_and_plain() {
        assert!(is_sane("0b1c-A_z.9:x"));
        for bad in ["", " ", "a b", "a\"b", "é", &"x".repeat(129)] {
            assert!(!is_sane(bad), "{bad}");
        }
    }
}

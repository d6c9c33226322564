//! What the router and its layers answer by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use domain::api_key::{ApiKey, Permission};
use domain::endpoint::{Endpoint, EndpointState, Subscription};
use domain::id::IdSource;
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use futures::{FutureExt, StreamExt};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::known::Known;
use tower::ServiceExt;

use crate::stand_in::{KEY, NOW, NoStore, NotingEngine, StandingClock, api, api_on};
use crate::{Front, router};

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    /// Status and code.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json()["requestId"], self.header("x-request-id"));
        assert_eq!(self.json()["status"], self.status);
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}

fn routed(api: Arc<crate::Api>) -> Router {
    router(api, Router::new().fallback(crate::layers::no_route))
}

async fn send(store: NoStore, request: Request<Body>) -> Answered {
    let api = api(Arc::new(store), Arc::default());
    let response = Front::new(Arc::clone(&api), routed(api)).oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answered { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let bearer = format!("Bearer {KEY}");
    let request = Request::builder().method(method).uri(path).header("host", "x");
    request.header("authorization", bearer).body(body.into()).unwrap()
}

async fn ask(method: &str, path: &str, body: &str) -> Answered {
    send(NoStore::default(), request(method, path, body.to_owned())).await
}

fn said(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A path of the document with every parameter filled in.
fn concrete(path: &str) -> String {
    let path = path.replace("{type}", "ContactCreate").replace("{code}", "not-found");
    let path = path.replace("{locationId}", "loc").replace("{companyId}", "comp");
    let prefix = match path.split('/').nth(2) {
        Some("events") => "evt_",
        Some("endpoints") => "ep_",
        Some("deliveries") => "dlv_",
        Some("api-keys") => "key_",
        _ => "",
    };
    path.replace("{id}", &format!("{prefix}01JB2Z8Q4X9T6K3M5N7P0R1S2V"))
}

#[tokio::test]
async fn the_router_has_the_document_s_routes_and_methods_and_no_others() {
    let document = crate::openapi(&catalogue::Catalogue::builtin());
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let answered = send(NoStore::default(), {
                let request = Request::builder().method(method.to_uppercase().as_str()).uri(concrete(path));
                request.header("host", "x").body(Body::empty()).unwrap()
            });
            let answered = answered.await;
            let allowed = answered.header("allow").to_lowercase();
            let names: Vec<&str> = allowed.split(',').collect();
            match item.get(method) {
                Some(_) => assert_ne!(answered.status, 405, "{method} {path}"),
                None => {
                    assert_eq!(answered.problem(), said(405, "method-not-allowed"), "{method} {path}");
                    assert!(
                        names.iter().all(|name| *name == "head" || item.get(*name).is_some()),
                        "{allowed}"
                    );
                }
            }
            if item.get(method).is_some_and(|operation| operation.get("security").is_none()) {
                assert_eq!(answered.problem(), said(401, "unauthorized"), "{method} {path}");
                assert!(answered.header("www-authenticate").starts_with("Bearer"));
            }
        }
    }
}

#[tokio::test]
async fn what_is_unknown_or_of_the_wrong_shape_is_404() {
    for path in
        ["/nothing", "/v1", "/v1/nothing", "/v1/events/", "/docs/errors/nothing", "/v1/event-types/Nothing"]
    {
        assert_eq!(ask("GET", path, "").await.problem(), said(404, "not-found"), "{path}");
    }
    let good = "01JB2Z8Q4X9T6K3M5N7P0R1S2V";
    for path in [
        "/v1/events/evt_1".to_owned(),
        format!("/v1/events/dlv_{good}"),
        format!("/v1/endpoints/ep_{good}"),
        "/v1/locations/a%20b".to_owned(),
        format!("/v1/apps/{}", "a".repeat(65)),
        "/v1/deliveries/%ff".to_owned(),
    ] {
        assert_eq!(ask("GET", &path, "").await.problem(), said(404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_an_id_and_security_headers() {
    let mut asked = request("GET", "/healthz", "");
    asked.headers_mut().insert("x-request-id", "mine-1".parse().unwrap());
    let answered = send(NoStore::default(), asked).await;
    assert_eq!((answered.status, answered.header("x-request-id")), (200, "mine-1"));
    assert_eq!(answered.header("x-content-type-options"), "nosniff");
    assert_eq!(answered.header("cache-control"), "no-store");
    assert_eq!(answered.header("referrer-policy"), "no-referrer");
    let answered = ask("GET", "/v1/nothing", "").await;
    assert!(answered.header("x-request-id").starts_with("req_"), "{:?}", answered.headers);
    assert_eq!(ask("HEAD", "/healthz", "").await.status, 200);
    assert_eq!(ask("HEAD", "/healthz", "").await.body, "");
}

#[tokio::test]
async fn a_store_that_is_away_is_503_with_retry_after_and_a_panic_is_500() {
    let answered = ask("GET", "/v1/events", "").await;
    assert_eq!(answered.problem(), said(503, "store-unavailable"));
    assert!(!answered.header("retry-after").is_empty());
    let answered = ask("GET", "/readyz", "").await;
    assert_eq!(answered.problem(), said(500, "internal-error"));
    assert!(!answered.body.contains("as a test wants it"));
}

#[tokio::test]
async fn a_permission_that_is_missing_is_403_and_an_expired_key_401() {
    for (permissions, expires_at, method, path, expected) in [
        (vec![Permission::View], None, "POST", "/v1/events", said(403, "forbidden")),
        (vec![Permission::View], None, "POST", "/v1/endpoints", said(403, "forbidden")),
        (vec![Permission::Publish], None, "GET", "/v1/events", said(403, "forbidden")),
        (vec![Permission::Publish], None, "POST", "/v1/events", said(400, "invalid-json")),
        (vec![Permission::View], Some(NOW), "GET", "/v1/events", said(401, "unauthorized")),
        (
            vec![Permission::View],
            Some(NOW.plus_millis(1)),
            "GET",
            "/v1/events",
            said(503, "store-unavailable"),
        ),
    ] {
        let key = "hpk_another-key-of-some-length-0123456";
        let id = IdSource::seeded(3).api_key(NOW);
        let hash = Sha256::digest(key).into();
        let stored = ApiKey {
            id,
            name: "k".into(),
            scope: Scope::Platform,
            granted_by: Scope::Platform,
            permissions,
            hash,
            expires_at,
            last_used_at: None,
        };
        let store = NoStore { keys: vec![Arc::new(Known::new(stored, None))], ..NoStore::default() };
        let mut asked = request(method, path, "");
        asked.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        assert_eq!(send(store, asked).await.problem(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_master_key_is_the_platform_s_affair() {
    let route = "/v1/system/master-key/rotate";
    for (scope, permissions, expected) in [
        (Scope::Location("loc".parse().unwrap()), Permission::ALL.to_vec(), said(403, "forbidden")),
        (Scope::Company("comp".parse().unwrap()), Permission::ALL.to_vec(), said(403, "forbidden")),
        (Scope::Platform, vec![Permission::Publish, Permission::View], said(403, "forbidden")),
        (Scope::Platform, vec![Permission::Manage], said(409, "external-master-key")),
    ] {
        let key = "hpk_another-key-of-some-length-0123456";
        let id = IdSource::seeded(3).api_key(NOW);
        let hash = Sha256::digest(key).into();
        let stored = ApiKey {
            id,
            name: "k".into(),
            scope,
            granted_by: Scope::Platform,
            permissions,
            hash,
            expires_at: None,
            last_used_at: None,
        };
        let store = NoStore { keys: vec![Arc::new(Known::new(stored, None))], ..NoStore::default() };
        let mut asked = request("POST", route, "");
        asked.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        assert_eq!(send(store, asked).await.problem(), expected);
    }
}

#[tokio::test]
async fn bodies_have_a_media_type_and_a_bound_that_a_header_cannot_move() {
    for (media, expected) in [
        ("text/plain", said(415, "unsupported-media-type")),
        ("application/x-ndjson", said(415, "unsupported-media-type")),
        ("application/JSON ; charset=utf-8", said(400, "invalid-json")),
    ] {
        let mut asked = request("POST", "/v1/events", "{");
        asked.headers_mut().insert("content-type", media.parse().unwrap());
        assert_eq!(send(NoStore::default(), asked).await.problem(), expected, "{media}");
    }
    let frames = |bytes: usize| {
        let whole = vec![b' '; bytes];
        let frames: Vec<_> = whole.chunks(10_000).map(<[u8]>::to_vec).collect();
        Body::from_stream(futures::stream::iter(frames.into_iter().map(Ok::<_, std::io::Error>)))
    };
    for (path, bytes, length, expected) in [
        ("/v1/events", 256 * 1024, "", said(400, "invalid-json")),
        ("/v1/events", 256 * 1024 + 1, "", said(413, "payload-too-large")),
        ("/v1/events", 256 * 1024 + 1, "5", said(413, "payload-too-large")),
        ("/v1/endpoints", 256 * 1024 + 1, "", said(413, "payload-too-large")),
        ("/v1/events", 10, "99999999999", said(413, "payload-too-large")),
        ("/v1/events/batch", 256 * 1024 + 1, "", said(400, "invalid-json")),
    ] {
        let mut asked = request("POST", path, frames(bytes));
        if !length.is_empty() {
            asked.headers_mut().insert("content-length", length.parse().unwrap());
        }
        assert_eq!(send(NoStore::default(), asked).await.problem(), expected, "{path} {bytes} {length}");
    }
}

#[tokio::test]
async fn every_fault_of_an_endpoint_comes_in_one_answer() {
    let body = json!({
        "url": "http://example.com", "eventTypes": ["ContactCrate", 5, "*"], "ordering": "fifo", "filter": "x",
        "headers": {"host": "x", "x-a": 5, "x-b": "********"}, "retrySchedule": [0, 604_801, 5], "secret": "short",
        "enabled": null, "colour": "red", "description": "\u{0}",
    });
    let answered = ask("POST", "/v1/endpoints", &body.to_string()).await;
    assert_eq!(answered.problem(), said(422, "invalid-request"));
    let problem = answered.json();
    let mut pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/colour",
            "/description",
            "/enabled",
            "/eventTypes/0",
            "/eventTypes/1",
            "/eventTypes/2",
            "/filter",
            "/headers/host",
            "/headers/x-a",
            "/headers/x-b",
            "/locationId",
            "/ordering",
            "/retrySchedule/0",
            "/retrySchedule/1",
            "/secret",
            "/url",
        ]
    );
    assert!(answered.body.contains("did you mean `ContactCreate`"), "{}", answered.body);
}

#[tokio::test]
async fn the_reference_is_html_without_script_and_loads_nothing() {
    for path in ["/docs", "/docs/errors/invalid-json"] {
        let answered = ask("GET", path, "").await;
        assert_eq!((answered.status, answered.header("content-type")), (200, "text/html; charset=utf-8"));
        let policy = answered.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        for loading in ["<script", " src=", "<link", "@import", "url(", "javascript:"] {
            assert!(!answered.body.contains(loading), "{loading} in {path}");
        }
    }
    let reference = ask("GET", "/docs", "").await.body;
    for part in [
        "/v1/events/batch",
        "href=\"#publishEvents\"",
        "event-ContactCreate",
        "/docs/errors/unknown-type",
        "shape-Endpoint",
    ] {
        assert!(reference.contains(part), "{part}");
    }
    let served = ask("GET", "/openapi.json", "").await.json();
    assert_eq!(served, crate::openapi(&catalogue::Catalogue::builtin()));
}

fn endpoint() -> Endpoint {
    Endpoint {
        id: IdSource::seeded(2).endpoint(NOW),
        owner: Owner::Location("loc".parse().unwrap()),
        url: "https://hooks.example.com/".into(),
        description: String::new(),
        subscription: Subscription::All,
        headers: Vec::new(),
        retry_schedule: None,
        skip_own_events: false,
        state: EndpointState::Enabled { since: NOW },
        secrets: Secrets::new(SecretText::new("whsec_x".into())),
        created_at: NOW,
        updated_at: NOW,
    }
}

const CONTACT: &str = r#"{"type":"ContactCreate","locationId":"loc","id":"c1"}"#;

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_hand_over() {
    let store = Arc::new(NoStore::default());
    store.routes.change(|table| table.put_endpoint(Arc::new(endpoint())));
    let engine = Arc::new(NotingEngine::default());
    let api = api(Arc::clone(&store), Arc::clone(&engine));
    let mut answer = Box::pin(routed(Arc::clone(&api)).oneshot(request("POST", "/v1/events", CONTACT)));
    while engine.notes.lock().is_empty() {
        assert!((&mut answer).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(answer);
    store.permits.add_permits(1);
    api.drained().await;
    assert_eq!(*engine.notes.lock(), ["reserve", "hand over 42"]);
}

/// A body of which nothing ever comes.
fn never() -> Body {
    Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>())
}

fn form(body: Body) -> Request<Body> {
    Request::builder().method("POST").uri("/login").header("host", "x").body(body).unwrap()
}

#[tokio::test]
async fn a_client_that_leaves_before_its_body_has_come_leaves_no_work_behind() {
    let paths = ["/v1/events", "/v1/events/batch", "/v1/endpoints"];
    for asked in paths.map(|path| request("POST", path, never())).into_iter().chain([form(never())]) {
        let api = api(Arc::default(), Arc::default());
        let path = asked.uri().path().to_owned();
        let mut answer = Front::new(Arc::clone(&api), routed(Arc::clone(&api))).oneshot(asked);
        assert!((&mut answer).now_or_never().is_none(), "{path}");
        drop(answer);
        assert!(api.drained().now_or_never().is_some(), "{path}");
    }
}

fn plain(path: &str) -> Request<Body> {
    Request::builder().uri(path).header("host", "x").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn probes_answer_when_every_place_is_taken() {
    let api = api(Arc::default(), Arc::default());
    let front = Front::new(Arc::clone(&api), routed(Arc::clone(&api)));
    let _all = api.requests.try_acquire_many(domain::limits::REQUESTS_MAX as u32).unwrap();
    // The store that is behind this one panics.
    for (path, expected) in [("/healthz", 200), ("/readyz", 500), ("/docs", 429), ("/v1/events", 429)] {
        let answered = front.clone().oneshot(plain(path)).await.unwrap();
        assert_eq!(answered.status().as_u16(), expected, "{path}");
    }
}

#[tokio::test]
async fn the_store_is_asked_for_life_once_a_second_however_many_ask() {
    let (clock, store) = (Arc::new(StandingClock::default()), Arc::new(NoStore::default()));
    let api = api_on(Arc::clone(&clock), Arc::clone(&store), Arc::default());
    let front = Front::new(Arc::clone(&api), routed(api));
    for (moved_ms, pings) in [(0, 1), (999, 1), (1_000, 2), (1_999, 2), (2_000, 3), (0, 4)] {
        clock.moved_ms.store(moved_ms, Ordering::Relaxed);
        for _ in 0..10 {
            assert_eq!(front.clone().oneshot(plain("/readyz")).await.unwrap().status().as_u16(), 500);
        }
        assert_eq!(store.pings.load(Ordering::Relaxed), pings, "{moved_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_sign_ins_take_a_few_places_and_for_a_few_seconds() {
    let api = api(Arc::default(), Arc::default());
    let front = Front::new(Arc::clone(&api), routed(api));
    let mut slow: Vec<_> =
        (0..domain::limits::SIGN_INS_MAX).map(|_| front.clone().oneshot(form(never()))).collect();
    assert!(slow.iter_mut().all(|answer| answer.now_or_never().is_none()));
    let one_more = front.clone().oneshot(form("code=hpc_x".into())).await.unwrap();
    assert_eq!(
        (one_more.status().as_u16(), &one_more.headers()["retry-after"]),
        (429, &"5".parse().unwrap())
    );
    assert_eq!(front.clone().oneshot(plain("/docs")).await.unwrap().status(), StatusCode::OK);
    for answered in futures::future::join_all(slow).await {
        assert_eq!(answered.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    }
    // The store is away.
    let next = front.oneshot(form("code=hpc_x".into())).await.unwrap();
    assert_eq!(next.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn batches_that_are_slow_to_arrive_keep_no_other_waiting() {
    let api = api(Arc::default(), Arc::default());
    let front = Front::new(Arc::clone(&api), routed(api));
    let slow = (0..2 * domain::limits::BATCHES_MAX).map(|_| request("POST", "/v1/events/batch", never()));
    let mut slow: Vec<_> = slow.map(|asked| front.clone().oneshot(asked)).collect();
    assert!(slow.iter_mut().all(|answer| answer.now_or_never().is_none()));
    let quick = front.oneshot(request("POST", "/v1/events/batch", "{}"));
    let quick = quick.now_or_never().expect("it waits for nobody").unwrap();
    assert_eq!(quick.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn who_holds_its_share_of_arriving_batches_is_refused_and_others_are_not() {
    let key = "hpk_another-key-of-some-length-0123456";
    let stored = ApiKey {
        id: IdSource::seeded(3).api_key(NOW),
        name: "k".into(),
        scope: Scope::Location("loc".parse().unwrap()),
        granted_by: Scope::Platform,
        permissions: vec![Permission::Publish],
        hash: Sha256::digest(key).into(),
        expires_at: None,
        last_used_at: None,
    };
    let store = NoStore { keys: vec![Arc::new(Known::new(stored, None))], ..NoStore::default() };
    let api = api(Arc::new(store), Arc::default());
    let front = Front::new(Arc::clone(&api), routed(api));
    // All but the last byte of the largest batch, and then nothing.
    let unfinished = || {
        let most = vec![b' '; domain::limits::BATCH_BYTES_MAX - 1];
        let most = futures::stream::iter([Ok::<_, std::io::Error>(most)]);
        Body::from_stream(most.chain(futures::stream::pending()))
    };
    let of_location = |body: Body| {
        let mut asked = request("POST", "/v1/events/batch", body);
        asked.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        asked
    };
    let mut unfinished: Vec<_> = (0..2).map(|_| front.clone().oneshot(of_location(unfinished()))).collect();
    assert!(unfinished.iter_mut().all(|answer| answer.now_or_never().is_none()));
    let refused = front.clone().oneshot(of_location("[5]".into())).await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap())
    );
    let other = front.clone().oneshot(request("POST", "/v1/events/batch", "[5]")).await.unwrap();
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    drop(unfinished);
    let again = front.oneshot(of_location("[5]".into())).await.unwrap();
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_ends_its_connection() {
    for (asked, seconds, expected) in [
        (request("POST", "/v1/events", never()), 30, 408),
        (request("POST", "/v1/events/batch", never()), 30, 408),
        (request("POST", "/v1/endpoints", never()), 30, 408),
        (form(never()), 5, 408),
        // The store never answers this one.
        (request("POST", "/v1/events", CONTACT), 60, 503),
    ] {
        let api = api(Arc::default(), Arc::default());
        let (began, path) = (tokio::time::Instant::now(), asked.uri().path().to_owned());
        let response = Front::new(Arc::clone(&api), routed(api)).oneshot(asked).await.unwrap();
        let took = began.elapsed().as_secs();
        assert_eq!((response.status().as_u16(), took), (expected, seconds), "{path}");
        assert_eq!(response.headers()["connection"], "close", "{path}");
    }
}

#[tokio::test]
async fn a_reserved_place_is_given_back_when_storing_fails() {
    let store = NoStore { publish_fails: true, ..NoStore::default() };
    store.routes.change(|table| table.put_endpoint(Arc::new(endpoint())));
    store.permits.add_permits(1);
    let engine = Arc::new(NotingEngine::default());
    let api = api(Arc::new(store), Arc::clone(&engine));
    let response = routed(api).oneshot(request("POST", "/v1/events", CONTACT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(*engine.notes.lock(), ["reserve".to_owned(), format!("give back {}", CONTACT.len())]);
}

#[tokio::test]
async fn a_made_up_method_is_refused_and_counted_as_other() {
    let api = api(Arc::default(), Arc::default());
    let asked = request(Method::from_bytes(b"BREW").unwrap().as_str(), "/v1/events", "");
    let response = routed(Arc::clone(&api)).oneshot(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let counted = api.counters().view().requests;
    assert_eq!((counted[0].0.method, counted[0].0.route.as_str()), ("other", "/v1/events"));
}

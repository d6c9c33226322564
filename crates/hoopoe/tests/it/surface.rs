//! The surface: what every answer carries, and what is refused before it costs anything.

use serde_json::json;
use testkit::{Answer, Answered, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{KEY, LOCATION, World, contact, refused, text};

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.api.base().trim_start_matches("http://")).await.unwrap()
}

/// Everything that comes until the server closes. `bytes` end in a way that makes it close.
async fn exchange(world: &World, bytes: &[u8]) -> String {
    let mut stream = connect(world).await;
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = testkit::patiently("the server to close the connection", read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or("none")
}

fn publish_head(more: &str) -> String {
    format!("POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{more}\r\n")
}

#[track_caller]
fn check_headers(case: &str, answered: &Answered) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ] {
        assert_eq!(answered.header(name), Some(value), "{name} of {case}");
    }
    let policy = answered.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; "), "{case}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{case}: {policy}");
    let cors = answered.headers.keys().find(|name| name.as_str().starts_with("access-control"));
    assert_eq!(cors, None, "{case}");
}

/// Its body may have been on its way for a long time.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_key_is_deleted_while_its_body_arrives_does_nothing() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let key = json!({"name": "k", "locationId": LOCATION, "permissions": ["manage", "publish", "view"]});
    let event = contact(LOCATION);
    for (asked, body) in [
        ("POST /v1/api-keys".to_owned(), key.clone()),
        ("POST /v1/portal-sessions".to_owned(), json!({"locationId": LOCATION})),
        ("POST /v1/events".to_owned(), event.clone()),
        ("POST /v1/events/batch".to_owned(), json!({"events": [event]})),
        (format!("PATCH /v1/endpoints/{}", text(&endpoint, "id")), json!({"description": "late"})),
        (format!("POST /v1/endpoints/{}/secret/rotate", text(&endpoint, "id")), json!({"graceSeconds": 0})),
        (format!("POST /v1/endpoints/{}/test", text(&endpoint, "id")), json!({})),
    ] {
        let made = world.api.post("/v1/api-keys", &key).await.expect(201);
        let (token, body) = (text(&made, "key"), body.to_string());
        let mut stream = connect(&world).await;
        let head = format!(
            "{asked} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "{asked}");
        // The caller is known and the server waits for the body.
        world.api.delete(&format!("/v1/api-keys/{}", text(&made, "id"))).await.expect(204);
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), "401", "{asked}: {answer}");
    }
    assert_eq!(world.list("/v1/events").await.len(), 0);
    assert_eq!(world.list("/v1/deliveries").await.len(), 0);
    let unchanged = world.api.get(&format!("/v1/endpoints/{}", text(&endpoint, "id"))).await.expect(200);
    assert_eq!(unchanged["updatedAt"], endpoint["updatedAt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_security_headers_and_none_of_cors() {
    let world = World::start().await;
    let api = world.api.clone().with_header("origin", "https://elsewhere.example");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/errors/not-found"] {
        let answered = api.get(path).await;
        assert_eq!(answered.status.as_u16(), 200, "{path}");
        check_headers(path, &answered);
    }
    check_headers("a list", &api.get("/v1/events").await);
    check_headers("no route", &api.get("/nowhere").await);
    check_headers("no key", &api.clone().without_header("authorization").get("/v1/events").await);
    check_headers("a publish", &api.post("/v1/events", &contact(LOCATION)).await);
    check_headers("a fault", &api.post("/v1/events", &json!([])).await);
    check_headers("a method", &api.put("/v1/events", &json!({})).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_brings_the_hash_of_its_style_and_no_script() {
    let world = World::start().await;
    let page = world.api.get("/docs").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("style-src 'sha256-") && !policy.contains("script-src"), "{policy}");
    assert!(!page.text().contains("<script") && !page.text().contains(" style="));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_refused() {
    let world = World::start().await;
    let api = world.api.clone().with_header("origin", "https://elsewhere.example");
    let api = api.with_header("access-control-request-method", "POST");
    for path in ["/v1/events", "/v1/endpoints", "/healthz"] {
        let answered = api.send(http::Method::OPTIONS, path, "").await;
        refused(path, &answered, 405, "method-not-allowed");
        check_headers(path, &answered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_heads_are_refused_with_431() {
    let world = World::start().await;
    let with = |bytes: usize| world.api.clone().with_header("x-large", &"v".repeat(bytes));
    with(15 * 1024).get("/v1/events").await.expect(200);
    refused("a list", &with(16 * 1024).get("/v1/events").await, 431, "headers-too-large");
    let publish = with(16 * 1024).post("/v1/events", &contact(LOCATION)).await;
    refused("a publish", &publish, 431, "headers-too-large");
    // Beyond what is read at all.
    let endless = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "v".repeat(200_000));
    assert_eq!(status(&exchange(&world, endless.as_bytes()).await), "431");
    let many: String = (0..200).map(|n| format!("x-{n}: v\r\n")).collect();
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    assert_eq!(status(&exchange(&world, many.as_bytes()).await), "431");
    world.api.get("/healthz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_its_host_once() {
    let world = World::start().await;
    let asked = |line: &str, hosts: &str| {
        format!("{line}\r\n{hosts}authorization: Bearer {KEY}\r\nconnection: close\r\n\r\n")
    };
    for (line, hosts, expected) in [
        ("GET /healthz HTTP/1.1", "host: x\r\n", "200"),
        ("GET /healthz HTTP/1.1", "", "400"),
        ("GET /healthz HTTP/1.0", "", "200"),
        ("GET /healthz HTTP/1.1", "host: x\r\nhost: y\r\n", "400"),
        ("GET /healthz HTTP/1.0", "host: x\r\nhost: x\r\n", "400"),
        ("GET http://x/healthz HTTP/1.1", "", "400"),
        ("POST /v1/events HTTP/1.1", "host: x\r\nhost: y\r\n", "400"),
        ("POST /v1/events HTTP/1.1", "", "400"),
    ] {
        let answer = exchange(&world, asked(line, hosts).as_bytes()).await;
        assert_eq!(status(&answer), expected, "{line} {hosts}: {answer}");
        assert_eq!(answer.contains("invalid-host"), expected == "400", "{line} {hosts}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_refused_and_the_server_goes_on() {
    let world = World::start().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let answer = exchange(&world, preface).await;
    assert!(!answer.contains("200"), "{answer}");
    let upgrade = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\n\
                   http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert_eq!(status(&exchange(&world, upgrade.as_bytes()).await), "200", "it stays HTTP/1.1");
    world.api.get("/healthz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_length_is_told_in_two_ways_smuggles_no_second_request() {
    let world = World::start().await;
    let second = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    // RFC 9112 6.3: chunks count, and the connection ends after the answer, whatever else was sent. It may not be refused for
    // that alone: hyper drops the length before anybody can see it.
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    ] {
        let answer = exchange(&world, format!("{}0\r\n\r\n{second}", publish_head(lengths)).as_bytes()).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), ("400", 1), "{lengths}: {answer}");
        assert!(answer.contains("invalid-json"), "an empty body: {answer}");
    }
    for lengths in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let answer = exchange(&world, format!("{}hello{second}", publish_head(lengths)).as_bytes()).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), ("400", 1), "{lengths}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_refused_and_never_unpacked() {
    let world = World::start().await;
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, identity"] {
        let api = world.api.clone().with_header("content-encoding", encoding);
        for path in ["/v1/events", "/v1/events/batch", "/v1/endpoints"] {
            let answered = api.post(path, &contact(LOCATION)).await;
            refused(encoding, &answered, 415, "unsupported-media-type");
        }
    }
    let identity = world.api.clone().with_header("content-encoding", "identity");
    identity.post("/v1/events", &contact(LOCATION)).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_without_end_is_refused_on_every_route() {
    let world = World::start().await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for path in ["/v1/events", "/v1/events/batch", "/v1/endpoints", "/v1/api-keys"] {
        let answered = world.api.send(http::Method::POST, path, deep.clone()).await;
        assert_eq!(answered.status.as_u16() / 100, 4, "{path}: {}", answered.text());
    }
    world.api.get("/healthz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_as_many_connections_as_it_may() {
    let world = World::start_with(|args| args.connections_per_address = Some(3)).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&world).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        open.push(stream);
    }
    let closed =
        exchange(&world, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 8.8.8.8\r\n\r\n").await;
    assert_eq!(closed, "");
    open.pop();
    let again = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    eventually("a place", || async {
        (status(&exchange(&world, again.as_bytes()).await) == "200").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_publishes_too_fast_waits_and_another_does_not() {
    let world = World::start_with(|args| args.publish_per_second_per_key = Some(2)).await;
    let key =
        world.api.post("/v1/api-keys", &json!({"name": "k", "permissions": ["publish"]})).await.expect(201);
    let other = world.api.clone().with_key(text(&key, "key"));
    for _ in 0..2 {
        world.publish_contact().await;
    }
    let answered = world.api.post("/v1/events", &contact(LOCATION)).await;
    refused("the third", &answered, 429, "too-many-requests");
    assert_eq!(answered.header("retry-after"), Some("1"));
    // Nothing but publishing is limited, and no other key.
    world.api.get("/v1/events").await.expect(200);
    other.post("/v1/events", &contact(LOCATION)).await.expect(202);
    // Faulty events count: they cost as much to read.
    world.clock.advance_ms(1_000);
    for _ in 0..2 {
        world.api.post("/v1/events", &json!({"type": "Nothing"})).await.expect_problem(422, "unknown-type");
    }
    world.api.post("/v1/events", &contact(LOCATION)).await.expect_problem(429, "too-many-requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_given_again_is_no_event() {
    let world = World::start_with(|args| args.publish_per_second_per_key = Some(1)).await;
    let once = world.api.clone().with_header("idempotency-key", "once");
    let first = once.post("/v1/events", &contact(LOCATION)).await.expect(202);
    assert_eq!(once.post("/v1/events", &contact(LOCATION)).await.expect(202), first);
    // One that was refused may be repeated with its key.
    let twice = world.api.clone().with_header("idempotency-key", "twice");
    twice.post("/v1/events", &contact(LOCATION)).await.expect_problem(429, "too-many-requests");
    world.clock.advance_ms(1_000);
    twice.post("/v1/events", &contact(LOCATION)).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_s_limit_holds_whoever_publishes_and_in_a_batch_for_each_event() {
    let world = World::start_with(|args| args.publish_per_second_per_location = Some(2)).await;
    let of = |location: &str| contact(location);
    let events = [of("a"), of("b"), of("a"), of("a"), of("b"), of("b"), of("c")];
    let answer = world.api.post("/v1/events/batch", &json!({ "events": events })).await.expect(200);
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 202, 202, 429, 202, 429, 202]);
    assert_eq!(results[3]["problem"]["code"], "too-many-requests");
    assert_eq!(world.list("/v1/events").await.len(), 5);
    world.api.post("/v1/events", &of("a")).await.expect_problem(429, "too-many-requests");
    world.clock.advance_ms(1_000);
    world.publish(&of("a")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_answers_is_shown_as_text_in_json_and_nothing_else() {
    let world = World::start().await;
    let page = "<script>alert(1)</script>";
    let answer =
        Answer::status(500).header("content-type", "text/html").header("set-cookie", "a=b").body(page);
    world.receiver.usually("/hook", answer);
    world.endpoint(json!({})).await;
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.once_retrying(&id, 1).await;
    let shown = world.api.get(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert_eq!(shown.header("set-cookie"), None);
    check_headers("a delivery", &shown);
    assert_eq!(shown.expect(200)["attempts"][0]["response"]["body"], page);
}

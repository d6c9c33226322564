//! What the server says of itself: its document, its health, its metrics.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use testkit::Client;

use crate::world::World;

/// The routes of the contract that exist today, with their methods.
const ROUTES: [(&str, &str); 40] = [
    ("/v1/events", "get post"),
    ("/v1/events/batch", "post"),
    ("/v1/events/{}", "get"),
    ("/v1/endpoints", "get post"),
    ("/v1/endpoints/{}", "delete get patch"),
    ("/v1/endpoints/{}/disable", "post"),
    ("/v1/endpoints/{}/enable", "post"),
    ("/v1/endpoints/{}/secret", "get"),
    ("/v1/endpoints/{}/stats", "get"),
    ("/v1/signatures/explain", "post"),
    ("/v1/stream", "get"),
    ("/v1/system", "get"),
    ("/v1/endpoints/{}/secret/promote", "post"),
    ("/v1/endpoints/{}/secret/rotate", "post"),
    ("/v1/endpoints/{}/test", "post"),
    ("/v1/deliveries", "get"),
    ("/v1/deliveries/{}", "get"),
    ("/v1/deliveries/{}/cancel", "post"),
    ("/v1/deliveries/{}/retry", "post"),
    ("/v1/event-types", "get"),
    ("/v1/event-types/{}", "get"),
    ("/v1/locations/{}", "delete get put"),
    ("/v1/apps/{}", "delete get put"),
    ("/v1/apps/{}/installs/{}", "delete put"),
    ("/v1/apps/{}/company-installs/{}", "delete put"),
    ("/v1/api-keys", "get post"),
    ("/v1/api-keys/{}", "delete"),
    ("/v1/portal-sessions", "post"),
    ("/v1/sessions", "get"),
    ("/v1/sessions/{}", "delete"),
    ("/v1/audit", "get"),
    ("/v1/system/master-key/rotate", "post"),
    ("/v1/endpoints/{}/stats", "get"),
    ("/v1/signatures/explain", "post"),
    ("/v1/stream", "get"),
    ("/v1/system", "get"),
    ("/healthz", "get"),
    ("/readyz", "get"),
    ("/metrics", "get"),
    ("/openapi.json", "get"),
];

fn without_names(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_holds_the_contract_s_routes_and_every_event() {
    let world = World::start().await;
    let document = Client::new(world.api.base()).get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let documented: BTreeMap<String, BTreeSet<String>> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, item)| {
            let verbs = ["get", "post", "put", "patch", "delete"];
            let has = |verb: &&str| item.get(*verb).is_some();
            (without_names(path), verbs.into_iter().filter(has).map(str::to_owned).collect())
        })
        .collect();
    for (path, verbs) in ROUTES {
        // Probes and documents need no entry.
        if !path.starts_with("/v1") && !documented.contains_key(path) {
            continue;
        }
        let verbs: BTreeSet<_> = verbs.split(' ').map(str::to_owned).collect();
        assert_eq!(documented.get(path), Some(&verbs), "{path}");
    }
    let known: BTreeSet<_> = ROUTES
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .chain(["/docs", "/v1/sessions/current"].map(str::to_owned))
        .collect();
    let unknown: Vec<_> =
        documented.keys().filter(|path| path.starts_with("/v1") && !known.contains(*path)).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "routes that the contract does not have today");
    assert_eq!(document["webhooks"].as_object().unwrap().len(), 58);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committed_document_is_what_the_server_says() {
    let world = World::start().await;
    let served = world.api.get("/openapi.json").await;
    let committed = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json")).unwrap();
    assert!(served.body == committed, "run `make gen` and commit openapi.json");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_in_the_document_leads_somewhere() {
    let world = World::start().await;
    let document = world.api.get("/openapi.json").await.expect(200);
    let mut open = vec![&document];
    let mut count = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            Value::String(text) if text.starts_with("#/") => {
                assert!(document.pointer(&text[1..]).is_some(), "{text}");
                count += 1;
            }
            _ => {}
        }
    }
    assert!(count > 20, "{count} references");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_documents_need_no_key() {
    let world = World::start().await;
    let stranger = Client::new(world.api.base());
    for route in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"] {
        assert_eq!(stranger.get(route).await.status.as_u16(), 200, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_units_and_count_what_happened() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world.receiver.script("/hook", [testkit::Answer::status(500)]);
    let failed = world.delivery_of(&world.publish_contact().await).await;
    world.once_retrying(&failed, 1).await;
    let done = world.delivery_of(&world.publish_contact().await).await;
    world.once_delivery(&done, "succeeded").await;
    let text = world.api.get("/metrics").await.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(series.starts_with("hoopoe_") && value.parse::<f64>().is_ok(), "{line}");
    }
    for line in [
        "hoopoe_events_accepted_total 2",
        "hoopoe_delivery_attempts_total{outcome=\"succeeded\"} 1",
        "hoopoe_delivery_attempts_total{outcome=\"http-error\"} 1",
        "hoopoe_delivery_attempt_duration_seconds_count 2",
        "hoopoe_delivery_attempt_duration_seconds_bucket{le=\"+Inf\"} 2",
        "hoopoe_deliveries_unfinished 1",
        "hoopoe_deliveries_in_flight 0",
        "hoopoe_http_requests_total{method=\"POST\",route=\"/v1/events\",status_class=\"2xx\"} 2",
    ] {
        assert!(text.lines().any(|known| known == line), "no `{line}` in\n{text}");
    }
    for start in [
        "hoopoe_http_request_duration_seconds_bucket",
        "hoopoe_store_commits_total",
        "hoopoe_store_commit_duration_seconds_count",
        "hoopoe_process_start_time_seconds",
    ] {
        assert!(text.lines().any(|line| line.starts_with(start)), "no `{start}` in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_have_an_address_of_their_own() {
    let world = World::start_with(|args| args.metrics_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    assert_eq!(world.api.get("/metrics").await.status.as_u16(), 404);
    let metrics = Client::new(format!("http://{}", world.metrics_address().unwrap()));
    assert!(metrics.get("/metrics").await.text().contains("hoopoe_build_info"));
    assert_eq!(metrics.get("/v1/events").await.status.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_nobody_knows_are_one_series() {
    let world = World::start().await;
    for n in 0..50 {
        world.api.get(&format!("/v1/nothing/{n}")).await;
    }
    let text = world.api.get("/metrics").await.text();
    let series = text
        .lines()
        .filter(|line| line.starts_with("hoopoe_http_requests_total") && line.contains("4xx"))
        .count();
    assert_eq!(series, 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_server() {
    let world = World::start().await;
    let api = world.api.clone();
    world.stop().await;
    assert!(api.try_send(http::Method::GET, "/healthz", "").await.is_err());
}

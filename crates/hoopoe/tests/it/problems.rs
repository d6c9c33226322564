//! Answers to what is wrong with a request before its content counts.

use serde_json::json;
use testkit::Client;

use crate::world::{LOCATION, World, contact, refused};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_key_every_route_is_401() {
    let world = World::start().await;
    let stranger = Client::new(world.api.base());
    let wrong = "hpk_0123456789abcdef0123456789abcdef";
    for route in
        ["events", "endpoints", "deliveries", "event-types", "api-keys", "endpoints/ep_x", "locations/x"]
    {
        let route = format!("/v1/{route}");
        for (case, client) in [
            ("no header", stranger.clone()),
            ("an unknown key", stranger.clone().with_key(wrong)),
            ("an empty key", stranger.clone().with_key("")),
            ("another scheme", stranger.clone().with_header("authorization", "Basic eDp5")),
        ] {
            let answered = client.get(&route).await;
            refused(&format!("{case} at {route}"), &answered, 401, "unauthorized");
            assert!(answered.header("www-authenticate").is_some(), "RFC 9110 §11.6.1 wants a challenge");
        }
    }
    let answered = stranger.post("/v1/events", &contact(LOCATION)).await;
    refused("publish", &answered, 401, "unauthorized");
    assert_eq!(world.list("/v1/events").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404_and_a_wrong_method_405() {
    let world = World::start().await;
    let none = "01JB2Z8Q4X9T6K3M5N7P0R1S2V";
    for route in [
        "/v1/nothing".to_owned(),
        format!("/v1/events/evt_{none}"),
        format!("/v1/endpoints/ep_{none}"),
        format!("/v1/deliveries/dlv_{none}"),
        "/v1/events/evt_short".to_owned(),
        format!("/v1/events/ep_{none}"),
        "/v1/event-types/Nothing".to_owned(),
        "/v1/locations/nobody".to_owned(),
        "/v1/apps/nobody".to_owned(),
    ] {
        refused(&route, &world.api.get(&route).await, 404, "not-found");
    }
    for (method, route) in [
        ("DELETE", "/v1/events"),
        ("PUT", "/v1/endpoints"),
        ("PATCH", "/v1/deliveries"),
        ("POST", "/v1/event-types"),
    ] {
        let answered = world.api.send(method.parse().unwrap(), route, "").await;
        refused(route, &answered, 405, "method-not-allowed");
        assert!(answered.header("allow").is_some(), "RFC 9110 §15.5.6 wants `allow`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_media_types_and_long_bodies_are_refused() {
    let world = World::start().await;
    let text = world.api.clone().with_header("content-type", "text/plain");
    for route in ["/v1/events", "/v1/endpoints", "/v1/api-keys"] {
        let answered = text.send(http::Method::POST, route, "{}").await;
        refused(route, &answered, 415, "unsupported-media-type");
    }
    let long = json!({"description": "x".repeat(256 * 1024)});
    refused("a long body", &world.api.post("/v1/endpoints", &long).await, 413, "payload-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_is_not_there_yet() {
    let world = World::start().await;
    for route in ["/v1/replays/rpl_1", "/v1/endpoints/ep_1/messages"] {
        refused(route, &world.api.get(route).await, 404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_a_request_id() {
    let world = World::start().await;
    let problem = world.api.get("/v1/nothing").await;
    let id = problem.header("x-request-id").map(str::to_owned);
    assert_eq!(id.as_deref(), problem.json()["requestId"].as_str());
    let other = world.api.get("/v1/events").await;
    assert!(other.header("x-request-id").is_some_and(|other| Some(other) != id.as_deref()));
}

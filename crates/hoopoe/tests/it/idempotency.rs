//! `Idempotency-Key`: the effect happens once, the answer comes as often as asked.

use serde_json::{Value, json};

use crate::world::{LOCATION, World, contact, text};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_has_one_effect_and_the_same_answer() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let api = world.api.clone().with_header("idempotency-key", "order-17");
    let first = api.post("/v1/events", &contact(LOCATION)).await;
    let again = api.post("/v1/events", &contact(LOCATION)).await;
    assert_eq!(first.expect(202), again.expect(202));
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        (None, Some("true"))
    );
    world.receiver.wait_for(1).await;
    assert_eq!(world.list("/v1/events").await.len(), 1);
    assert_eq!(world.list("/v1/deliveries").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_under_the_same_key_is_a_mismatch() {
    let world = World::start().await;
    let api = world.api.clone().with_header("idempotency-key", "k");
    api.post("/v1/events", &contact(LOCATION)).await.expect(202);
    api.post("/v1/events", &contact("other")).await.expect_problem(422, "idempotency-mismatch");
    assert_eq!(world.list("/v1/events").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_for_its_owner_and_path_alone() {
    let world = World::start().await;
    let api = world.api.clone().with_header("idempotency-key", "k");
    let endpoint = json!({"locationId": LOCATION, "url": world.receiver.url("/x"), "eventTypes": ["*"]});
    api.post("/v1/events", &contact(LOCATION)).await.expect(202);
    api.post("/v1/endpoints", &endpoint).await.expect(201);
    api.post("/v1/events/batch", &json!({"events": [contact(LOCATION)]})).await.expect(200);
    assert_eq!(world.list("/v1/events").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_replayed_as_null() {
    let world = World::start().await;
    let api = world.api.clone().with_header("idempotency-key", "k");
    let endpoint = json!({"locationId": LOCATION, "url": world.receiver.url("/x"), "eventTypes": ["*"]});
    let key = json!({"name": "a", "permissions": ["view"]});
    for (route, body, credential) in [("/v1/endpoints", endpoint, "secret"), ("/v1/api-keys", key, "key")] {
        let first = api.post(route, &body).await.expect(201);
        let again = api.post(route, &body).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        let again = again.expect(201);
        assert!(first[credential].is_string() && again[credential].is_null(), "{again}");
        assert_eq!(text(&first, "id"), text(&again, "id"));
    }
    assert_eq!(world.list("/v1/endpoints").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_not_kept() {
    let world = World::start().await;
    let api = world.api.clone().with_header("idempotency-key", "k");
    api.post("/v1/events", &json!({"type": "Nothing"})).await.expect_problem(422, "unknown-type");
    api.post("/v1/events", &contact(LOCATION)).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::start().await;
    let api = world.api.clone().with_header("idempotency-key", "k");
    let first = api.post("/v1/events", &contact(LOCATION)).await.expect(202);
    world.clock.advance_ms(24 * HOUR_MS - 1);
    assert_eq!(api.post("/v1/events", &contact(LOCATION)).await.expect(202)["id"], first["id"]);
    world.clock.advance_ms(1);
    assert_ne!(api.post("/v1/events", &contact(LOCATION)).await.expect(202)["id"], first["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_1_to_255_printable_ascii_characters() {
    let world = World::start().await;
    for (key, status) in [
        ("x".repeat(255), 202),
        ("x".repeat(256), 400),
        ("a\tb".into(), 400),
        ("ü".into(), 400),
        (String::new(), 400),
    ] {
        let api = world.api.clone().with_header("idempotency-key", &key);
        let answered = api.post("/v1/events", &contact(LOCATION)).await;
        assert_eq!(answered.status.as_u16(), status, "{key:?}: {}", answered.text());
        if status == 400 {
            answered.expect_problem(400, "invalid-idempotency-key");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_has_the_effect() {
    let world = World::start().await;
    let api = world.api.clone().with_header("idempotency-key", "k");
    let requests: Vec<_> = (0..20)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.post("/v1/events", &contact(LOCATION)).await })
        })
        .collect();
    let mut ids = Vec::new();
    for request in requests {
        let answered = request.await.unwrap();
        match answered.status.as_u16() {
            202 => ids.push(text(&answered.json(), "id").to_owned()),
            _ => drop::<Value>(answered.expect_problem(409, "idempotency-in-progress")),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.list("/v1/events").await.len(), 1);
}

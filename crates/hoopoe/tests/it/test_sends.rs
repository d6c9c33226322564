//! `POST …/test`: sends now, waits, and says what happened.

use serde_json::json;
use testkit::Answer;

use crate::world::{LOCATION, World, path, refused, text, verify};

#[tokio::test(flavor = "multi_thread")]
async fn a_test_sends_the_example_with_the_owner_s_id_and_answers_the_attempt() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({"eventTypes": ["ContactCreate"], "locationId": "loc-9"})).await;
    world.receiver.script("/hook", [Answer::status(418).body("short and stout")]);
    let attempt =
        world.api.post(&format!("{}/test", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    assert_eq!(
        (&attempt["statusCode"], &attempt["outcome"]),
        (&418.into(), &"http-error".into()),
        "{attempt}"
    );
    assert_eq!(attempt["response"]["body"], "short and stout");
    let request = world.receiver.wait_for(1).await.remove(0);
    verify(&request, text(&endpoint, "secret"));
    assert_eq!(request.json()["locationId"], "loc-9");
    assert_eq!(request.expect_header("x-wl-event"), "ContactCreate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_logged_as_such_hidden_from_events_and_never_retried() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({"eventTypes": ["ContactCreate"]})).await;
    world.receiver.usually("/hook", Answer::status(500));
    world.api.post(&format!("{}/test", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    let deliveries = world.list("/v1/deliveries").await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!((&deliveries[0]["trigger"], &deliveries[0]["status"]), (&"test".into(), &"failed".into()));
    assert!(deliveries[0]["nextAttemptAt"].is_null());
    assert_eq!(world.list("/v1/events").await.len(), 0);
    let event = format!("/v1/events/{}", text(&deliveries[0], "eventId"));
    world.api.get(&event).await.expect_problem(404, "not-found");
    world.clock.advance_ms(100 * 3_600_000);
    assert_eq!(world.list("/v1/deliveries").await[0]["attemptCount"], 1);
    assert_eq!(world.receiver.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_reaches_a_disabled_endpoint() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({"enabled": false})).await;
    let attempt =
        world.api.post(&format!("{}/test", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    assert_eq!(attempt["outcome"], "succeeded");
    world.receiver.wait_for(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn type_and_payload_can_be_chosen() {
    let world = World::start().await;
    let route = format!("{}/test", path("endpoints", &world.endpoint(json!({})).await));
    let payload = json!({"type": "InvoicePaid", "locationId": LOCATION, "n": 1});
    let invoice = world.api.get("/v1/event-types/InvoicePaid").await.expect(200)["example"].clone();
    world.api.post(&route, &json!({"type": "InvoicePaid"})).await.expect(200);
    world.api.post(&route, &json!({"type": "InvoicePaid", "payload": invoice})).await.expect(200);
    let received = world.receiver.wait_for(2).await;
    for one in &received {
        assert_eq!(one.expect_header("x-wl-event"), "InvoicePaid");
    }
    assert_eq!(received[1].json(), invoice);
    refused(
        "an unknown type",
        &world.api.post(&route, &json!({"type": "Nothing"})).await,
        422,
        "unknown-type",
    );
    refused(
        "an unknown field",
        &world.api.post(&route, &json!({"typ": "InvoicePaid", "payload": payload})).await,
        422,
        "unknown-field",
    );
}

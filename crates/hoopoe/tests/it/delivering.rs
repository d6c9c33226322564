//! Publish, and the receiver gets it: bytes, headers, signatures, and the log of it.

use serde_json::json;
use testkit::Answer;

use crate::world::{LOCATION, World, text, time, verify};

/// Spacing, key order and number spelling that no serialiser would keep.
const PAYLOAD: &str = "{ \"type\":\"ContactCreate\",\n\t\"locationId\" : \"ve9EPM428h8vShlRW1KT\", \"id\":\"x\", \"n\":1.50e1, \"u\":\"\\u00e9\" }";

#[tokio::test(flavor = "multi_thread")]
async fn a_published_event_reaches_the_receiver_byte_for_byte_and_signed() {
    let world = World::start().await;
    let endpoint =
        world.endpoint(json!({"headers": {"X-Customer": "a b", "authorization": "Basic eDp5"}})).await;
    let event = world.api.send(http::Method::POST, "/v1/events", PAYLOAD).await.expect(202);
    let request = world.receiver.wait_for(1).await.remove(0);

    assert_eq!(request.body, PAYLOAD.as_bytes());
    assert_eq!((&request.method[..], &request.path[..]), ("POST", "/hook"));
    verify(&request, text(&endpoint, "secret"));
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    let expected = [
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-customer",
        "x-wl-attempt",
        "x-wl-delivery",
        "x-wl-event",
        "x-wl-signature",
    ];
    assert_eq!(names, expected);
    let delivery = world.delivery_of(&event).await;
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", concat!("Hoopoe/", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", text(&event, "id")),
        ("webhook-timestamp", &world.now().as_seconds().to_string()),
        ("x-wl-event", "ContactCreate"),
        ("x-wl-delivery", &delivery),
        ("x-wl-attempt", "1"),
        ("x-customer", "a b"),
        ("authorization", "Basic eDp5"),
        ("host", &world.receiver.address().to_string()),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_202_says_what_was_stored_and_the_event_shows_what_became_of_it() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let event = world.publish_contact().await;
    assert!(text(&event, "id").starts_with("evt_") && text(&event, "id").len() == 30, "{event}");
    assert_eq!(event["type"], "ContactCreate");
    assert_eq!(
        (&event["locationId"], &event["companyId"], &event["appId"]),
        (&LOCATION.into(), &json!(null), &json!(null))
    );
    assert_eq!(event["deliveries"], 1);
    assert_eq!(time(&event, "createdAt"), world.now());

    world.receiver.wait_for(1).await;
    let delivery = world.delivery_of(&event).await;
    world.once_delivery(&delivery, "succeeded").await;
    let shown = world.api.get(&format!("/v1/events/{}", text(&event, "id"))).await.expect(200);
    assert_eq!(shown["payload"]["firstName"], "Ada");
    let shown = shown.to_string();
    for part in [text(&endpoint, "id"), &delivery, "succeeded"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_shows_its_attempt_with_request_answer_and_timings() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({"headers": {"x-token": "very-secret"}})).await;
    world.receiver.script("/hook", [Answer::status(201).header("x-seen", "yes").body("thanks")]);
    let event = world.publish_contact().await;
    let id = world.delivery_of(&event).await;
    let delivery = world.once_delivery(&id, "succeeded").await;

    assert_eq!(delivery["eventId"], event["id"]);
    assert_eq!(delivery["endpointId"], endpoint["id"]);
    assert_eq!((&delivery["trigger"], &delivery["attemptCount"]), (&"event".into(), &1.into()));
    assert!(delivery["nextAttemptAt"].is_null() && delivery["completedAt"].is_string(), "{delivery}");
    let attempt = &delivery["attempts"][0];
    assert!(text(attempt, "id").starts_with("att_"));
    assert_eq!(
        (&attempt["number"], &attempt["outcome"], &attempt["statusCode"]),
        (&1.into(), &"succeeded".into(), &201.into())
    );
    assert_eq!(attempt["remoteAddress"], world.receiver.address().to_string());
    assert!(attempt["error"].is_null() && attempt["durationMs"].is_u64(), "{attempt}");
    assert_eq!(attempt["response"]["body"], "thanks");
    assert_eq!(attempt["response"]["headers"]["x-seen"], "yes");
    assert_eq!(attempt["response"]["truncated"], false);
    assert_eq!(attempt["request"]["headers"]["x-wl-event"], "ContactCreate");
    assert!(attempt["timings"]["waitMs"].is_u64(), "{attempt}");
    assert!(!delivery.to_string().contains("very-secret"), "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_wants_is_accepted_and_kept() {
    let world = World::start().await;
    let event = world.publish_contact().await;
    assert_eq!(event["deliveries"], 0);
    assert_eq!(world.list("/v1/events").await.len(), 1);
    assert_eq!(world.list("/v1/events?undelivered=true").await.len(), 0);
}

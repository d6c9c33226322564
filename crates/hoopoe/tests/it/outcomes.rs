//! What counts as success, and what becomes of everything else.

use domain::limits::{ATTEMPT_TIMEOUT_MS, RESPONSE_BYTES_MAX};
use serde_json::{Value, json};
use testkit::{Answer, Receiver};

use crate::world::{World, path, text};

/// One event to a receiver that answers so; the delivery after its first attempt.
async fn after(world: &World, answer: Answer, status: &str) -> Value {
    world.endpoint(json!({})).await;
    world.receiver.usually("/hook", answer);
    let event = world.publish_contact().await;
    let id = world.delivery_of(&event).await;
    world.once_delivery(&id, status).await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_2xx_is_success_and_nothing_else() {
    let world = World::start().await;
    for (status, expected) in [
        (200, "succeeded"),
        (204, "succeeded"),
        (299, "succeeded"),
        (304, "retrying"),
        (400, "retrying"),
        (503, "retrying"),
    ] {
        let route = format!("/{status}");
        let endpoint = world.endpoint(json!({"url": world.receiver.url(&route)})).await;
        world.receiver.usually(&route, Answer::status(status));
        let event = world.publish_contact().await;
        let of_endpoint =
            format!("/v1/deliveries?endpointId={}&eventId={}", text(&endpoint, "id"), text(&event, "id"));
        let shown = world.once(&of_endpoint, |page| page["data"][0]["status"] == expected).await;
        assert_eq!(shown["data"][0]["attemptCount"], 1, "{status}");
        world.api.delete(&path("endpoints", &endpoint)).await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_says_so() {
    let world = World::start().await;
    let elsewhere = world.receiver.url("/elsewhere");
    let delivery = after(&world, Answer::status(307).header("location", &elsewhere), "retrying").await;
    let attempt = &delivery["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["statusCode"]), (&"http-error".into(), &307.into()));
    assert!(text(attempt, "error").contains("redirect"), "{attempt}");
    assert!(world.receiver.received().iter().all(|one| one.path == "/hook"));
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_disables_the_endpoint_and_ends_its_deliveries() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    world.receiver.script("/hook", [Answer::status(500), Answer::status(410)]);
    let waiting = world.delivery_of(&world.publish_contact().await).await;
    world.once_retrying(&waiting, 1).await;
    let gone = world.delivery_of(&world.publish_contact().await).await;
    for id in [&gone, &waiting] {
        world.once_delivery(id, "failed").await;
    }
    let shown = world.once(&path("endpoints", &endpoint), |shown| shown["enabled"] == false).await;
    assert_eq!((&shown["health"]["state"], &shown["health"]["reason"]), (&"disabled".into(), &"gone".into()));
    assert!(!text(&shown["health"], "message").is_empty());
    assert_eq!(world.publish_contact().await["deliveries"], 0);
    world.api.post(&format!("{}/enable", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    assert_eq!(world.publish_contact().await["deliveries"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_seconds_without_an_answer_are_a_timeout() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world.receiver.usually("/hook", Answer::hang());
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.receiver.wait_for(1).await;
    let started_at = world.now();
    let deadline = world
        .clock
        .wait_for_sleeper_between(
            started_at.plus_millis(ATTEMPT_TIMEOUT_MS - 1_000),
            started_at.plus_millis(ATTEMPT_TIMEOUT_MS),
        )
        .await;
    assert_eq!(deadline.since(started_at), ATTEMPT_TIMEOUT_MS);
    world.clock.advance_ms(ATTEMPT_TIMEOUT_MS - 1);
    assert_eq!(world.api.get(&format!("/v1/deliveries/{id}")).await.expect(200)["attemptCount"], 0);
    world.clock.advance_ms(1);
    let delivery = world.once_retrying(&id, 1).await;
    assert_eq!(delivery["attempts"][0]["outcome"], "timeout");
    assert!(delivery["attempts"][0]["statusCode"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_line_decides_even_when_the_body_never_ends() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world
        .receiver
        .usually("/hook", Answer::raw_then_hang("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"));
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.receiver.wait_for(1).await;
    world.clock.wait_for_sleepers(1).await;
    world.clock.advance_ms(ATTEMPT_TIMEOUT_MS);
    let delivery = world.once_delivery(&id, "succeeded").await;
    assert_eq!(delivery["attempts"][0]["response"]["truncated"], true, "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_64_kib_are_kept() {
    for (length, truncated) in
        [(RESPONSE_BYTES_MAX, false), (RESPONSE_BYTES_MAX + 1, true), (3_000_000, true)]
    {
        let world = World::start().await;
        let delivery = after(&world, Answer::status(200).body("x".repeat(length)), "succeeded").await;
        let response = &delivery["attempts"][0]["response"];
        assert_eq!(text(response, "body").len(), length.min(RESPONSE_BYTES_MAX));
        assert_eq!(response["truncated"], truncated, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_retried_with_a_sentence() {
    for (answer, outcomes) in [
        (Answer::reset(), &["connect", "protocol"][..]),
        (Answer::close(), &["connect", "protocol"]),
        (Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"), &["protocol"]),
        (Answer::raw("HTTP/1.1 200"), &["protocol"]),
    ] {
        let world = World::start().await;
        let delivery = after(&world, answer, "retrying").await;
        let attempt = &delivery["attempts"][0];
        assert!(outcomes.contains(&text(attempt, "outcome")), "{attempt}");
        assert!(!text(attempt, "error").is_empty() && attempt["statusCode"].is_null(), "{attempt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_not_there_is_a_failed_connection() {
    let world = World::start().await;
    let gone = Receiver::start().await;
    let url = gone.url("/hook");
    drop(gone);
    world.endpoint(json!({"url": url})).await;
    let id = world.delivery_of(&world.publish_contact().await).await;
    assert_eq!(world.once_retrying(&id, 1).await["attempts"][0]["outcome"], "connect");
}

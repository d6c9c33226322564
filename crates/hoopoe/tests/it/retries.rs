//! When a failed attempt is repeated, proved with a clock that is moved by hand.

use domain::retry::{DEFAULT_WAITS_S, JITTER};
use serde_json::{Value, json};
use testkit::Answer;

use crate::world::{World, time};

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_twice_gets_attempts_1_2_3_of_one_webhook() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world.receiver.script("/hook", [Answer::status(500), Answer::status(503)]);
    let event = world.publish_contact().await;
    let id = world.delivery_of(&event).await;
    for count in [1, 2] {
        let delivery = world.once_retrying(&id, count).await;
        world.advance_to_next(&delivery);
    }
    let delivery = world.once_delivery(&id, "succeeded").await;
    let requests = world.receiver.received();
    let headers =
        |name: &str| requests.iter().map(|one| one.expect_header(name).to_owned()).collect::<Vec<_>>();
    assert_eq!(headers("x-wl-attempt"), ["1", "2", "3"]);
    let event_id = event["id"].as_str().unwrap();
    assert_eq!(headers("webhook-id"), [event_id; 3]);
    assert_eq!(headers("x-wl-delivery"), [id.as_str(); 3]);
    let stamps = headers("webhook-timestamp");
    assert!(stamps[0] < stamps[1] && stamps[1] < stamps[2], "{stamps:?}");
    let numbers: Vec<_> =
        attempts(&delivery).iter().map(|one| (one["number"].clone(), one["statusCode"].clone())).collect();
    assert_eq!(json!(numbers), json!([[1, 500], [2, 503], [3, 200]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn fourteen_attempts_are_made_over_79_hours_and_then_none() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world.receiver.usually("/hook", Answer::status(500));
    let started_at = world.now();
    let event = world.publish_contact().await;
    let id = world.delivery_of(&event).await;
    for (place, wait_s) in DEFAULT_WAITS_S.iter().enumerate() {
        let delivery = world.once_retrying(&id, place as u64 + 1).await;
        let waited_ms = time(&delivery, "nextAttemptAt").since(world.now()) as f64;
        let ratio = waited_ms / (f64::from(*wait_s) * 1000.0);
        assert!((1.0 - JITTER..=1.0 + JITTER).contains(&ratio), "wait {place}: {ratio}");
        world.clock.advance_ms(waited_ms as i64 - 1);
        assert_eq!(world.receiver.count(), place + 1, "not before its time");
        world.clock.advance_ms(1);
    }
    let delivery = world.once_delivery(&id, "failed").await;
    assert_eq!((&delivery["attemptCount"], &delivery["nextAttemptAt"]), (&14.into(), &Value::Null));
    assert_eq!(world.receiver.count(), 14);
    let total_s = world.now().since(started_at) as f64 / 1000.0;
    let scheduled_s = f64::from(79 * 3600 + 35 * 60 + 5);
    assert!((total_s / scheduled_s - 1.0).abs() <= JITTER, "{total_s} s");
    world.clock.advance_ms(7 * 24 * 3_600_000);
    assert_eq!(world.api.get(&format!("/v1/deliveries/{id}")).await.expect(200)["attemptCount"], 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_s_own_schedule_replaces_the_server_s() {
    let world = World::start().await;
    world.endpoint(json!({"retrySchedule": [100]})).await;
    world.receiver.usually("/hook", Answer::status(500));
    let id = world.delivery_of(&world.publish_contact().await).await;
    let delivery = world.once_retrying(&id, 1).await;
    let waited_ms = time(&delivery, "nextAttemptAt").since(world.now());
    assert!((80_000..=120_000).contains(&waited_ms), "{waited_ms}");
    world.advance_to_next(&delivery);
    assert_eq!(world.once_delivery(&id, "failed").await["attemptCount"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_delays_the_next_attempt_and_adds_none() {
    for (value, expected_ms) in [("3600", 3_600_000), ("999999", 86_400_000)] {
        let world = World::start().await;
        world.endpoint(json!({"retrySchedule": [5]})).await;
        world.receiver.usually("/hook", Answer::status(429).header("retry-after", value));
        let id = world.delivery_of(&world.publish_contact().await).await;
        let delivery = world.once_retrying(&id, 1).await;
        assert_eq!(time(&delivery, "nextAttemptAt").since(world.now()), expected_ms, "{value}");
        world.advance_to_next(&delivery);
        assert_eq!(world.once_delivery(&id, "failed").await["attemptCount"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_retry_after_does_not_hurry_us() {
    let world = World::start().await;
    world.endpoint(json!({"retrySchedule": [100]})).await;
    world.receiver.usually("/hook", Answer::status(503).header("retry-after", "1"));
    let id = world.delivery_of(&world.publish_contact().await).await;
    let delivery = world.once_retrying(&id, 1).await;
    assert!(time(&delivery, "nextAttemptAt").since(world.now()) >= 80_000, "{delivery}");
}

fn attempts(delivery: &Value) -> &[Value] {
    delivery["attempts"].as_array().unwrap()
}

//! What became of an endpoint's attempts is counted while it happens.

use serde_json::{Value, json};
use testkit::Answer;

use crate::world::{World, path, pointers, refused, time};

/// The sum of a window's spans, by outcome.
fn summed(stats: &Value, outcome: &str) -> u64 {
    stats["series"].as_array().unwrap().iter().map(|span| span["outcomes"][outcome].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_counted_by_outcome_with_the_receivers_latency() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let route = format!("{}/stats", path("endpoints", &endpoint));
    let fresh = world.api.get(&route).await.expect(200);
    for member in ["successRate", "latencyMs", "lastAttemptAt"] {
        assert!(fresh[member].is_null(), "{fresh}");
    }
    assert_eq!((&fresh["window"], &fresh["attempts"]), (&json!("24h"), &json!(0)));
    world.publish_contact().await;
    world.receiver.wait_for(1).await;
    world.receiver.usually("/hook", Answer::status(503));
    let event = world.publish_contact().await;
    let delivery = world.delivery_of(&event).await;
    let retrying = world.once_retrying(&delivery, 1).await;
    // Neither is a test send an attempt that is counted.
    world.api.post(&format!("{}/test", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    let shown = world.once(&format!("{route}?window=1h"), |shown| shown["attempts"] == 2).await;
    assert_eq!((&shown["outcomes"]["succeeded"], &shown["outcomes"]["http-error"]), (&json!(1), &json!(1)));
    assert_eq!((&shown["successRate"], &shown["bucketSeconds"]), (&json!(0.5), &json!(60)));
    assert_eq!(shown["latencyMs"], json!({"p50": 1.0, "p95": 1.0, "p99": 1.0}));
    assert!(shown["lastAttemptAt"].is_string());
    world.advance_to_next(&retrying);
    world.once_retrying(&delivery, 2).await;
    for (window, spans) in [("1h", 60), ("24h", 96), ("7d", 84), ("30d", 90)] {
        let shown = world.once(&format!("{route}?window={window}"), |shown| shown["attempts"] == 3).await;
        assert_eq!(shown["series"].as_array().unwrap().len(), spans);
        assert_eq!((summed(&shown, "succeeded"), summed(&shown, "http-error")), (1, 2), "{window}");
        let since = time(&shown, "since");
        assert_eq!(time(&shown["series"][0], "at"), since);
        let step = time(&shown["series"][1], "at").since(since);
        assert_eq!(Some(step / 1_000), shown["bucketSeconds"].as_i64());
    }
    let problem =
        refused("window", &world.api.get(&format!("{route}?window=1d")).await, 422, "invalid-request");
    assert_eq!(pointers(&problem), ["window"]);
}

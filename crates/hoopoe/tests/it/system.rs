//! The operator sees how the server is doing.

use serde_json::{Value, json};
use testkit::Answer;

use crate::world::{LOCATION, World, is_on_postgres, path, text, time};

fn sum(system: &Value, member: &str) -> u64 {
    system["series"].as_array().unwrap().iter().map(|step| step[member].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_what_waits_and_the_worst_endpoints_are_told() {
    let world = World::start().await;
    let fresh = world.api.get("/v1/system").await.expect(200);
    assert_eq!(
        (&fresh["dev"], &fresh["waiting"], &fresh["oldestWaitingAt"]),
        (&json!(true), &json!(0), &Value::Null)
    );
    assert_eq!((fresh["series"].as_array().unwrap().len(), &fresh["bucketSeconds"]), (120, &json!(5)));
    assert_eq!(fresh["worstEndpoints"], json!([]));
    let kind = if is_on_postgres() { "postgres" } else { "sqlite" };
    assert_eq!((&fresh["store"]["kind"], &fresh["store"]["retentionDays"]), (&json!(kind), &json!(30)));
    assert!(fresh["store"]["sizeBytes"].as_u64().unwrap() > 0);
    let node = &fresh["nodes"][0];
    assert_eq!(fresh["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&node["id"], &node["startedAt"], &node["version"]),
        (&fresh["answeredBy"], &fresh["startedAt"], &fresh["version"])
    );
    assert!(text(node, "name").ends_with(&format!("/{}", std::process::id())), "{node}");
    assert_eq!((time(node, "renewedAt"), &node["inFlight"]), (world.now(), &json!(0)));

    world.receiver.usually("/bad", Answer::status(503));
    let good = world.endpoint(json!({})).await;
    let bad = world.endpoint(json!({"url": world.receiver.url("/bad")})).await;
    for _ in 0..2 {
        let event = world.publish_contact().await;
        let of = format!("/v1/deliveries?eventId={}&endpointId={}", text(&event, "id"), text(&bad, "id"));
        world.once(&of, |page| page["data"][0]["status"] == "retrying").await;
    }
    world.receiver.wait_for(4).await;
    world.clock.advance_ms(5_000);
    let counted =
        |shown: &Value| sum(shown, "accepted") == 2 && sum(shown, "failed") >= 2 && shown["waiting"] == 2;
    let shown = world.once("/v1/system", counted).await;
    assert_eq!(sum(&shown, "delivered"), 2);
    assert!(shown["acceptedPerSecond"].as_f64().unwrap() > 0.0, "{shown}");
    assert_eq!(shown["nodes"][0]["acceptedPerSecond"], shown["acceptedPerSecond"]);
    let named = |shown: &Value| shown["worstEndpoints"][0]["waiting"] == 2;
    let shown = world.once("/v1/system", named).await;
    let worst = &shown["worstEndpoints"][0];
    assert_eq!((text(worst, "endpointId"), text(worst, "locationId")), (text(&bad, "id"), LOCATION));
    assert_eq!(worst["health"]["state"], "healthy");
    assert_eq!(time(worst, "oldestWaitingAt"), time(&shown, "oldestWaitingAt"));
    let names: Vec<_> =
        shown["worstEndpoints"].as_array().unwrap().iter().map(|one| text(one, "endpointId")).collect();
    assert!(!names.contains(&text(&good, "id")), "{names:?}");
    world.api.delete(&path("endpoints", &bad)).await.expect(204);
    world.once("/v1/system", |shown| shown["worstEndpoints"] == json!([])).await;
}

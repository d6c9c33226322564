//! Endpoints that fail: what waits for them, what their owners read, and how it ends.

use serde_json::{Value, json};
use testkit::{Answer, eventually};

use crate::world::{World, path, text, time};

/// An endpoint whose receiver answers 503 to so many events that its circuit is open; all of them wait.
async fn failing(world: &World, count: usize) -> Value {
    let endpoint = world.endpoint(json!({})).await;
    world.receiver.usually("/hook", Answer::status(503));
    for _ in 0..count {
        world.publish_contact().await;
    }
    once_all_are(world, "waiting", count).await;
    world.api.get(&path("endpoints", &endpoint)).await.expect(200)
}

/// The deliveries of a status, as soon as there are so many.
async fn once_all_are(world: &World, status: &str, count: usize) -> Value {
    let are_all = |page: &Value| page["data"].as_array().is_some_and(|rows| rows.len() == count);
    world.once(&format!("/v1/deliveries?status={status}&limit=200"), are_all).await
}

async fn health(world: &World, endpoint: &Value, state: &str) -> Value {
    let shown = world.once(&path("endpoints", endpoint), |shown| shown["health"]["state"] == state).await;
    shown["health"].clone()
}

/// Moves the clock in small steps until so many deliveries have succeeded.
async fn until_succeeded(world: &World, count: usize) {
    let are_enough = || async {
        world.clock.advance_ms(125);
        (world.list("/v1/deliveries?status=succeeded&limit=200").await.len() == count).then_some(())
    };
    eventually(&format!("{count} deliveries succeeded"), are_enough).await;
}

/// Moves the clock through the first pause, 5 s ± 20 %, until the probe has arrived. The engine may wake before: what was
/// put off before the circuit opened is due by itself, and waits for the probe then.
async fn to_the_probe(world: &World) {
    let (sent, end) = (world.receiver.count(), world.now().plus_millis(6_000));
    let has_arrived = || async {
        if world.receiver.count() > sent {
            return Some(());
        }
        if let Some(at) = world.clock.sleepers().into_iter().find(|at| *at <= end) {
            world.clock.advance_to(at);
        }
        None
    };
    eventually("the probe", has_arrived).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_wait_for_an_endpoint_that_fails_and_go_on_when_it_is_back() {
    let world = World::start().await;
    let endpoint = failing(&world, 60).await;
    let sent = world.receiver.count();
    assert!((10..30).contains(&sent), "{sent} requests");
    assert_eq!(endpoint["enabled"], true);
    let shown = health(&world, &endpoint, "failing").await;
    assert_eq!((&shown["reason"], time(&shown, "since")), (&"http-error".into(), world.now()));
    let message = text(&shown, "message");
    assert!(
        message
            .contains("attempts failed (your server answered 503). New events wait; one attempt every 5 s"),
        "{message}"
    );
    let metrics = world.api.get("/metrics").await.text();
    for line in ["hoopoe_circuits_open 1", "hoopoe_circuit_openings_total 1"] {
        assert!(metrics.contains(line), "{line}");
    }

    let late = world.delivery_of(&world.publish_contact().await).await;
    for retried in [false, true] {
        if retried {
            let retry = format!("/v1/deliveries/{late}/retry");
            assert_eq!(world.api.post(&retry, &json!({})).await.expect(202)["status"], "waiting");
        }
        let waits = world.once_delivery(&late, "waiting").await;
        assert_eq!((&waits["attemptCount"], &waits["nextAttemptAt"]), (&0.into(), &Value::Null));
    }
    assert_eq!(world.receiver.count(), sent, "waiting uses no attempt");

    world.receiver.usually("/hook", Answer::status(200));
    to_the_probe(&world).await;
    until_succeeded(&world, 61).await;
    assert_eq!(health(&world, &endpoint, "healthy").await["reason"], Value::Null);
    let delivered = world.once_delivery(&late, "succeeded").await;
    assert_eq!(delivered["attemptCount"], 1);
    assert_eq!(world.receiver.count(), 61 + sent, "each that failed was tried once more");
    world.publish_contact().await;
    world.receiver.wait_for(62 + sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_fails_after_four_timeouts_and_probes_are_alone() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    world.receiver.usually("/hook", Answer::hang());
    for _ in 0..30 {
        world.publish_contact().await;
    }
    world.receiver.wait_for(8).await;
    // The attempts, and the server's own.
    world.clock.wait_for_sleepers(8 + 3).await;
    world.clock.advance_ms(10_000);
    let shown = health(&world, &endpoint, "failing").await;
    assert_eq!(shown["reason"], "timeout");
    assert!(text(&shown, "message").contains("did not answer within 10 seconds"), "{shown}");
    let is_idle = || async {
        let metrics = world.api.get("/metrics").await.text();
        metrics.contains("hoopoe_deliveries_in_flight 0").then_some(())
    };
    eventually("nothing is in flight", is_idle).await;
    let sent = world.receiver.count();
    to_the_probe(&world).await;
    // Less than its 10 s, since the clock may have gone on while it was on its way.
    world.clock.advance_ms(7_000);
    assert_eq!(world.list("/v1/deliveries?status=delivering").await.len(), 1);
    assert_eq!(world.receiver.count(), sent + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_send_goes_out_whatever_the_circuit_says_and_leaves_it_as_it_is() {
    let world = World::start().await;
    let endpoint = failing(&world, 20).await;
    let test = format!("{}/test", path("endpoints", &endpoint));
    let before = health(&world, &endpoint, "failing").await;
    for status in [200, 503] {
        world.receiver.usually("/hook", Answer::status(status));
        assert_eq!(world.api.post(&test, &json!({})).await.expect(200)["statusCode"], status);
    }
    assert_eq!(health(&world, &endpoint, "failing").await, before);
    assert_eq!(world.list("/v1/deliveries?status=waiting").await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_days_of_nothing_but_failure_disable_an_endpoint() {
    let world = World::start().await;
    let endpoint = failing(&world, 40).await;
    let since = time(&endpoint["health"], "since");
    for hours in (8..5 * 24).step_by(8) {
        let sent = world.receiver.count();
        world.clock.advance_ms(8 * 3_600_000);
        world.receiver.wait_for(sent + 1).await;
        let is_told = |shown: &Value| {
            text(&shown["health"], "message").starts_with(&format!("The last {} attempts", sent + 1))
        };
        let shown = world.once(&path("endpoints", &endpoint), is_told).await;
        assert_eq!((&shown["enabled"], time(&shown["health"], "since")), (&true.into(), since), "{hours} h");
    }
    world.clock.advance_ms(8 * 3_600_000);
    let shown = health(&world, &endpoint, "disabled").await;
    assert_eq!((&shown["reason"], time(&shown, "since")), (&"failing".into(), world.now()));
    assert!(text(&shown, "message").contains("5 days"), "{shown}");
    let failed = once_all_are(&world, "failed", 40).await;
    let reasons: Vec<&str> =
        failed["data"].as_array().unwrap().iter().map(|row| text(row, "endReason")).collect();
    assert!(reasons.iter().all(|reason| *reason == "endpoint-failing"), "{reasons:?}");
    assert_eq!(world.publish_contact().await["deliveries"], 0);

    world.api.post(&format!("{}/enable", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    health(&world, &endpoint, "healthy").await;
    let sent = world.receiver.count();
    world.publish_contact().await;
    world.receiver.wait_for(sent + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_endpoint_is_known_after_a_restart_and_probed_once_at_once() {
    let world = World::start().await;
    let endpoint = failing(&world, 40).await;
    let before = health(&world, &endpoint, "failing").await;
    let sent = world.receiver.count();
    let world = world.restart().await;
    world.receiver.wait_for(sent + 1).await;
    // Ten opened the circuit; what ran then and failed too is counted with the next note.
    let is_told = |shown: &Value| text(&shown["health"], "message").starts_with("The last 11 attempts");
    let shown = world.once(&path("endpoints", &endpoint), is_told).await;
    assert_eq!(shown["health"]["since"], before["since"]);
    assert_eq!(world.receiver.count(), sent + 1);
    // The note on the circuit may be written before the outcome of its probe.
    once_all_are(&world, "waiting", 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_moved_begins_afresh() {
    let world = World::start().await;
    let endpoint = failing(&world, 40).await;
    let sent = world.receiver.count();
    let url = json!({"url": world.receiver.url("/elsewhere")});
    let moved = world.api.patch(&path("endpoints", &endpoint), &url).await.expect(200);
    assert_eq!(moved["health"]["state"], "healthy");
    until_succeeded(&world, 40).await;
    assert_eq!(world.receiver.count(), sent + 40);
}

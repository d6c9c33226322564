//! The log: listed, filtered, paged, and what a person may do to a delivery.

use std::collections::BTreeSet;

use domain::limits::IN_FLIGHT_PER_ENDPOINT;
use serde_json::{Value, json};
use testkit::{Answer, Gate};

use crate::world::{LOCATION, World, contact, path, refused, text};

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(row, "id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_are_newest_first_and_a_cursor_neither_repeats_nor_skips() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let mut published = Vec::new();
    for _ in 0..7 {
        published.push(text(&world.publish_contact().await, "id").to_owned());
        world.clock.advance_ms(1);
    }
    published.reverse();
    let first = world.api.get("/v1/events?limit=3").await.expect(200);
    // What is published between two pages is newer than the cursor.
    world.publish_contact().await;
    let mut seen = ids(first["data"].as_array().unwrap());
    let mut cursor = first["nextCursor"].clone();
    while let Some(next) = cursor.as_str() {
        let page = world.api.get(&format!("/v1/events?limit=3&cursor={next}")).await.expect(200);
        seen.extend(ids(page["data"].as_array().unwrap()));
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(seen, published);
    assert_eq!(world.list("/v1/deliveries?limit=1").await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_found_by_every_filter() {
    let world = World::start().await;
    let other = world.endpoint(json!({"locationId": "loc-2", "url": world.receiver.url("/other")})).await;
    let endpoint = world.endpoint(json!({})).await;
    world.receiver.usually("/other", Answer::status(500));
    let first = world.publish_contact().await;
    let since = world.now().plus_millis(1);
    world.clock.advance_ms(1);
    let second = world.publish(&contact("loc-2")).await;
    let mut deleted = contact(LOCATION);
    deleted["type"] = "ContactDelete".into();
    let third = world.publish(&deleted).await;
    let mut all = Vec::new();
    for (event, status) in [(&first, "succeeded"), (&second, "retrying"), (&third, "succeeded")] {
        let id = world.delivery_of(event).await;
        world.once_delivery(&id, status).await;
        all.push(id);
    }
    for (filter, wanted) in [
        (String::new(), vec![2, 1, 0]),
        (format!("endpointId={}", text(&other, "id")), vec![1]),
        (format!("endpointId={}&type=ContactDelete", text(&endpoint, "id")), vec![2]),
        (format!("eventId={}", text(&first, "id")), vec![0]),
        ("locationId=loc-2".to_owned(), vec![1]),
        ("type=ContactCreate".to_owned(), vec![1, 0]),
        ("status=succeeded".to_owned(), vec![2, 0]),
        ("status=retrying".to_owned(), vec![1]),
        (format!("since={since}"), vec![2, 1]),
        (format!("until={since}"), vec![0]),
        (format!("since={since}&status=succeeded"), vec![2]),
    ] {
        let wanted: Vec<_> = wanted.iter().map(|place: &usize| all[*place].clone()).collect();
        assert_eq!(ids(&world.list(&format!("/v1/deliveries?limit=1&{filter}")).await), wanted, "{filter}");
    }
    assert_eq!(ids(&world.list("/v1/events?undelivered=true").await), [text(&second, "id")]);
    assert_eq!(ids(&world.list("/v1/events?locationId=loc-2").await), [text(&second, "id")]);
    assert_eq!(ids(&world.list("/v1/events?type=ContactDelete").await), [text(&third, "id")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_listing_takes_is_refused() {
    let world = World::start().await;
    for _ in 0..2 {
        world.publish_contact().await;
    }
    let page = world.api.get("/v1/events?limit=1").await.expect(200);
    let cursor = text(&page, "nextCursor");
    for (query, status, code) in [
        ("events?cursor=nonsense".to_owned(), 400, "invalid-cursor"),
        (format!("events?type=ContactDelete&cursor={cursor}"), 400, "invalid-cursor"),
        (format!("deliveries?cursor={cursor}"), 400, "invalid-cursor"),
        ("events?limit=0".to_owned(), 422, "invalid-request"),
        ("events?limit=201".to_owned(), 422, "invalid-request"),
        ("deliveries?status=lost".to_owned(), 422, "invalid-request"),
        ("deliveries?since=yesterday".to_owned(), 422, "invalid-request"),
        ("deliveries?endpointId=5".to_owned(), 422, "invalid-request"),
        ("deliveries?type=Nothing".to_owned(), 422, "unknown-type"),
    ] {
        refused(&query, &world.api.get(&format!("/v1/{query}")).await, status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retrying_a_finished_delivery_makes_a_new_one_of_the_same_webhook() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let event = world.publish_contact().await;
    let id = world.delivery_of(&event).await;
    world.once_delivery(&id, "succeeded").await;
    let again = world.api.post(&format!("/v1/deliveries/{id}/retry"), &json!({})).await.expect(202);
    assert_eq!(
        (&again["trigger"], &again["retryOf"], &again["eventId"]),
        (&"retry".into(), &id.as_str().into(), &event["id"])
    );
    assert_ne!(again["id"], id.as_str());
    let received = world.receiver.wait_for(2).await;
    assert_eq!(received[0].expect_header("webhook-id"), received[1].expect_header("webhook-id"));
    assert_eq!(received[1].expect_header("x-wl-attempt"), "1");
    assert_eq!(received[1].expect_header("x-wl-delivery"), text(&again, "id"));
    let shown = world.once_delivery(text(&again, "id"), "succeeded").await;
    assert_eq!(shown["attemptCount"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn retrying_an_unfinished_delivery_brings_its_next_attempt_forward() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world.receiver.script("/hook", [Answer::status(500)]);
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.once_retrying(&id, 1).await;
    let answer = world.api.post(&format!("/v1/deliveries/{id}/retry"), &json!({})).await.expect(202);
    assert_eq!(answer["id"], id.as_str());
    let received = world.receiver.wait_for(2).await;
    assert_eq!(received[1].expect_header("x-wl-attempt"), "2");
    world.once_delivery(&id, "succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_of_a_disabled_endpoint_cannot_be_retried() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.once_delivery(&id, "succeeded").await;
    world.api.post(&format!("{}/disable", path("endpoints", &endpoint)), &json!({})).await.expect(200);
    let retry = world.api.post(&format!("/v1/deliveries/{id}/retry"), &json!({})).await;
    refused("disabled", &retry, 409, "endpoint-disabled");
    world.api.delete(&path("endpoints", &endpoint)).await.expect(204);
    let retry = world.api.post(&format!("/v1/deliveries/{id}/retry"), &json!({})).await;
    refused("deleted", &retry, 409, "endpoint-disabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_delivery_is_not_sent_again() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    world.receiver.script("/hook", [Answer::status(500)]);
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.once_retrying(&id, 1).await;
    let cancelled = world.api.post(&format!("/v1/deliveries/{id}/cancel"), &json!({})).await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["nextAttemptAt"]), (&"cancelled".into(), &Value::Null));
    let again = world.api.post(&format!("/v1/deliveries/{id}/cancel"), &json!({})).await;
    refused("twice", &again, 409, "delivery-finished");
    world.clock.advance_ms(100_000);
    // Another event proves that the engine has been at work since.
    world.publish_contact().await;
    let bodies: BTreeSet<_> = world
        .receiver
        .wait_for(2)
        .await
        .iter()
        .map(|one| one.expect_header("x-wl-delivery").to_owned())
        .collect();
    assert_eq!(bodies.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_running_can_be_cancelled_and_its_attempt_is_kept() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let gate = Gate::default();
    world.receiver.script("/hook", [Answer::status(200).when(&gate)]);
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.receiver.wait_for(1).await;
    assert_eq!(world.api.get(&format!("/v1/deliveries/{id}")).await.expect(200)["status"], "delivering");
    world.api.post(&format!("/v1/deliveries/{id}/cancel"), &json!({})).await.expect(200);
    gate.open();
    let shown = world
        .once(&format!("/v1/deliveries/{id}"), |shown| {
            shown["attempts"].as_array().is_some_and(|all| all.len() == 1)
        })
        .await;
    assert_eq!(shown["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_cancelled_while_it_waits_in_its_lane_is_never_sent() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let gate = Gate::default();
    world.receiver.usually("/hook", Answer::status(200).when(&gate));
    // More than one endpoint may have under way at once, so that the last waits in its lane.
    let mut last = Value::Null;
    for _ in 0..IN_FLIGHT_PER_ENDPOINT + 8 {
        last = world.publish_contact().await;
    }
    let id = world.delivery_of(&last).await;
    world.api.post(&format!("/v1/deliveries/{id}/cancel"), &json!({})).await.expect(200);
    gate.open();
    world.receiver.wait_for(IN_FLIGHT_PER_ENDPOINT + 7).await;
    world.once("/v1/deliveries?status=delivering", |page| page["data"] == json!([])).await;
    let sent =
        world.receiver.received().iter().any(|one| one.expect_header("webhook-id") == text(&last, "id"));
    assert!(!sent, "a cancelled delivery was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_after_its_endpoint_was_deleted_ends_the_delivery() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let gate = Gate::default();
    world.receiver.script("/hook", [Answer::status(500).when(&gate)]);
    let id = world.delivery_of(&world.publish_contact().await).await;
    world.receiver.wait_for(1).await;
    world.api.delete(&path("endpoints", &endpoint)).await.expect(204);
    gate.open();
    // The clock stands still: neither the next attempt's time nor a poll comes.
    let shown = world.once_delivery(&id, "cancelled").await;
    assert_eq!((&shown["endReason"], &shown["attemptCount"]), (&"endpoint-deleted".into(), &1.into()));
}

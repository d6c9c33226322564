//! Batches: each item is judged alone, in both spellings.

use serde_json::{Value, json};
use testkit::Client;

use crate::world::{LOCATION, World, contact, text};

fn statuses(answer: &Value) -> Vec<u64> {
    answer["results"].as_array().unwrap().iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

async fn send_lines(api: &Client, lines: &str) -> Value {
    let api = api.clone().with_header("content-type", "application/x-ndjson");
    api.send(http::Method::POST, "/v1/events/batch", lines.to_owned()).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_item_spoils_no_other() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let events = json!({"events": [contact(LOCATION), {"type": "Nothing"}, 5, contact(LOCATION)]});
    let answer = world.api.post("/v1/events/batch", &events).await.expect(200);
    assert_eq!(statuses(&answer), [202, 422, 422, 202]);
    assert_eq!(answer["results"][1]["problem"]["code"], "unknown-type");
    assert_eq!(answer["results"][2]["problem"]["code"], "not-an-object");
    let received = world.receiver.wait_for(2).await;
    let ids: Vec<_> = [0, 3].map(|place| text(&answer["results"][place], "id").to_owned()).into();
    let mut arrived: Vec<_> = received.iter().map(|one| one.expect_header("webhook-id").to_owned()).collect();
    arrived.sort();
    assert_eq!(arrived, ids);
    assert_eq!(world.list("/v1/events").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_events_byte_for_byte() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let good = format!(
        "{{ \"type\":\"ContactCreate\", \"locationId\":\"{LOCATION}\", \"id\":\"x\", \"n\": 1.0e0 }}"
    );
    let answer = send_lines(&world.api, &format!("{good}\nnot json\r\n{good}")).await;
    assert_eq!(statuses(&answer), [202, 400, 202]);
    assert_eq!(answer["results"][1]["problem"]["code"], "invalid-json");
    for request in world.receiver.wait_for(2).await {
        assert_eq!(request.body, good.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_json_batch_are_delivered_byte_for_byte() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let good = format!(
        "{{ \"type\":\"ContactCreate\", \"locationId\":\"{LOCATION}\",  \"id\":\"x\", \"n\": 1.0e0 }}"
    );
    let body = format!("{{\"events\": [ {good} ]}}");
    world.api.send(http::Method::POST, "/v1/events/batch", body).await.expect(200);
    assert_eq!(world.receiver.wait_for(1).await[0].body, good.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_1_to_1000_events() {
    let world = World::start().await;
    let batch = |count: usize| json!({"events": vec![contact(LOCATION); count]});
    for (count, expected) in
        [(0, Err("batch-too-large")), (1, Ok(1)), (1_000, Ok(1_000)), (1_001, Err("batch-too-large"))]
    {
        let answered = world.api.post("/v1/events/batch", &batch(count)).await;
        match expected {
            Ok(count) => assert_eq!(statuses(&answered.expect(200)), vec![202; count]),
            Err(code) => drop(answered.expect_problem(422, code)),
        }
    }
    assert_eq!(world.list("/v1/events?limit=200").await.len(), 1_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_has_the_bound_of_one_event() {
    let world = World::start().await;
    let mut large = contact(LOCATION);
    large["firstName"] = "x".repeat(256 * 1024).into();
    let events = json!({"events": [contact(LOCATION), large]});
    let answer = world.api.post("/v1/events/batch", &events).await.expect(200);
    assert_eq!(statuses(&answer), [202, 413]);
    let too_long = format!("{{\"events\": [\"{}\"]}}", "x".repeat(16 * 1024 * 1024));
    let answered = world.api.send(http::Method::POST, "/v1/events/batch", too_long).await;
    answered.expect_problem(413, "payload-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_batch_is_refused() {
    let world = World::start().await;
    for (body, status, code) in [
        ("{\"events\": [}", 400, "invalid-json"),
        ("[]", 422, "not-an-object"),
        ("{\"events\": {}}", 422, "invalid-request"),
        ("{\"events\": [], \"more\": 1}", 422, "unknown-field"),
    ] {
        let answered = world.api.send(http::Method::POST, "/v1/events/batch", body).await;
        assert_eq!(
            (answered.status.as_u16(), &answered.json()["code"]),
            (status, &code.into()),
            "{body}: {}",
            answered.text()
        );
    }
    let xml = world.api.clone().with_header("content-type", "application/xml");
    let answered = xml.send(http::Method::POST, "/v1/events/batch", "<a/>").await;
    answered.expect_problem(415, "unsupported-media-type");
}

//! Several nodes and one receiver: what one finds out about it counts for all, and all together keep its bounds.

use domain::limits::IN_FLIGHT_PER_ENDPOINT;
use serde_json::{Value, json};
use testkit::{Answer, Client, Database, Gate, Receiver, eventually};

use crate::database::endpoint_on_all;
use crate::nodes::node;
use crate::site::{LOCATION, api, contact, endpoint, until_all_are_finished, until_known};

async fn metric(api: &Client, name: &str) -> u64 {
    let metrics = api.get("/metrics").await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

async fn until(api: &Client, name: &'static str, value: u64) {
    eventually(name, || async { (metric(api, name).await == value).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_that_one_node_opens_is_open_on_the_other_and_recovers_on_both() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let one = node(&database).start().await;
    let two = node(&database).start().await;
    let (at_one, at_two) = (api(&one), api(&two));
    let id = endpoint(&at_one, LOCATION, &receiver.url("/hook")).await;
    until_known(&at_two, &id).await;
    receiver.usually("/hook", Answer::status(500));
    for n in 0..12 {
        at_one.post("/v1/events", &contact(LOCATION, n)).await.expect(202);
    }
    until(&at_one, "hoopoe_circuits_open", 1).await;
    until(&at_two, "hoopoe_circuits_open", 1).await;
    // What comes to the other one waits: it is neither sent nor held.
    let before = receiver.received().len();
    let event = at_two.post("/v1/events", &contact(LOCATION, 100)).await.expect(202);
    let listing = format!("/v1/deliveries?eventId={}", event["id"].as_str().unwrap());
    let delivery: Value = at_two.get(&listing).await.expect(200)["data"][0].clone();
    assert_eq!((&delivery["status"], &delivery["attemptCount"]), (&json!("waiting"), &json!(0)));
    receiver.usually("/hook", Answer::status(200));
    // The probe of whoever makes it closes both.
    until(&at_one, "hoopoe_circuits_open", 0).await;
    until(&at_two, "hoopoe_circuits_open", 0).await;
    assert!(receiver.received().len() > before);
    eventually("the delivery that waited", || async {
        let shown = at_one.get(&listing).await.expect(200);
        (shown["data"][0]["status"] == "succeeded").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_together_send_no_more_at_once_than_one() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let one = node(&database).start().await;
    let two = node(&database).start().await;
    let apis = [api(&one), api(&two)];
    endpoint_on_all(&apis, &receiver).await;
    for api in &apis {
        until(api, "hoopoe_nodes", 2).await;
    }
    // Each answer lets a lane grow.
    let batch: Vec<_> = (0..100).map(|n| contact(LOCATION, n)).collect();
    for api in &apis {
        api.post("/v1/events/batch", &json!({"events": batch})).await.expect(200);
    }
    until_all_are_finished(&apis[0]).await;
    let before = receiver.received().len();
    let gate = Gate::default();
    receiver.usually("/hook", Answer::status(200).when(&gate));
    for api in &apis {
        api.post("/v1/events/batch", &json!({"events": batch})).await.expect(200);
    }
    receiver.wait_for(before + IN_FLIGHT_PER_ENDPOINT).await;
    for api in &apis {
        assert_eq!(metric(api, "hoopoe_deliveries_in_flight").await, IN_FLIGHT_PER_ENDPOINT as u64 / 2);
    }
    assert_eq!(receiver.received().len(), before + IN_FLIGHT_PER_ENDPOINT);
    gate.open();
    until_all_are_finished(&apis[0]).await;
}

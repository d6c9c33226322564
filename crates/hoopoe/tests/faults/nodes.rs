//! Two nodes on one database under load: one killed, one stopped for so long that others hold it for dead.

use std::time::{Duration, Instant};

use domain::limits::{IN_FLIGHT_PER_ENDPOINT, TAKEOVER_MS_MAX};
use testkit::{Answer, Database, Gate, Program, Receiver, eventually};

use crate::database::endpoint_on_all;
use crate::kills::{RECORD_WINDOW, answered_within};
use crate::ledger::{Ledger, arrivals, duplicates};
use crate::site::{KEY, LOCATION, api, binary, contact, endpoint, until_all_are_finished};

const MASTER_KEY: &str = "5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b";
const PUBLISHERS: usize = 8;
const ACKNOWLEDGED: usize = 400;
pub(crate) const TAKEOVER: Duration = Duration::from_millis(TAKEOVER_MS_MAX as u64);

/// A node on the database.
pub(crate) fn node(database: &Database) -> Program {
    node_at(&database.url())
}

pub(crate) fn node_at(database_url: &str) -> Program {
    node_at_with(binary().args(["serve", "--dev", "--listen", "127.0.0.1:0"]), database_url)
}

pub(crate) fn node_at_with(command: Program, database_url: &str) -> Program {
    command
        .env("HOOPOE_DATABASE_URL", database_url)
        .env("HOOPOE_MASTER_KEY", MASTER_KEY)
        .env("HOOPOE_PLATFORM_KEY", KEY)
        .env("HOOPOE_LOG_LEVEL", "warn")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_acknowledged_arrives_by_the_other() {
    let (database, receiver, ledger) = (Database::fresh(), Receiver::start().await, Ledger::default());
    let one = node(&database).start().await;
    let two = node(&database).start().await;
    endpoint_on_all(&[api(&one), api(&two)], &receiver).await;
    // One that the node holds when it dies, whatever else it holds.
    let gate = Gate::default();
    receiver.script("/held", [Answer::status(200).when(&gate)]);
    endpoint(&api(&one), "another", &receiver.url("/held")).await;
    let held = api(&one).post("/v1/events", &contact("another", 0)).await.expect(202);
    receiver.wait_for(1).await;
    let (to_one, to_two) = (ledger.publish(&api(&one), PUBLISHERS), ledger.publish(&api(&two), PUBLISHERS));
    ledger.wait_for(ACKNOWLEDGED).await;
    let at = Instant::now();
    one.kill().await;
    let acknowledged = ledger.events();
    let allowed = IN_FLIGHT_PER_ENDPOINT + answered_within(&receiver, at, RECORD_WINDOW);
    to_one.stop().await;
    // Under load: the other one goes on taking events until everything of before has arrived.
    eventually("what was acknowledged before the kill", || async {
        let seen = arrivals(&receiver);
        let is_taken_over = seen[held["id"].as_str().unwrap()] == 2;
        (is_taken_over && acknowledged.iter().all(|id| seen.contains_key(id))).then_some(())
    })
    .await;
    let recovered = at.elapsed();
    to_two.stop().await;
    until_all_are_finished(&api(&two)).await;
    let duplicates = duplicates(&receiver);
    println!(
        "{} events, recovered {recovered:?} after the kill, {duplicates} duplicates of {allowed} allowed",
        ledger.acknowledged()
    );
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    assert!(recovered <= TAKEOVER, "{recovered:?}");
    assert!(duplicates <= allowed, "{duplicates} duplicates, {allowed} allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_held_for_dead_records_nothing_over_its_successor() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let one = node(&database).start().await;
    let two = node(&database).start().await;
    endpoint(&api(&one), LOCATION, &receiver.url("/hook")).await;
    let gate = Gate::default();
    receiver.script("/hook", [Answer::status(500).when(&gate), Answer::status(200)]);
    let event = api(&one).post("/v1/events", &contact(LOCATION, 0)).await.expect(202);
    receiver.wait_for(1).await;
    let at = Instant::now();
    one.signal("STOP").await;
    receiver.wait_for(2).await;
    println!("taken over {:?} after the stop", at.elapsed());
    assert!(at.elapsed() <= TAKEOVER, "{:?}", at.elapsed());
    let listing = format!("/v1/deliveries?eventId={}", event["id"].as_str().unwrap());
    let shown = || async { api(&two).get(&listing).await.expect(200)["data"][0].clone() };
    let succeeded = eventually("the successor's success", || async {
        let shown = shown().await;
        (shown["status"] == "succeeded").then_some(shown)
    })
    .await;
    // It wakes up with an attempt that has failed by now, and with a place that it does not have.
    one.signal("CONT").await;
    gate.open();
    let late = eventually("the late attempt in the log", || async {
        let shown = shown().await;
        (shown["attemptCount"] != succeeded["attemptCount"]).then_some(shown)
    })
    .await;
    assert_eq!(late["status"], "succeeded");
    assert_eq!(late["completedAt"], succeeded["completedAt"]);
    assert_eq!(receiver.received().len(), 2);
    // And it goes on as a new node.
    let event = api(&one).post("/v1/events", &contact(LOCATION, 1)).await.expect(202);
    let arrived = receiver.wait_for(3).await;
    assert_eq!(arrived[2].expect_header("webhook-id"), event["id"].as_str().unwrap());
    until_all_are_finished(&api(&two)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_in_order_hands_over_at_once() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let mut one = node(&database).start().await;
    let two = node(&database).start().await;
    let body = serde_json::json!({"locationId": LOCATION, "url": receiver.url("/hook"), "eventTypes": ["*"],
        "retrySchedule": [1, 1, 1]});
    api(&one).post("/v1/endpoints", &body).await.expect(201);
    receiver.script("/hook", [Answer::status(500), Answer::status(200)]);
    api(&one).post("/v1/events", &contact(LOCATION, 0)).await.expect(202);
    receiver.wait_for(1).await;
    let at = Instant::now();
    one.signal("TERM").await;
    assert!(one.ended().await.success());
    receiver.wait_for(2).await;
    until_all_are_finished(&api(&two)).await;
    // By itself the other one looks into the queue twice a minute.
    println!("sent {:?} after the stop", at.elapsed());
    assert!(at.elapsed() < Duration::from_secs(15), "{:?}", at.elapsed());
}

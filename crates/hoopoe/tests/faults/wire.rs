//! Between a node and its database: a wire that is slow, and one that goes dead for one node of two.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::limits::IN_FLIGHT_PER_ENDPOINT;
use testkit::{Answer, Database, Gate, Proxy, Receiver, eventually};

use crate::bounds::Bounds;
use crate::database::{endpoint_on_all, must_be_told_to_come_again};
use crate::kills::{RECORD_WINDOW, answered_within};
use crate::ledger::{Ledger, arrivals, duplicates};
use crate::nodes::{TAKEOVER, node, node_at};
use crate::site::{LOCATION, api, contact, endpoint, until_all_are_finished};

const PUBLISHERS: usize = 8;
const ACKNOWLEDGED: usize = 300;
const ROUND_TRIP: Duration = Duration::from_millis(300);
/// Of another location, so that the load and the one delivery that matters are strangers.
const OTHER: &str = "Zk3nTq81LmPw0aXv5RyB";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_far_away_slows_a_node_down_and_breaks_nothing() {
    let (database, receiver, ledger) =
        (Arc::new(Database::fresh()), Receiver::start().await, Ledger::default());
    let proxy = Proxy::to(database.address()).await;
    let hoopoe = node_at(&database.url_at(&[proxy.address()])).start().await;
    let apis = [api(&hoopoe)];
    endpoint(&apis[0], LOCATION, &receiver.url("/hook")).await;
    let bounds = Bounds::watch(&database, &[database.address()], &apis);
    let load = ledger.insist(&apis, PUBLISHERS);
    ledger.wait_for(ACKNOWLEDGED).await;
    proxy.slow_down(ROUND_TRIP);
    let at = Instant::now();
    ledger.wait_for(ledger.acknowledged() + 2 * PUBLISHERS).await;
    let slow = at.elapsed();
    // New connections over it, too.
    proxy.cut();
    ledger.wait_for(ledger.acknowledged() + 1).await;
    proxy.slow_down(Duration::ZERO);
    let at = Instant::now();
    ledger.wait_for(ledger.acknowledged() + ACKNOWLEDGED).await;
    let told = load.stop().await;
    until_all_are_finished(&apis[0]).await;
    println!(
        "{} publications in {slow:?} at {ROUND_TRIP:?} a round trip, finished {:?} after, {told:?}",
        2 * PUBLISHERS,
        at.elapsed()
    );
    told.must_be_right();
    assert_eq!(ledger.missing(&receiver), Vec::<String>::new());
    assert!(duplicates(&receiver) <= IN_FLIGHT_PER_ENDPOINT);
    bounds.must_hold().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_is_replaced_and_records_nothing_over_its_successor() {
    let (database, receiver) = (Database::fresh(), Receiver::start().await);
    let (to_one, to_two) = (Ledger::default(), Ledger::default());
    let proxy = Proxy::to(database.address()).await;
    let mut one = node_at(&database.url_at(&[proxy.address()])).start().await;
    let two = node(&database).start().await;
    let apis = [api(&one), api(&two)];
    endpoint_on_all(&apis, &receiver).await;
    let (load_one, load_two) = (to_one.insist(&apis[..1], PUBLISHERS), to_two.insist(&apis[1..], PUBLISHERS));
    to_one.wait_for(ACKNOWLEDGED).await;
    let gate = Gate::default();
    receiver.script("/slow", [Answer::status(500).when(&gate), Answer::status(200)]);
    endpoint(&apis[0], OTHER, &receiver.url("/slow")).await;
    let event = apis[0].post("/v1/events", &contact(OTHER, 0)).await.expect(202);
    receiver.wait_for_one("the first attempt", |request| request.path == "/slow").await;

    proxy.go_dead();
    let at = Instant::now();
    let acknowledged = to_one.events();
    let allowed = IN_FLIGHT_PER_ENDPOINT + answered_within(&receiver, at, RECORD_WINDOW);
    must_be_told_to_come_again(&apis[0], 0).await;
    eventually("what the other one was left", || async {
        let seen = arrivals(&receiver);
        let slow = receiver.received().iter().filter(|request| request.path == "/slow").count();
        (slow == 2 && acknowledged.iter().all(|id| seen.contains_key(id))).then_some(())
    })
    .await;
    let taken_over = at.elapsed();
    let listing = format!("/v1/deliveries?eventId={}", event["id"].as_str().unwrap());
    let shown = || async { apis[1].get(&listing).await.expect(200)["data"][0].clone() };
    let succeeded = eventually("the successor's success", || async {
        let shown = shown().await;
        (shown["status"] == "succeeded").then_some(shown)
    })
    .await;

    // Its attempt has failed by now, and it can say so again.
    gate.open();
    proxy.heal();
    let at = Instant::now();
    to_one.wait_for(to_one.acknowledged() + ACKNOWLEDGED).await;
    let back = at.elapsed();
    let late = eventually("the late attempt in the log", || async {
        let shown = shown().await;
        (shown["attemptCount"] != succeeded["attemptCount"]).then_some(shown)
    })
    .await;
    assert_eq!((&late["status"], &late["completedAt"]), (&succeeded["status"], &succeeded["completedAt"]));
    let (told_one, told_two) = (load_one.stop().await, load_two.stop().await);
    until_all_are_finished(&apis[1]).await;
    let duplicates = duplicates(&receiver);
    println!(
        "taken over {taken_over:?} after the cut, publishing again {back:?} after the wire is whole, {duplicates} duplicates of {allowed} allowed"
    );
    println!("{told_one:?}; {told_two:?}");
    assert!(taken_over <= TAKEOVER, "{taken_over:?}");
    assert_eq!((to_one.missing(&receiver), to_two.missing(&receiver)), (Vec::new(), Vec::new()));
    assert!(duplicates <= allowed, "{duplicates} duplicates, {allowed} allowed");
    told_one.must_be_right();
    told_two.must_be_right();
    assert!(told_one.refused > 0 && told_two.refused == 0, "{told_one:?}; {told_two:?}");
    one.logged("it goes on as a new one").await;
}

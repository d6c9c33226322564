//! Endpoints that fail: their deliveries wait without using attempts, single probes test them, and they recover slowly.

use std::sync::Arc;

use domain::delivery::EndReason;
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::time::Clock as _;
use hoopoe_delivery::Engine;
use store::Store as _;
use testkit::eventually;
use tokio::sync::watch;

use crate::script::Reaction;
use crate::{ANOTHER_RECEIVER, GRACE, NOW, World};

impl World {
    /// An endpoint whose circuit is open: `count` deliveries were published to it, and each attempt was answered 503.
    async fn failing(&self, engine: &Engine, count: usize) -> Arc<Endpoint> {
        let endpoint = self.endpoint("a.example");
        self.script.set("a.example", Reaction::Status(503));
        for _ in 0..count {
            self.publish(engine, &endpoint);
        }
        let is_told = |state: &crate::support::State| {
            !state.notes.is_empty() && state.rows.values().all(|row| !row.is_held)
        };
        self.store.wait_until("the circuit is open and nothing is held", is_told).await;
        endpoint
    }

    /// Moves the clock in small steps until `count` rows are in the log.
    async fn until_log(&self, count: usize) {
        let is_enough = || async {
            self.clock.advance_ms(125);
            self.store.change(|state| state.log.len() >= count).then_some(())
        };
        eventually(&format!("{count} rows in the log"), is_enough).await;
    }

    /// Moves the clock to the end of the circuit's first pause.
    async fn to_the_probe(&self) {
        let at = self.clock.wait_for_sleeper_between(NOW.plus_millis(3_900), NOW.plus_millis(6_000)).await;
        self.clock.advance_to(at);
    }
}

#[tokio::test]
async fn when_a_circuit_opens_what_waits_uses_no_attempt_and_a_success_releases_it() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.failing(&engine, 100).await;
    let sent = world.script.count("a.example");
    assert!((10..30).contains(&sent), "{sent} were sent");
    let unattempted =
        world.store.change(|state| state.rows.values().filter(|row| row.delivery.attempt_count == 0).count());
    assert_eq!((unattempted, engine.counters().claimed()), (100 - sent, 0));
    assert_eq!((engine.counters().circuits_open(), engine.counters().circuit_openings()), (1, 1));
    let failing = world.store.healths().of(&endpoint).expect("it is noted");
    assert_eq!(failing.run.expect("it fails").last.status_code, Some(503));
    world.script.set("a.example", Reaction::Status(200));
    world.until_log(100 + sent).await;
    world.store.wait_until("it is healthy", |state| state.notes.last().unwrap().failing.is_none()).await;
    assert_eq!((world.store.healths().of(&endpoint), engine.counters().circuits_open()), (None, 0));
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn what_is_published_to_an_open_circuit_waits_without_a_question_to_the_store() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.failing(&engine, 20).await;
    world.clock.wait_for_sleeper_between(NOW.plus_millis(3_900), NOW.plus_millis(6_000)).await;
    let (claims, sent) = (world.store.change(|state| state.claims), world.script.count("a.example"));
    for _ in 0..50 {
        world.publish(&engine, &endpoint);
    }
    let healthy = world.endpoint("b.example");
    world.publish(&engine, &healthy);
    world.script.wait_for("b.example", 1).await;
    assert_eq!(world.store.change(|state| state.claims), claims);
    assert_eq!((world.script.count("a.example"), engine.counters().claimed()), (sent, 1));
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_probe_is_one_attempt_and_its_failure_makes_the_next_pause_longer() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.failing(&engine, 60).await;
    let sent = world.script.count("a.example");
    world.to_the_probe().await;
    world.script.wait_for("a.example", sent + 1).await;
    world
        .store
        .wait_until("the probe is noted", |state| {
            state.notes.last().unwrap().failing.is_some_and(|failing| failing.failed_probes == 1)
        })
        .await;
    let probed_at = world.clock.now();
    world.clock.wait_for_sleeper_between(probed_at.plus_millis(8_000), probed_at.plus_millis(12_000)).await;
    assert_eq!(world.script.count("a.example"), sent + 1);
    let failing = world.store.healths().of(&endpoint).unwrap();
    assert_eq!(failing.run.unwrap().failed_attempts as usize, sent + 1);
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn four_timeouts_open_a_circuit() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    world.script.set("a.example", Reaction::Hang);
    for _ in 0..50 {
        world.publish(&engine, &endpoint);
    }
    world.script.wait_for("a.example", 8).await;
    world.clock.wait_for_sleepers(8).await;
    world.clock.advance_ms(10_000);
    world.wait_for_log(8).await;
    world.store.wait_until("nothing is held", |state| state.rows.values().all(|row| !row.is_held)).await;
    let failing = world.store.healths().of(&endpoint).expect("it fails");
    assert_eq!(failing.run.unwrap().last.outcome, Outcome::Timeout);
    assert!(world.script.count("a.example") <= 12, "{}", world.script.count("a.example"));
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn after_a_restart_an_open_circuit_begins_with_one_probe_at_once() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.failing(&engine, 60).await;
    engine.shutdown(GRACE).await;
    let sent = world.script.count("a.example");
    let (open, gate) = watch::channel(false);
    world.script.set("a.example", Reaction::When(gate));
    let engine = world.start();
    assert_eq!(engine.counters().circuits_open(), 1);
    world.script.wait_for("a.example", sent + 1).await;
    assert_eq!((world.script.count("a.example"), engine.counters().circuits_open()), (sent + 1, 1));
    assert_eq!(world.clock.now(), NOW);
    assert!(!engine.reserve(&endpoint, 2));
    open.send_replace(true);
    world.until_log(60 + sent).await;
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_test_send_neither_asks_nor_moves_the_circuit() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.failing(&engine, 20).await;
    let before = world.store.healths().of(&endpoint);
    for reaction in [Reaction::Status(200), Reaction::Status(503)] {
        world.script.set("a.example", reaction);
        let delivery = world.delivery(&endpoint);
        let (event_id, delivery_id, type_name) = (delivery.event_id, delivery.id, delivery.type_name);
        engine.test(Arc::clone(&endpoint), event_id, delivery_id, type_name, delivery.payload).await;
    }
    assert_eq!((world.store.healths().of(&endpoint), engine.counters().circuits_open()), (before, 1));
    assert!(!engine.reserve(&endpoint, 2));
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn an_endpoint_that_is_moved_or_enabled_anew_begins_with_a_closed_circuit() {
    for change in ANOTHER_RECEIVER {
        let world = World::new();
        let engine = world.start();
        let endpoint = world.failing(&engine, 20).await;
        let renamed = Endpoint { description: "renamed".to_owned(), ..(*endpoint).clone() };
        let renamed = world.store.put_endpoint(renamed);
        engine.endpoint_changed(endpoint.id);
        assert!(!engine.reserve(&renamed, 2), "a new name makes no new receiver");
        let changed = world.store.put_endpoint(change((*endpoint).clone()));
        engine.endpoint_changed(endpoint.id);
        assert!(engine.reserve(&changed, 2));
        assert_eq!(engine.counters().circuits_open(), 0);
        engine.shutdown(GRACE).await;
    }
}

#[tokio::test]
async fn five_days_of_nothing_but_failure_disable_the_endpoint() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.failing(&engine, 20).await;
    let is_enabled = || world.store.routes().endpoint(endpoint.id).expect("it is there").is_enabled();
    let mut sent = world.script.count("a.example");
    let mut hours = 0;
    while is_enabled() {
        hours += 8;
        world.clock.advance_ms(8 * 3_600_000);
        world.publish(&engine, &endpoint);
        sent += 1;
        world.script.wait_for("a.example", sent).await;
        let is_over = |state: &crate::support::State| {
            let ended = |row: &(_, _, Verdict)| row.2 == Verdict::Ended(EndReason::EndpointFailing);
            state.log.len() >= sent && state.rows.values().all(|row| !row.is_held)
                || state.log.iter().any(ended)
        };
        world.store.wait_until("the probe is recorded", is_over).await;
        if hours >= 5 * 24 {
            world.store.wait_until("the endpoint is disabled", |_| !is_enabled()).await;
        }
    }
    assert_eq!(hours, 5 * 24);
    let state = world.store.routes().endpoint(endpoint.id).unwrap().state;
    assert!(matches!(state, EndpointState::Disabled { reason: DisabledReason::Failing, .. }), "{state:?}");
    world.store.wait_until("its deliveries have ended", |state| state.rows.is_empty()).await;
    assert_eq!(engine.counters().circuits_open(), 0);
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_fault_of_this_machine_opens_no_circuit() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    world.script.set("a.example", Reaction::NoSocket);
    for _ in 0..30 {
        world.publish(&engine, &endpoint);
    }
    world.store.wait_until("all are given back", |state| state.rows.values().all(|row| !row.is_held)).await;
    assert!(world.script.count("a.example") >= 30);
    assert!(engine.reserve(&endpoint, 2));
    assert_eq!(world.store.change(|state| state.notes.len()), 0);
    engine.shutdown(GRACE).await;
}

//! The engine with a scripted receiver, a store in memory and a clock that is moved by hand.

mod circuit;
mod gone;
mod script;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::delivery::{EndReason, Trigger};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState, Subscription};
use domain::id::IdSource;
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::Owner;
use domain::secret::{SecretText, Secrets};
use domain::time::{Clock, Timestamp};
use hoopoe_delivery::{Engine, Settings};
use store::events::Hold;
use store::queue::{Claim, ClaimedDelivery, Due};
use testkit::ManualClock;
use tokio::sync::watch;

use crate::script::{Reaction, Script};
use crate::support::FakeStore;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const GRACE: Duration = Duration::from_millis(50);
/// What makes another receiver of an endpoint: it is moved, or enabled anew.
const ANOTHER_RECEIVER: [fn(Endpoint) -> Endpoint; 2] = [
    |endpoint| Endpoint { url: "https://b.example/".into(), ..endpoint },
    |endpoint| Endpoint { state: EndpointState::Enabled { since: NOW.plus_seconds(1) }, ..endpoint },
];

/// Bytes that tell whether they are still held.
struct Body(Arc<[u8; 1_000]>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &*self.0
    }
}

struct World {
    store: Arc<FakeStore>,
    script: Arc<Script>,
    clock: ManualClock,
    ids: Arc<IdSource>,
}

impl World {
    fn new() -> Self {
        Self {
            store: Arc::new(FakeStore::default()),
            script: Arc::new(Script::default()),
            clock: ManualClock::at(NOW),
            ids: Arc::new(testkit::seeded_ids()),
        }
    }

    fn start(&self) -> Engine {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let (transport, store) = (Arc::clone(&self.script), Arc::clone(&self.store));
        let mut settings = Settings::new("Hoopoe/0".to_owned(), 1);
        settings.retry_waits_s = vec![5, 20];
        Engine::start_with(transport, store, clock, Arc::clone(&self.ids), settings).expect("good settings")
    }

    fn endpoint(&self, host: &str) -> Arc<Endpoint> {
        self.store.put_endpoint(Endpoint {
            id: self.ids.endpoint(NOW),
            owner: Owner::Location("loc1".parse().expect("a location id")),
            url: format!("https://{host}/").into(),
            description: String::new(),
            subscription: Subscription::All,
            headers: Vec::new(),
            retry_schedule: None,
            skip_own_events: false,
            state: EndpointState::Enabled { since: NOW },
            secrets: Secrets::new(SecretText::new("0123456789abcdef".to_owned())),
            created_at: NOW,
            updated_at: NOW,
        })
    }

    fn delivery(&self, endpoint: &Endpoint) -> ClaimedDelivery {
        ClaimedDelivery {
            id: self.ids.delivery(NOW),
            event_id: self.ids.event(NOW),
            endpoint_id: endpoint.id,
            type_name: "ContactCreate".into(),
            location_id: None,
            trigger: Trigger::Event,
            retry_of: None,
            attempt_count: 0,
            claim: Claim(1),
            payload: Bytes::from_static(b"{}"),
        }
    }

    /// As a publish does it.
    fn publish(&self, engine: &Engine, endpoint: &Arc<Endpoint>) {
        let delivery = self.delivery(endpoint);
        let is_held = engine.reserve(endpoint, delivery.payload.len());
        let hold = if is_held { Hold::Claimed } else { Hold::Unclaimed };
        self.store.queue(delivery.clone(), self.clock.now(), hold);
        if is_held {
            engine.hand_over(delivery);
        } else {
            engine.stored(Due { endpoint_id: endpoint.id, due_at: self.clock.now() });
        }
    }

    async fn wait_for_log(&self, count: usize) -> Vec<(Option<Outcome>, Verdict)> {
        self.store.wait_until(&format!("{count} rows in the log"), |state| state.log.len() >= count).await;
        self.store.change(|state| {
            let row = |(_, attempt, verdict): &(_, Option<domain::attempt::Attempt>, _)| {
                (attempt.as_ref().map(|attempt| attempt.outcome), *verdict)
            };
            state.log.iter().map(row).collect()
        })
    }

    /// Moves the clock to the time that the last recorded attempt is to be repeated at.
    async fn to_the_next_retry(&self, recorded: usize) -> i64 {
        let log = self.wait_for_log(recorded).await;
        let Verdict::RetryAt(at) = log[recorded - 1].1 else { panic!("no retry: {log:?}") };
        let wait_ms = at.since(self.clock.now());
        self.clock.wait_for_sleeper_between(at, at).await;
        self.clock.advance_to(at);
        wait_ms
    }
}

#[tokio::test]
async fn a_delivery_that_is_handed_over_is_sent_and_recorded() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    world.publish(&engine, &endpoint);
    assert_eq!(world.wait_for_log(1).await, [(Some(Outcome::Succeeded), Verdict::Succeeded)]);
    let counters = engine.counters();
    assert_eq!((counters.attempts(Outcome::Succeeded), counters.in_flight()), (1, 0));
    engine.shutdown(GRACE).await;
    assert_eq!((counters.claimed(), counters.unrecorded(), counters.recorded()), (0, 0, 1));
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_when_it_is_due_until_the_schedule_ends() {
    let world = World::new();
    let engine = world.start();
    world.script.set("a.example", Reaction::Status(503));
    world.publish(&engine, &world.endpoint("a.example"));
    assert!((4_000..=6_000).contains(&world.to_the_next_retry(1).await));
    assert!((16_000..=24_000).contains(&world.to_the_next_retry(2).await));
    let log = world.wait_for_log(3).await;
    assert_eq!(log[2], (Some(Outcome::HttpError), Verdict::Ended(EndReason::Exhausted)));
    let sent = world.script.wait_for("a.example", 3).await;
    assert_eq!(sent.iter().map(|sent| sent.attempt.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_longer_retry_after_is_honoured() {
    let world = World::new();
    let engine = world.start();
    world.script.set("a.example", Reaction::RetryAfter(429, "3600"));
    world.publish(&engine, &world.endpoint("a.example"));
    let log = world.wait_for_log(1).await;
    assert_eq!(log[0].1, Verdict::RetryAt(NOW.plus_seconds(3_600)));
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn what_an_earlier_process_left_is_found_at_the_start() {
    let world = World::new();
    let endpoint = world.endpoint("a.example");
    for _ in 0..300 {
        world.store.queue(world.delivery(&endpoint), NOW, Hold::Unclaimed);
    }
    let engine = world.start();
    assert_eq!(world.wait_for_log(300).await.len(), 300);
    engine.shutdown(GRACE).await;
    assert_eq!(world.script.count("a.example"), 300);
}

#[tokio::test]
async fn a_burst_beyond_the_lane_waits_in_the_store_and_is_sent() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    for _ in 0..1_000 {
        world.publish(&engine, &endpoint);
    }
    let log = world.wait_for_log(1_000).await;
    assert!(log.iter().all(|row| row.1 == Verdict::Succeeded));
    engine.shutdown(GRACE).await;
    assert_eq!(world.script.count("a.example"), 1_000);
}

#[tokio::test]
async fn a_receiver_that_hangs_times_out_and_leaves_others_alone() {
    let world = World::new();
    let engine = world.start();
    world.script.set("hangs.example", Reaction::Hang);
    let [hanging, healthy] = [world.endpoint("hangs.example"), world.endpoint("well.example")];
    for _ in 0..50 {
        world.publish(&engine, &hanging);
    }
    world.publish(&engine, &healthy);
    assert_eq!(world.wait_for_log(1).await, [(Some(Outcome::Succeeded), Verdict::Succeeded)]);
    assert!(world.script.count("hangs.example") <= 32);
    world.clock.advance_ms(10_000);
    let log = world.wait_for_log(2).await;
    assert_eq!(log[1].0, Some(Outcome::Timeout));
    let first = world.store.change(|state| state.log[1].1.clone().unwrap());
    assert_eq!(first.duration_ms, 10_000);
    assert!(first.error.unwrap().contains("while waiting for the answer"));
    engine.shutdown(GRACE).await;
    world.store.wait_until("nothing is held", |state| state.rows.values().all(|row| !row.is_held)).await;
}

#[tokio::test]
async fn a_delivery_that_waits_does_not_keep_the_batch_that_it_came_in() {
    let world = World::new();
    let engine = world.start();
    world.script.set("a.example", Reaction::Hang);
    let endpoint = world.endpoint("a.example");
    let batch = Arc::new([b'x'; 1_000]);
    let body = Bytes::from_owner(Body(Arc::clone(&batch)));
    let delivery = ClaimedDelivery { payload: body.slice(..2), ..world.delivery(&endpoint) };
    drop(body);
    assert!(engine.reserve(&endpoint, 2));
    world.store.queue(world.delivery(&endpoint), NOW, Hold::Claimed);
    engine.hand_over(delivery);
    assert_eq!(Arc::strong_count(&batch), 1);
    engine.shutdown(GRACE).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_the_engine_that_panics_begins_anew() {
    let world = World::new();
    let endpoint = world.endpoint("a.example");
    world.store.change(|state| state.panics = true);
    for _ in 0..2 {
        world.store.queue(world.delivery(&endpoint), NOW, Hold::Unclaimed);
    }
    let engine = world.start();
    world.wait_for_log(2).await;
    assert_eq!(engine.counters().panics(), 1);
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_row_that_does_not_read_back_holds_up_its_own_endpoint_alone() {
    let world = World::new();
    let endpoints = ["a.example", "b.example", "c.example"].map(|host| world.endpoint(host));
    for endpoint in &endpoints {
        world.store.queue(world.delivery(endpoint), NOW, Hold::Unclaimed);
    }
    world.store.change(|state| state.damaged = Some(endpoints[1].id));
    let engine = world.start();
    assert_eq!(world.wait_for_log(2).await.len(), 2);
    assert_eq!(world.script.count("b.example"), 0);
    world.store.change(|state| state.damaged = None);
    let again_at = NOW.plus_seconds(30);
    world.clock.wait_for_sleeper_between(again_at, again_at).await;
    world.clock.advance_to(again_at);
    world.wait_for_log(3).await;
    engine.shutdown(GRACE).await;
    assert_eq!(engine.counters().claimed(), 0);
}

#[tokio::test]
async fn a_delivery_that_is_cancelled_while_it_waits_in_the_lane_is_not_sent() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    let (open, gate) = watch::channel(false);
    world.script.set("a.example", Reaction::When(gate));
    for _ in 0..10 {
        world.publish(&engine, &endpoint);
    }
    world.script.wait_for("a.example", 8).await;
    let last = world.store.change(|state| state.rows.pop_last()).expect("ten are queued").0;
    engine.cancelled(endpoint.id, last);
    engine.cancelled(endpoint.id, last);
    assert_eq!(engine.counters().claimed(), 9);
    open.send_replace(true);
    world.wait_for_log(9).await;
    engine.shutdown(GRACE).await;
    assert_eq!((world.script.count("a.example"), engine.counters().claimed()), (9, 0));
}

#[tokio::test]
async fn a_machine_without_sockets_costs_the_receiver_no_attempt() {
    let world = World::new();
    let engine = world.start();
    world.script.set("a.example", Reaction::NoSocket);
    world.publish(&engine, &world.endpoint("a.example"));
    let later = NOW.plus_seconds(5);
    world
        .store
        .wait_until("it is given back", |state| {
            state.rows.values().any(|row| !row.is_held && row.due_at == later)
        })
        .await;
    world.script.set("a.example", Reaction::Status(200));
    world.clock.advance_to(later);
    assert_eq!(world.wait_for_log(1).await, [(Some(Outcome::Succeeded), Verdict::Succeeded)]);
    let sent = world.script.wait_for("a.example", 2).await;
    assert_eq!(sent.iter().map(|sent| sent.attempt.as_str()).collect::<Vec<_>>(), ["1", "1"]);
    assert_eq!(engine.counters().attempts(Outcome::Connect), 0);
    engine.shutdown(GRACE).await;
}

/// The pause makes Tokio's time pass at once; the engine's clock stands, as one that was set back does.
#[tokio::test(start_paused = true)]
async fn an_attempt_ends_although_the_clock_was_set_back() {
    let world = World::new();
    let engine = world.start();
    world.script.set("a.example", Reaction::Hang);
    world.publish(&engine, &world.endpoint("a.example"));
    assert_eq!(world.wait_for_log(1).await[0].0, Some(Outcome::Timeout));
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn deliveries_of_an_endpoint_disabled_by_hand_wait_until_it_is_enabled() {
    let world = World::new();
    let endpoint = world.endpoint("a.example");
    let by_hand = EndpointState::Disabled { reason: DisabledReason::ByHand, since: NOW };
    world.store.set_state(endpoint.id, by_hand);
    world.store.queue(world.delivery(&endpoint), NOW, Hold::Unclaimed);
    let engine = world.start();
    world.clock.wait_for_sleeper_between(NOW.plus_seconds(30), NOW.plus_seconds(30)).await;
    assert_eq!((world.script.count("a.example"), world.store.change(|state| state.claims)), (0, 0));
    world.store.set_state(endpoint.id, EndpointState::Enabled { since: NOW });
    engine.endpoint_changed(endpoint.id);
    world.wait_for_log(1).await;
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn disabling_gives_back_what_waits_in_the_lane() {
    let world = World::new();
    let engine = world.start();
    world.script.set("a.example", Reaction::Hang);
    let endpoint = world.endpoint("a.example");
    for _ in 0..20 {
        world.publish(&engine, &endpoint);
    }
    world.script.wait_for("a.example", 8).await;
    let by_hand = EndpointState::Disabled { reason: DisabledReason::ByHand, since: NOW };
    world.store.set_state(endpoint.id, by_hand);
    engine.endpoint_changed(endpoint.id);
    world
        .store
        .wait_until("twelve given back", |state| state.rows.values().filter(|row| !row.is_held).count() == 12)
        .await;
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn deliveries_of_a_deleted_endpoint_end_as_cancelled() {
    let world = World::new();
    let endpoint = world.endpoint("a.example");
    for _ in 0..1_200 {
        world.store.queue(world.delivery(&endpoint), NOW, Hold::Unclaimed);
    }
    world.store.set_state(endpoint.id, EndpointState::Deleted { since: NOW });
    let engine = world.start();
    let log = world.wait_for_log(1_200).await;
    assert!(log.iter().all(|row| *row == (None, Verdict::Ended(EndReason::EndpointDeleted))));
    engine.shutdown(GRACE).await;
    assert_eq!((world.script.count("a.example"), engine.counters().ended()), (0, 1_200));
}

#[tokio::test]
async fn an_outcome_outlives_a_store_that_is_away() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    let (open, gate) = watch::channel(false);
    world.script.set("a.example", Reaction::When(gate));
    world.publish(&engine, &endpoint);
    world.script.wait_for("a.example", 1).await;
    world.store.change(|state| state.is_away = true);
    open.send_replace(true);
    world.store.wait_until("two vain tries to record", |state| state.refusals >= 2).await;
    assert_eq!(engine.counters().unrecorded(), 1);
    world.store.change(|state| state.is_away = false);
    assert_eq!(world.wait_for_log(1).await, [(Some(Outcome::Succeeded), Verdict::Succeeded)]);
    engine.shutdown(GRACE).await;
    assert_eq!(world.script.count("a.example"), 1);
}

#[tokio::test]
async fn an_empty_grant_does_not_spin() {
    let world = World::new();
    let endpoint = world.endpoint("a.example");
    world.store.change(|state| state.grants_nothing = true);
    world.store.queue(world.delivery(&endpoint), NOW, Hold::Unclaimed);
    let engine = world.start();
    let pause_ends_at = NOW.plus_seconds(1);
    world.clock.wait_for_sleeper_between(pause_ends_at, pause_ends_at).await;
    assert_eq!(world.store.change(|state| state.claims), 1);
    world.store.change(|state| state.grants_nothing = false);
    world.clock.advance_to(pause_ends_at);
    world.wait_for_log(1).await;
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_panic_frees_its_slot_and_gives_the_delivery_back() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    world.script.set("a.example", Reaction::Panic);
    world.publish(&engine, &endpoint);
    let later = NOW.plus_seconds(60);
    world
        .store
        .wait_until("it is given back", |state| {
            state.rows.values().any(|row| !row.is_held && row.due_at == later)
        })
        .await;
    let counters = engine.counters();
    assert_eq!((counters.panics(), counters.in_flight(), counters.claimed()), (1, 0, 0));
    world.script.set("a.example", Reaction::Status(200));
    world.publish(&engine, &endpoint);
    world.wait_for_log(1).await;
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_shutdown_waits_for_attempts_and_records_them() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    let (open, gate) = watch::channel(false);
    world.script.set("a.example", Reaction::When(gate));
    for _ in 0..10 {
        world.publish(&engine, &endpoint);
    }
    world.script.wait_for("a.example", 8).await;
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.shutdown(testkit::PATIENCE).await }
    });
    world
        .store
        .wait_until("the waiting two are given back", |state| {
            state.rows.values().filter(|row| !row.is_held).count() == 2
        })
        .await;
    open.send_replace(true);
    testkit::patiently("the shutdown", stopping).await.unwrap();
    assert_eq!(world.wait_for_log(8).await.len(), 8);
    assert!(!engine.reserve(&endpoint, 2));
    assert_eq!(world.store.change(|state| state.rows.len()), 2);
}

#[tokio::test]
async fn a_shutdown_ends_although_the_store_is_away() {
    let world = World::new();
    let engine = world.start();
    world.publish(&engine, &world.endpoint("a.example"));
    world.script.wait_for("a.example", 1).await;
    world.store.change(|state| state.is_away = true);
    testkit::patiently("the shutdown", engine.shutdown(GRACE)).await;
    assert_eq!(engine.counters().unrecorded(), 1);
    drop(engine);
    assert_eq!(Arc::strong_count(&world.script), 1, "no task is left that holds the engine");
}

#[tokio::test]
async fn a_test_send_reaches_a_disabled_endpoint_and_changes_nothing() {
    let world = World::new();
    let engine = world.start();
    let endpoint = world.endpoint("a.example");
    let by_hand = EndpointState::Disabled { reason: DisabledReason::ByHand, since: NOW };
    world.store.set_state(endpoint.id, by_hand);
    world.script.set("a.example", Reaction::Status(410));
    let (event_id, delivery_id) = (world.ids.event(NOW), world.ids.delivery(NOW));
    let payload = Bytes::from_static(b"{}");
    let attempt =
        engine.test(Arc::clone(&endpoint), event_id, delivery_id, "ContactCreate".into(), payload).await;
    assert_eq!((attempt.number, attempt.outcome, attempt.status_code), (1, Outcome::HttpError, Some(410)));
    assert!(!attempt.error.unwrap().contains("was disabled"));
    let state = store::Store::routes(&*world.store).endpoint(endpoint.id).unwrap().state;
    assert_eq!(state, by_hand);
    engine.shutdown(GRACE).await;
    assert!(world.store.change(|state| state.log.is_empty()));
}

#[tokio::test]
async fn retention_sweeps_what_is_older_than_its_days() {
    let world = World::new();
    let engine = world.start();
    world.store.wait_until("a sweep", |state| !state.horizons.is_empty()).await;
    assert_eq!(world.store.change(|state| state.horizons[0]), NOW.plus_seconds(-30 * 86_400));
    engine.shutdown(GRACE).await;
}

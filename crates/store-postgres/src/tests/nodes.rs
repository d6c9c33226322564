//! Several nodes on one database.

use std::sync::Arc;

use bytes::Bytes;
use domain::attempt::Attempt;
use domain::delivery::Status;
use domain::endpoint::{Endpoint, EndpointPatch, EndpointState, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, Visibility};
use domain::id::IdSource;
use domain::limits::{BEAT_MS, NODE_DOUBT_MS, NODE_SILENCE_MS, UPKEEP_MS};
use domain::location::Location;
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::Clock as _;
use store::Store as _;
use store::deliveries::Deliveries as _;
use store::endpoints::Endpoints as _;
use store::events::{Events as _, Hold, NewDelivery, Publication};
use store::maintenance::Maintenance as _;
use store::queue::{ClaimedDelivery, Queue as _, Record, Recorded, Want};
use store::tenants::Tenants as _;
use testkit::{Database, ManualClock, eventually};

use super::{NOW, open};
use crate::{PostgresStore, follow};

/// Two nodes, each with a clock of its own.
struct Pair {
    one: Arc<PostgresStore>,
    two: Arc<PostgresStore>,
    clocks: [ManualClock; 2],
    ids: IdSource,
    database: Database,
}

impl Pair {
    async fn open() -> Self {
        let database = Database::fresh();
        let clocks = [ManualClock::at(NOW), ManualClock::at(NOW)];
        let one = open(&database, &clocks[0]).await.unwrap();
        let two = open(&database, &clocks[1]).await.unwrap();
        Self { one, two, clocks, ids: IdSource::seeded(9), database }
    }

    fn new_endpoint(&self) -> Endpoint {
        let id = self.ids.endpoint(NOW);
        Endpoint {
            id,
            owner: Owner::Location("loc".parse().unwrap()),
            url: "https://hooks.example.com/in".into(),
            description: String::new(),
            subscription: Subscription::All,
            headers: Vec::new(),
            retry_schedule: None,
            skip_own_events: false,
            state: EndpointState::Enabled { since: NOW },
            secrets: Secrets::new(SecretText::new("whsec_x".to_owned())),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    async fn endpoint(&self) -> Arc<Endpoint> {
        self.one.create_endpoint(&Scope::Platform, self.new_endpoint(), 9, None).await.unwrap()
    }

    /// One event for the endpoint, held by the first node.
    async fn held(&self, endpoint: &Endpoint) -> ClaimedDelivery {
        let (id, deliveries) = self.ids.event_with_deliveries(NOW, 1);
        let fate = Fate::Delivery(deliveries[0]);
        let event = Event {
            id,
            type_name: "ContactCreate".into(),
            scope: EventScope::Location,
            location_id: Some("loc".parse().unwrap()),
            company_id: None,
            app_id: None,
            payload: Bytes::from_static(b"{}"),
            visibility: Visibility::Listed,
            considered: vec![Considered { endpoint_id: endpoint.id, fate }],
        };
        let delivery = NewDelivery { id: deliveries[0], endpoint_id: endpoint.id, hold: Hold::Claimed };
        let publication = Publication { event: event.clone(), deliveries: vec![delivery] };
        let claim = self.one.publish(vec![publication], None).await.unwrap();
        ClaimedDelivery {
            id: delivery.id,
            event_id: event.id,
            endpoint_id: endpoint.id,
            type_name: event.type_name,
            location_id: event.location_id,
            trigger: domain::delivery::Trigger::Event,
            retry_of: None,
            attempt_count: 0,
            claim,
            payload: event.payload,
        }
    }

    fn record(&self, delivery: &ClaimedDelivery) -> Record {
        let attempt = Attempt {
            id: self.ids.attempt(NOW),
            number: 1,
            started_at: NOW,
            duration_ms: 1,
            outcome: Outcome::Succeeded,
            status_code: Some(200),
            error: None,
            remote_address: None,
            request_headers: domain::attempt::HeaderList::default(),
            response: None,
            timings: domain::attempt::Timings::default(),
        };
        Record {
            delivery: Arc::new(delivery.clone()),
            attempt: Arc::new(attempt),
            verdict: Verdict::Succeeded,
        }
    }

    /// One beat of a node whose clock goes on, and what it sees of the others then.
    async fn beat(&self, node: usize) {
        let now = self.clocks[node].now();
        self.clocks[node].wait_for_sleeper_between(now.plus_millis(1), now.plus_millis(BEAT_MS)).await;
        self.clocks[node].advance_ms(BEAT_MS);
    }

    /// The first node's clock stands: it beats no more.
    async fn second_sees_the_silence(&self) {
        for _ in 0..NODE_SILENCE_MS / BEAT_MS + 2 {
            self.beat(1).await;
        }
        let fence = self.one.shared.node.fence();
        eventually("the row is gone", || async { (!self.has_row(fence)).then_some(()) }).await;
    }

    fn has_row(&self, fence: i64) -> bool {
        self.database.sql(&format!("select count(*) from nodes where fence = {fence}")) == "1"
    }
}

#[tokio::test]
async fn what_a_silent_node_held_is_taken_over_and_it_records_nothing_over_its_successor() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    let held = pair.held(&endpoint).await;
    pair.second_sees_the_silence().await;
    let want = Want { endpoint_id: endpoint.id, limit: 9 };
    let now = NOW.plus_seconds(60);
    let granted = eventually("adoption", || async {
        let granted = pair.two.claim(vec![want], now).await.unwrap().remove(0).deliveries;
        (!granted.is_empty()).then_some(granted)
    })
    .await;
    assert_eq!(granted[0].id, held.id);
    assert_ne!(granted[0].claim, held.claim);
    // The first node wakes up and knows nothing of it.
    assert_eq!(pair.one.record(vec![pair.record(&held)]).await.unwrap(), [Recorded::Lost]);
    assert_eq!(pair.two.delivery(&Scope::Platform, held.id).await.unwrap().0.status, Status::Delivering);
    assert_eq!(pair.two.record(vec![pair.record(&granted[0])]).await.unwrap(), [Recorded::Applied]);
}

#[tokio::test]
async fn a_node_whose_place_was_taken_goes_on_under_another_fence_and_what_it_held_meanwhile_is_not_lost() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    let before = pair.one.shared.node.fence();
    pair.second_sees_the_silence().await;
    // It does not know yet, and holds more.
    let held = pair.held(&endpoint).await;
    pair.clocks[0].wait_for_sleepers(2).await;
    pair.clocks[0].advance_ms(UPKEEP_MS);
    let want = Want { endpoint_id: endpoint.id, limit: 9 };
    let granted = eventually("what was held under the old fence", || async {
        let granted = pair.two.claim(vec![want], NOW.plus_seconds(60)).await.unwrap().remove(0).deliveries;
        (!granted.is_empty()).then_some(granted)
    })
    .await;
    assert_eq!(granted[0].id, held.id);
    let node = &pair.one.shared.node;
    eventually("another fence", || async { (node.fence() > before).then_some(()) }).await;
    let anew = pair.held(&endpoint).await;
    assert_eq!(pair.one.record(vec![pair.record(&anew)]).await.unwrap(), [Recorded::Applied]);
}

/// As a process that stood still and wakes: its first transaction finds out.
#[tokio::test]
async fn a_node_that_wakes_joins_anew_before_it_does_anything_and_sends_nothing_that_it_held() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    let (before, held) = (pair.one.shared.node.fence(), pair.held(&endpoint).await);
    assert!(pair.one.may_send(held.claim));
    pair.second_sees_the_silence().await;
    // By the steady clock of a process that slept; its beat sleeps on.
    let beat_at = pair.clocks[0].sleepers()[0];
    let slept = Arc::clone(&pair.one.shared);
    slept.node.is_silent_since(slept.clock.steady_ms() - NODE_DOUBT_MS - 1);
    assert!(!pair.one.may_send(held.claim), "others may hold it by now");
    let anew = pair.held(&endpoint).await;
    assert!(slept.node.fence() > before);
    assert!(pair.one.may_send(anew.claim) && !pair.one.may_send(held.claim));
    assert_eq!(pair.one.record(vec![pair.record(&anew)]).await.unwrap(), [Recorded::Applied]);
    let want = Want { endpoint_id: endpoint.id, limit: 9 };
    eventually("adoption", || async {
        let granted = pair.two.claim(vec![want], NOW.plus_seconds(60)).await.unwrap().remove(0).deliveries;
        (!granted.is_empty()).then_some(())
    })
    .await;
    assert_eq!(pair.one.record(vec![pair.record(&held)]).await.unwrap(), [Recorded::Lost]);
    assert_eq!(pair.clocks[0].sleepers()[0], beat_at);
}

#[tokio::test]
async fn however_far_apart_clocks_are_a_node_that_beats_keeps_its_place() {
    let pair = Pair::open().await;
    let fences = [&pair.one, &pair.two].map(|store| store.shared.node.fence());
    pair.clocks[1].advance_ms(UPKEEP_MS);
    pair.clocks[1].advance_ms(86_400_000);
    for _ in 0..3 * NODE_SILENCE_MS / BEAT_MS {
        pair.beat(0).await;
        pair.beat(1).await;
    }
    assert!(fences.into_iter().all(|fence| pair.has_row(fence)));
    assert_eq!([&pair.one, &pair.two].map(|store| store.shared.node.fence()), fences);
}

/// The latest commits were lost by a failover, and the counter of fences went back with them.
#[tokio::test]
async fn a_node_whose_fence_is_anothers_takes_another() {
    let pair = Pair::open().await;
    let before = pair.one.shared.node.fence();
    pair.database.sql(&format!("update nodes set name = 'another', beat = 7 where fence = {before}"));
    pair.beat(0).await;
    eventually("another fence", || async { (pair.one.shared.node.fence() != before).then_some(()) }).await;
    assert_eq!(pair.database.sql(&format!("select beat from nodes where fence = {before}")), "7");
}

/// The commit came through and its answer did not: nobody has these deliveries in memory.
#[tokio::test]
async fn what_a_transaction_of_unknown_end_holds_is_given_back() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    let held = pair.held(&endpoint).await;
    let doubt = pair.one.shared.node.begun();
    pair.database.sql(&format!("update held set claim = {}", doubt.claim.0));
    drop(doubt);
    pair.clocks[0].wait_for_sleepers(2).await;
    pair.clocks[0].advance_ms(UPKEEP_MS);
    pair.one.more_is_due().await;
    let want = Want { endpoint_id: endpoint.id, limit: 9 };
    let granted = pair.two.claim(vec![want], NOW.plus_millis(UPKEEP_MS)).await.unwrap().remove(0);
    assert_eq!(granted.deliveries[0].id, held.id);
}

#[tokio::test]
async fn a_node_that_leaves_in_order_hands_over_at_once() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    let held = pair.held(&endpoint).await;
    pair.one.close().await;
    let want = Want { endpoint_id: endpoint.id, limit: 9 };
    let granted = pair.two.claim(vec![want], NOW).await.unwrap().remove(0).deliveries;
    assert_eq!(granted[0].id, held.id);
    assert_eq!(pair.database.sql("select count(*) from nodes"), "1");
}

#[tokio::test]
async fn a_change_is_seen_on_the_other_node_within_a_second() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    let began = std::time::Instant::now();
    let seen = |description: &'static str| {
        let (two, id) = (Arc::clone(&pair.two), endpoint.id);
        eventually(description, move || {
            let known = two.routes().endpoint(id);
            async move { known.filter(|known| known.description == description).map(|_| ()) }
        })
    };
    seen("").await;
    let patch = EndpointPatch { description: Some("renamed".into()), ..EndpointPatch::default() };
    pair.one.update_endpoint(&Scope::Platform, endpoint.id, patch, NOW, None).await.unwrap();
    seen("renamed").await;
    pair.one.delete_endpoint(&Scope::Platform, endpoint.id, NOW).await.unwrap();
    let two = &pair.two;
    eventually("the deletion", || async { two.routes().endpoint(endpoint.id).is_none().then_some(()) }).await;
    assert!(began.elapsed().as_secs() < 3, "three changes took {:?}", began.elapsed());
}

/// However the two get in each other's way, both know the same at the end, and each at once what it wrote itself.
#[tokio::test]
async fn nodes_that_change_the_same_at_once_come_to_know_the_same() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    follow::catch_up(&pair.two.shared).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = Arc::clone(if n % 2 == 0 { &pair.one } else { &pair.two });
        let id = endpoint.id;
        calls.spawn(async move {
            let text = format!("change {n}");
            let patch = EndpointPatch { description: Some(text), ..EndpointPatch::default() };
            store.update_endpoint(&Scope::Platform, id, patch, NOW, None).await.unwrap();
            let company_id = Some(format!("company{n}").parse().unwrap());
            let location = Location { id: "loc".parse().unwrap(), name: None, company_id };
            store.put_location(&Scope::Platform, location, NOW).await.unwrap();
        });
    }
    calls.join_all().await;
    for store in [&pair.one, &pair.two] {
        follow::catch_up(&store.shared).await.unwrap();
    }
    let stored = pair.database.sql("select convert_from(description, 'utf8') from endpoints");
    let company = pair.database.sql("select company_id from locations");
    for store in [&pair.one, &pair.two] {
        assert_eq!(store.routes().endpoint(endpoint.id).unwrap().description, stored);
        let scope = Scope::Company(company.parse().unwrap());
        assert!(store.routes().read().sees(&scope, &endpoint.owner));
    }
}

#[tokio::test]
async fn a_node_that_missed_more_than_is_kept_reads_everything_anew() {
    let pair = Pair::open().await;
    let endpoint = pair.endpoint().await;
    pair.database.sql(
        "update endpoints set description = 'quietly changed'; delete from changes; \
         update counters set value = value + 5 where name in ('revision', 'pruned')",
    );
    pair.database.sql("update counters set value = 100 where name in ('revision', 'pruned')");
    follow::catch_up(&pair.two.shared).await.unwrap();
    assert_eq!(pair.two.routes().endpoint(endpoint.id).unwrap().description, "quietly changed");
}

#[tokio::test]
async fn a_secret_is_nowhere_in_the_clear() {
    let pair = Pair::open().await;
    pair.endpoint().await;
    for column in ["secret", "headers"] {
        let is_sealed = format!("select count(*) from endpoints where length({column}) > 30");
        assert_eq!(pair.database.sql(&is_sealed), "1", "{column}");
    }
    let found = "select count(*) from endpoints e where e::text like '%whsec_x%' \
        or e::text like '%' || encode('whsec_x', 'hex') || '%'";
    assert_eq!(pair.database.sql(found), "0");
}

/// The group commit of two nodes at once: one key, one effect.
#[tokio::test]
async fn of_two_nodes_with_one_idempotency_key_one_publishes() {
    let pair = Pair::open().await;
    let publish = |store: &Arc<PostgresStore>| {
        let (id, _) = pair.ids.event_with_deliveries(NOW, 0);
        let event = Event {
            id,
            type_name: "ContactCreate".into(),
            scope: EventScope::Location,
            location_id: None,
            company_id: None,
            app_id: None,
            payload: Bytes::from_static(b"{}"),
            visibility: Visibility::Listed,
            considered: Vec::new(),
        };
        let key = store::once::OnceKey { owner: "platform".into(), path: "/".into(), key: "k".into() };
        let answer = Box::new(|(): &()| (202, Bytes::new()));
        let once = store::once::Once { key, request_hash: [0; 32], expires_at: NOW.plus_seconds(60), answer };
        let store = Arc::clone(store);
        async move { store.publish(vec![Publication { event, deliveries: Vec::new() }], Some(once)).await.is_ok() }
    };
    let calls = (0..10).map(|n| publish(if n % 2 == 0 { &pair.one } else { &pair.two }));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.into_iter().filter(|ok| *ok).count(), 1);
    assert_eq!(pair.database.sql("select count(*) from events"), "1");
}

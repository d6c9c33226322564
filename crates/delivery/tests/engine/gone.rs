//! Receivers that answer 410: the endpoint is disabled soon, and only the one that was asked.

use domain::delivery::EndReason;
use domain::endpoint::{DisabledReason, EndpointState};
use domain::retry::Verdict;
use store::Store as _;
use store::events::Hold;
use tokio::sync::watch;

use crate::script::Reaction;
use crate::{ANOTHER_RECEIVER, GRACE, NOW, World};

#[tokio::test]
async fn gone_disables_the_endpoint_and_ends_its_deliveries() {
    let world = World::new();
    let endpoint = world.endpoint("a.example");
    world.script.set("a.example", Reaction::Status(410));
    for _ in 0..40 {
        world.store.queue(world.delivery(&endpoint), NOW, Hold::Unclaimed);
    }
    let engine = world.start();
    let log = world.wait_for_log(40).await;
    assert!(log.iter().all(|row| row.1 == Verdict::Ended(EndReason::Gone)), "{log:?}");
    let state = store::Store::routes(&*world.store).endpoint(endpoint.id).unwrap().state;
    assert_eq!(state, EndpointState::Disabled { reason: DisabledReason::Gone, since: NOW });
    engine.shutdown(GRACE).await;
}

/// One whose many deliveries are being ended meanwhile does not delay it.
#[tokio::test]
async fn a_receiver_that_is_gone_does_not_wait_behind_a_deleted_endpoints_deliveries() {
    let world = World::new();
    let deleted = world.endpoint("deleted.example");
    for _ in 0..20_000 {
        world.store.queue(world.delivery(&deleted), NOW, Hold::Unclaimed);
    }
    world.store.set_state(deleted.id, EndpointState::Deleted { since: NOW });
    let engine = world.start();
    world.wait_for_log(500).await;
    let gone = world.endpoint("gone.example");
    world.script.set("gone.example", Reaction::Status(410));
    world.publish(&engine, &gone);
    let is_disabled = || !world.store.routes().endpoint(gone.id).expect("it is there").is_enabled();
    world.store.wait_until("the endpoint is disabled", |_| is_disabled()).await;
    assert!(world.store.change(|state| state.rows.len()) > 10_000, "it waited for the others to be ended");
    engine.shutdown(GRACE).await;
}

#[tokio::test]
async fn a_late_410_does_not_disable_an_endpoint_that_was_moved_or_enabled_anew_meanwhile() {
    for change in ANOTHER_RECEIVER {
        let world = World::new();
        let engine = world.start();
        let endpoint = world.endpoint("a.example");
        let (open, gate) = watch::channel(false);
        world.script.set("a.example", Reaction::GoneWhen(gate));
        world.publish(&engine, &endpoint);
        world.script.wait_for("a.example", 1).await;
        let changed = world.store.put_endpoint(change((*endpoint).clone()));
        engine.endpoint_changed(endpoint.id);
        open.send_replace(true);
        assert_eq!(world.wait_for_log(1).await[0].1, Verdict::Ended(EndReason::Gone));
        engine.shutdown(GRACE).await;
        assert_eq!(world.store.routes().endpoint(endpoint.id).unwrap().state, changed.state);
    }
}

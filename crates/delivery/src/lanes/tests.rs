//! Fairness and bounds, with no task and no clock.

use bytes::Bytes;
use domain::delivery::Trigger;
use domain::endpoint::{EndpointState, Subscription};
use domain::id::IdSource;
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;
use store::queue::Claim;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct World {
    ids: IdSource,
    lanes: Lanes,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        Self { ids: IdSource::seeded(3), lanes: Lanes::new(bounds) }
    }

    fn endpoint(&self, location: &str) -> Endpoint {
        Endpoint {
            id: self.ids.endpoint(NOW),
            owner: Owner::Location(location.parse().unwrap()),
            url: "https://hooks.example.com/".into(),
            description: String::new(),
            subscription: Subscription::All,
            headers: Vec::new(),
            retry_schedule: None,
            skip_own_events: false,
            state: EndpointState::Enabled { since: NOW },
            secrets: Secrets::new(SecretText::new("0123456789abcdef".to_owned())),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn delivery(&self, endpoint: &Endpoint, bytes: usize) -> ClaimedDelivery {
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
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    /// As many as are let in, up to `count`.
    fn fill(&mut self, endpoint: &Endpoint, count: usize) -> usize {
        let enter = |world: &mut Self| {
            let is_let_in = world.lanes.reserve(endpoint, 10);
            if is_let_in {
                let delivery = world.delivery(endpoint, 10);
                assert!(world.lanes.enter(delivery).is_none());
            }
            is_let_in
        };
        (0..count).take_while(|_| enter(self)).count()
    }

    fn start_all(&mut self) -> Vec<EndpointId> {
        std::iter::from_fn(|| self.lanes.start()).map(|start| start.delivery.endpoint_id).collect()
    }

    fn end(&mut self, id: EndpointId, pace: Pace) -> Refill {
        let refill = self.lanes.finished(id, pace);
        self.lanes.recorded(1, 10);
        refill
    }
}

fn small() -> Bounds {
    Bounds { in_flight: 64, in_flight_per_lane: 4, ..Bounds::default() }
}

fn count_of(started: &[EndpointId], endpoint: &Endpoint) -> usize {
    started.iter().filter(|id| **id == endpoint.id).count()
}

#[test]
fn a_full_lane_and_a_lane_with_one_take_turns() {
    let mut world = World::new(Bounds { in_flight: 8, in_flight_per_lane: 1, ..small() });
    let [big, small] = [world.endpoint("a"), world.endpoint("b")];
    assert_eq!(world.fill(&big, 100), 100);
    assert_eq!(world.fill(&small, 2), 2);
    assert_eq!(world.start_all(), [big.id, small.id]);
    world.end(big.id, Pace::Answered);
    world.end(small.id, Pace::Answered);
    assert_eq!(world.start_all(), [big.id, small.id]);
}

#[test]
fn a_lane_takes_no_more_than_its_slots_and_leaves_the_rest_to_others() {
    let mut world = World::new(small());
    let [hanging, healthy] = [world.endpoint("a"), world.endpoint("b")];
    world.fill(&hanging, 100);
    assert_eq!(world.start_all().len(), 4);
    world.fill(&healthy, 1);
    assert_eq!(world.start_all(), [healthy.id]);
}

#[test]
fn however_many_hang_a_newcomer_finds_a_slot() {
    let mut world = World::new(Bounds { in_flight: 256, in_flight_per_lane: 32, ..small() });
    for n in 0..90 {
        let hanging = world.endpoint(&format!("location{n}"));
        world.fill(&hanging, 100);
        let _ = world.start_all();
    }
    assert!(world.lanes.in_flight() >= 192, "only {} of 256 slots are taken", world.lanes.in_flight());
    let newcomer = world.endpoint("newcomer");
    assert_eq!(world.fill(&newcomer, 1), 1);
    assert!(world.start_all().contains(&newcomer.id));
}

#[test]
fn a_location_with_many_endpoints_leaves_half_of_the_slots() {
    let mut world = World::new(Bounds { in_flight: 256, ..small() });
    for _ in 0..50 {
        let of_one = world.endpoint("greedy");
        world.fill(&of_one, 10);
    }
    assert_eq!(world.start_all().len(), 128);
    let other = world.endpoint("modest");
    world.fill(&other, 3);
    assert_eq!(count_of(&world.start_all(), &other), 3);
}

#[test]
fn a_lane_that_runs_into_the_time_limit_shrinks_and_grows_again_when_it_answers() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 100);
    assert_eq!(world.start_all().len(), 4);
    for _ in 0..4 {
        world.end(endpoint.id, Pace::TimedOut);
    }
    assert_eq!(world.start_all().len(), 1);
    for at_once in [2, 3, 4, 4] {
        for id in vec![endpoint.id; world.lanes.in_flight().min(1)] {
            world.end(id, Pace::Answered);
        }
        let _ = world.start_all();
        assert_eq!(world.lanes.in_flight(), at_once);
    }
}

#[test]
fn a_lane_holds_a_bounded_head_and_asks_for_more_when_half_is_gone() {
    let mut world = World::new(Bounds { lane_deliveries: 8, ..small() });
    let endpoint = world.endpoint("a");
    assert_eq!(world.fill(&endpoint, 100), 8);
    assert_eq!(world.lanes.reserve_claim(&endpoint, 5), Places::LaneFull);
    let refills: Vec<Refill> = std::iter::from_fn(|| world.lanes.start()).map(|start| start.refill).collect();
    assert_eq!(refills, [Refill::No, Refill::No, Refill::No, Refill::Yes]);
    assert_eq!(world.lanes.reserve_claim(&endpoint, 9), Places::Reserved(4));
}

#[test]
fn what_is_published_without_pause_does_not_keep_out_what_waits_in_the_store() {
    let mut world = World::new(Bounds { lane_deliveries: 8, ..small() });
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 100);
    assert_eq!(world.lanes.reserve_claim(&endpoint, 4), Places::LaneFull);
    let asked_again = (0..20).any(|_| {
        let started = world.lanes.start().expect("the lane is never empty");
        let is_asked = world.end(endpoint.id, Pace::Answered) == Refill::Yes || started.refill == Refill::Yes;
        world.fill(&endpoint, 100);
        is_asked
    });
    assert!(asked_again, "the lane is always full of what is new");
    let Places::Reserved(places) = world.lanes.reserve_claim(&endpoint, 4) else {
        panic!("no place was left")
    };
    assert!(world.lanes.granted(endpoint.id, places, Vec::new()).is_empty());
    assert!(world.fill(&endpoint, 100) > 0, "then there is room for what is new again");
}

#[test]
fn a_claim_reserves_its_places_until_it_is_granted() {
    let mut world = World::new(Bounds { lane_deliveries: 8, ..small() });
    let endpoint = world.endpoint("a");
    assert_eq!(world.lanes.reserve_claim(&endpoint, 6), Places::Reserved(6));
    assert_eq!(world.fill(&endpoint, 9), 2);
    let granted = vec![world.delivery(&endpoint, 10)];
    assert!(world.lanes.granted(endpoint.id, 6, granted).is_empty());
    assert_eq!(world.lanes.claimed(), 3);
    assert_eq!(world.fill(&endpoint, 9), 5);
}

#[test]
fn when_memory_is_full_a_claim_waits_and_is_told_of_room() {
    let room_for_one = Bounds { claimed_bytes: 2 * limits::EVENT_BYTES_MAX - 1, ..small() };
    let mut world = World::new(room_for_one);
    let [a, b] = [world.endpoint("a"), world.endpoint("b")];
    assert_eq!(world.lanes.reserve_claim(&a, 5), Places::Reserved(1));
    assert_eq!(world.lanes.reserve_claim(&b, 5), Places::AllFull);
    assert!(!world.lanes.take_relief());
    let _ = world.lanes.granted(a.id, 1, Vec::new());
    assert!(world.lanes.take_relief());
    assert!(!world.lanes.take_relief());
}

#[test]
fn while_too_many_outcomes_are_unrecorded_nothing_starts() {
    let mut world = World::new(Bounds { unrecorded: 2, ..small() });
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 10);
    assert_eq!(world.start_all().len(), 4);
    let _ = world.lanes.finished(endpoint.id, Pace::Answered);
    assert_eq!(world.start_all().len(), 1);
    let _ = world.lanes.finished(endpoint.id, Pace::Answered);
    assert_eq!(world.start_all().len(), 0);
    world.lanes.recorded(1, 10);
    assert_eq!(world.start_all().len(), 1);
}

#[test]
fn what_is_used_up_comes_back_to_nothing() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 7);
    assert!(world.lanes.reserve(&endpoint, 10));
    let _ = world.lanes.give_back(endpoint.id, 10);
    for id in world.start_all() {
        world.end(id, Pace::Answered);
    }
    let started = world.start_all();
    let _ = world.lanes.abandoned(started[0], 10);
    for id in &started[1..] {
        world.end(*id, Pace::Other);
    }
    let lanes = &world.lanes;
    assert_eq!((lanes.in_flight, lanes.claimed, lanes.claimed_bytes, lanes.unrecorded), (0, 0, 0, 0));
    assert!(lanes.tenants.is_empty());
    assert_eq!((lanes.lanes.len(), lanes.idle_lanes), (1, 1));
}

#[test]
fn lanes_without_work_are_forgotten_when_there_are_many() {
    let mut world = World::new(small());
    let busy = world.endpoint("busy");
    world.fill(&busy, 1);
    for _ in 0..IDLE_LANES_MAX {
        let endpoint = world.endpoint("a");
        assert!(world.lanes.reserve(&endpoint, 10));
        let _ = world.lanes.give_back(endpoint.id, 10);
    }
    assert_eq!((world.lanes.lanes.len(), world.lanes.idle_lanes), (IDLE_LANES_MAX + 1, IDLE_LANES_MAX));
    let last = world.endpoint("a");
    assert!(world.lanes.reserve(&last, 10));
    let _ = world.lanes.give_back(last.id, 10);
    assert_eq!((world.lanes.lanes.len(), world.lanes.idle_lanes), (1, 0));
    assert_eq!(world.start_all(), [busy.id]);
}

#[test]
fn closed_lanes_give_everything_out_and_take_nothing() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 10);
    assert!(world.lanes.reserve(&endpoint, 10));
    assert_eq!(world.start_all().len(), 4);
    assert_eq!(world.lanes.close().len(), 6);
    let late = world.delivery(&endpoint, 10);
    assert!(world.lanes.enter(late).is_some());
    assert!(!world.lanes.reserve(&endpoint, 10));
    assert_eq!(world.lanes.reserve_claim(&endpoint, 1), Places::AllFull);
    assert_eq!(world.lanes.claimed(), 4);
    assert!(world.start_all().is_empty());
}

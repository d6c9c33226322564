//! Fairness and bounds, with no task and no clock.

use bytes::Bytes;
use domain::delivery::Trigger;
use domain::endpoint::{EndpointState, Subscription};
use domain::health::LastFailure;
use domain::id::IdSource;
use domain::outcome::Outcome;
use domain::secret::{SecretText, Secrets};
use store::queue::Claim;

use super::*;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// One that was claimed and not yet attempted, with a payload of so many bytes.
pub(crate) fn claimed(ids: &IdSource, endpoint_id: EndpointId, bytes: usize) -> ClaimedDelivery {
    ClaimedDelivery {
        id: ids.delivery(NOW),
        event_id: ids.event(NOW),
        endpoint_id,
        type_name: "ContactCreate".into(),
        location_id: None,
        trigger: Trigger::Event,
        retry_of: None,
        attempt_count: 0,
        claim: Claim(1),
        payload: Bytes::from(vec![0; bytes]),
    }
}

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
        claimed(&self.ids, endpoint.id, bytes)
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
        let finished = self.finish(id, pace, Told::Nothing, NOW);
        self.lanes.recorded(1, 10);
        finished.refill
    }

    fn finish(&mut self, id: EndpointId, pace: Pace, told: Told, at: Timestamp) -> Finished {
        self.lanes.finished(id, Ended { pace, told, at })
    }

    /// An attempt that the receiver answered with an error.
    fn fail(&mut self, endpoint: &Endpoint, at: Timestamp) -> Finished {
        let failure = LastFailure { outcome: Outcome::HttpError, status_code: Some(503) };
        let told = Told::Failed { receiver: Receiver::of(endpoint).unwrap(), failure, jitter: 0.0 };
        let finished = self.finish(endpoint.id, Pace::Answered, told, at);
        self.lanes.recorded(1, 10);
        finished
    }

    fn succeed(&mut self, endpoint: &Endpoint, at: Timestamp) -> Finished {
        let told = Told::Succeeded(Receiver::of(endpoint).unwrap());
        let finished = self.finish(endpoint.id, Pace::Answered, told, at);
        self.lanes.recorded(1, 10);
        finished
    }

    /// Failures until the circuit opens; what waited in the lane comes back.
    fn open(&mut self, endpoint: &Endpoint, at: Timestamp) -> Vec<ClaimedDelivery> {
        for _ in 0..100 {
            self.fill(endpoint, 1);
            assert!(!self.start_all().is_empty());
            let finished = self.fail(endpoint, at);
            if self.lanes.circuits().open() > 0 {
                return finished.drained;
            }
        }
        panic!("the circuit does not open");
    }

    /// A claim that brings `count`, of as many as the circuit allows.
    fn claim(&mut self, endpoint: &Endpoint, count: usize, now: Timestamp) -> Places {
        let places = self.lanes.reserve_claim(endpoint, 64, now);
        if let Places::Reserved(limit) = places {
            let brought = (0..count.min(limit)).map(|_| self.delivery(endpoint, 10)).collect();
            assert!(self.lanes.granted(endpoint.id, limit, brought).refused.is_empty());
        }
        places
    }
}

/// Without a part for bursts, which have tests of their own.
fn small() -> Bounds {
    Bounds { in_flight: 64, in_flight_per_lane: 4, spare: limits::CLAIMED_MAX, ..Bounds::default() }
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
    assert_eq!(world.lanes.reserve_claim(&endpoint, 5, NOW), Places::LaneFull);
    let refills: Vec<Refill> = std::iter::from_fn(|| world.lanes.start()).map(|start| start.refill).collect();
    assert_eq!(refills, [Refill::No, Refill::No, Refill::No, Refill::Yes]);
    assert_eq!(world.lanes.reserve_claim(&endpoint, 9, NOW), Places::Reserved(4));
}

#[test]
fn a_burst_fills_its_lane_from_what_is_no_other_lanes_share() {
    let bounds = Bounds { lane_deliveries: 8, claimed: 1_200, spare: 1_000, ..small() };
    let mut world = World::new(bounds);
    let [one, two] = [world.endpoint("a"), world.endpoint("b")];
    assert_eq!(world.fill(&one, 2_000), 100, "as many as then are left of the part for bursts");
    assert_eq!(world.fill(&two, 2_000), 50);
    assert_eq!(
        world.lanes.reserve_claim(&one, 5, NOW),
        Places::LaneFull,
        "a claim fills the lane's share alone"
    );
    for _ in 0..60 {
        let other = world.endpoint("c");
        assert_eq!(world.fill(&other, 8), 8, "the shares are there whatever others' bursts take");
    }
}

#[test]
fn a_burst_leaves_half_of_the_bytes_and_is_not_kept_from_other_nodes() {
    let bounds = Bounds { lane_deliveries: 8, spare: 0, claimed_bytes: 400, spare_bytes: 200, ..small() };
    let mut world = World::new(bounds);
    let endpoint = world.endpoint("a");
    assert_eq!(world.fill(&endpoint, 100), 20);
    let mut world = World::new(Bounds { spare: 0, ..bounds });
    let endpoint = world.endpoint("a");
    world.lanes.share_among(2);
    assert_eq!(world.fill(&endpoint, 100), 8);
}

#[test]
fn what_is_published_without_pause_does_not_keep_out_what_waits_in_the_store() {
    let mut world = World::new(Bounds { lane_deliveries: 8, ..small() });
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 100);
    assert_eq!(world.lanes.reserve_claim(&endpoint, 4, NOW), Places::LaneFull);
    let asked_again = (0..20).any(|_| {
        let started = world.lanes.start().expect("the lane is never empty");
        let is_asked = world.end(endpoint.id, Pace::Answered) == Refill::Yes || started.refill == Refill::Yes;
        world.fill(&endpoint, 100);
        is_asked
    });
    assert!(asked_again, "the lane is always full of what is new");
    let Places::Reserved(places) = world.lanes.reserve_claim(&endpoint, 4, NOW) else {
        panic!("no place was left")
    };
    assert!(world.lanes.granted(endpoint.id, places, Vec::new()).refused.is_empty());
    assert!(world.fill(&endpoint, 100) > 0, "then there is room for what is new again");
}

#[test]
fn a_claim_reserves_its_places_until_it_is_granted() {
    let mut world = World::new(Bounds { lane_deliveries: 8, ..small() });
    let endpoint = world.endpoint("a");
    assert_eq!(world.lanes.reserve_claim(&endpoint, 6, NOW), Places::Reserved(6));
    assert_eq!(world.fill(&endpoint, 9), 2);
    let granted = vec![world.delivery(&endpoint, 10)];
    assert!(world.lanes.granted(endpoint.id, 6, granted).refused.is_empty());
    assert_eq!(world.lanes.claimed(), 3);
    assert_eq!(world.fill(&endpoint, 9), 5);
}

#[test]
fn when_memory_is_full_a_claim_waits_and_is_told_of_room() {
    let room_for_one = Bounds { claimed_bytes: 2 * limits::EVENT_BYTES_MAX - 1, ..small() };
    let mut world = World::new(room_for_one);
    let [a, b] = [world.endpoint("a"), world.endpoint("b")];
    assert_eq!(world.lanes.reserve_claim(&a, 5, NOW), Places::Reserved(1));
    assert_eq!(world.lanes.reserve_claim(&b, 5, NOW), Places::AllFull);
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
    let _ = world.finish(endpoint.id, Pace::Answered, Told::Nothing, NOW);
    assert_eq!(world.start_all().len(), 1);
    let _ = world.finish(endpoint.id, Pace::Answered, Told::Nothing, NOW);
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
    assert_eq!(world.lanes.reserve_claim(&endpoint, 1, NOW), Places::AllFull);
    assert_eq!(world.lanes.claimed(), 4);
    assert!(world.start_all().is_empty());
}

fn after(ms: i64) -> Timestamp {
    NOW.plus_millis(ms)
}

#[test]
fn when_a_circuit_opens_what_waits_is_given_back_and_nothing_new_is_let_in() {
    let mut world = World::new(Bounds { in_flight_per_lane: 1, ..small() });
    let [failing, healthy] = [world.endpoint("a"), world.endpoint("b")];
    assert!(world.lanes.reserve(&failing, 10), "this one is being published when the circuit opens");
    world.fill(&failing, 5);
    let drained = world.open(&failing, NOW);
    assert_eq!(drained.len(), 5);
    assert_eq!(world.fill(&failing, 1), 0);
    let late = world.delivery(&failing, 10);
    assert!(world.lanes.enter(late).is_some());
    assert_eq!(world.lanes.claimed(), 0);
    assert_eq!(world.fill(&healthy, 1), 1);
    assert_eq!(world.start_all(), [healthy.id]);
    let notes = world.lanes.take_notes();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].failing.unwrap().run.unwrap().failed_attempts, 10);
}

#[test]
fn an_open_circuit_lets_one_probe_in_at_a_time_and_asks_again_when_it_ends() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    assert_eq!(world.lanes.postpone(endpoint.id, NOW, NOW), Some(after(5_000)));
    assert_eq!(world.claim(&endpoint, 9, after(4_999)), Places::NotBefore(after(5_000)));
    assert_eq!(world.claim(&endpoint, 9, after(5_000)), Places::Reserved(1));
    assert_eq!(world.claim(&endpoint, 9, after(5_000)), Places::LaneFull);
    assert_eq!(world.lanes.postpone(endpoint.id, NOW, after(5_000)), None);
    assert_eq!(world.start_all(), [endpoint.id]);
    assert_eq!(world.fail(&endpoint, after(5_100)).refill, Refill::Yes);
    assert_eq!(world.claim(&endpoint, 9, after(5_200)), Places::NotBefore(after(15_100)));
}

#[test]
fn attempts_that_ran_when_a_circuit_opened_end_before_the_first_probe() {
    let mut world = World::new(Bounds { in_flight_per_lane: 32, in_flight: 1_024, ..small() });
    let endpoint = world.endpoint("a");
    world.fill(&endpoint, 7);
    assert_eq!(world.start_all().len(), 7);
    world.open(&endpoint, NOW);
    assert_eq!(world.claim(&endpoint, 1, after(6_000)), Places::LaneFull);
    let refills: Vec<Refill> = (0..7).map(|_| world.fail(&endpoint, after(6_000)).refill).collect();
    assert!(refills.contains(&Refill::Yes));
    assert_eq!(world.claim(&endpoint, 1, after(6_001)), Places::Reserved(1));
}

#[test]
fn a_probe_that_does_not_take_place_is_made_again() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    assert_eq!(world.claim(&endpoint, 0, after(5_000)), Places::Reserved(1), "it brought nothing");
    assert_eq!(world.claim(&endpoint, 1, after(5_001)), Places::Reserved(1));
    let started = world.start_all();
    let _ = world.lanes.abandoned(started[0], 10);
    assert_eq!(world.claim(&endpoint, 1, after(5_002)), Places::Reserved(1));
    assert_eq!(world.lanes.drain(endpoint.id).len(), 1);
    assert_eq!(world.claim(&endpoint, 1, after(5_003)), Places::Reserved(1));
}

#[test]
fn a_backlog_is_released_slowly_within_slots_that_grow_with_each_success() {
    let mut world = World::new(Bounds { in_flight_per_lane: 32, in_flight: 1_024, ..small() });
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    assert_eq!(world.claim(&endpoint, 1, after(5_000)), Places::Reserved(1));
    assert_eq!(world.start_all().len(), 1);
    assert_eq!(world.succeed(&endpoint, after(5_000)).refill, Refill::Yes);
    assert_eq!(world.fill(&endpoint, 1), 0, "what is published joins the backlog");
    assert_eq!(world.claim(&endpoint, 64, after(5_000)), Places::Reserved(1));
    assert_eq!(world.claim(&endpoint, 64, after(5_000)), Places::NotBefore(after(5_125)));
    assert_eq!(world.claim(&endpoint, 64, after(6_000)), Places::Reserved(9));
    for at_once in 1..=5 {
        let _ = world.start_all();
        assert_eq!(world.lanes.in_flight(), at_once);
        world.succeed(&endpoint, after(6_000));
    }
    world.lanes.caught_up(endpoint.id);
    assert_eq!(world.fill(&endpoint, 1), 1);
    let failing: Vec<bool> = world.lanes.take_notes().iter().map(|note| note.failing.is_some()).collect();
    assert_eq!(failing, [true, true, false]);
    assert_eq!(world.lanes.circuits().open(), 0);
}

#[test]
fn what_a_claim_brings_to_a_circuit_that_opened_meanwhile_is_given_back() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    assert_eq!(world.lanes.reserve_claim(&endpoint, 3, NOW), Places::Reserved(3));
    world.open(&endpoint, NOW);
    assert_eq!(world.claim(&endpoint, 1, after(5_000)), Places::LaneFull, "the claim comes before a probe");
    let brought = (0..3).map(|_| world.delivery(&endpoint, 10)).collect();
    assert_eq!(world.lanes.granted(endpoint.id, 3, brought).refused.len(), 3);
    assert_eq!(world.lanes.claimed(), 0);
    assert_eq!(world.claim(&endpoint, 1, after(5_000)), Places::Reserved(1));
}

#[test]
fn a_lane_forgotten_while_it_recovers_begins_with_one_slot_and_is_closed_after_five_minutes() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    world.claim(&endpoint, 1, after(5_000));
    world.start_all();
    world.succeed(&endpoint, after(5_000));
    world.lanes.lanes.clear();
    world.lanes.idle_lanes = 0;
    world.claim(&endpoint, 9, after(6_000));
    assert_eq!(world.start_all().len(), 1);
    world.lanes.take_notes();
    assert!(matches!(world.claim(&endpoint, 1, after(5_000 + limits::RECOVERY_MS_MAX)), Places::Reserved(_)));
    let notes = world.lanes.take_notes();
    assert_eq!(notes.iter().map(|note| note.failing).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_late_success_at_a_former_url_does_not_close_the_circuit_of_the_present_one() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    let former = Endpoint { url: "https://former.example.com/".into(), ..endpoint.clone() };
    world.fill(&endpoint, 1);
    world.start_all();
    world.open(&endpoint, NOW);
    world.succeed(&former, NOW);
    assert_eq!(world.lanes.circuits().open(), 1);
}

#[test]
fn a_failure_while_it_recovers_wins_no_slot() {
    let mut world = World::new(Bounds { in_flight_per_lane: 32, in_flight: 1_024, ..small() });
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    world.claim(&endpoint, 1, after(5_000));
    world.start_all();
    world.succeed(&endpoint, after(5_000));
    world.claim(&endpoint, 64, after(6_000));
    assert_eq!(world.start_all().len(), 1);
    world.fail(&endpoint, after(6_000));
    assert_eq!(world.start_all().len(), 1);
    assert_eq!(world.lanes.in_flight(), 1);
}

#[test]
fn probes_of_many_endpoints_that_hang_take_a_quarter_of_the_slots() {
    let mut world = World::new(Bounds { in_flight: 16, ..small() });
    let endpoints: Vec<Endpoint> = (0..6).map(|n| world.endpoint(&format!("location{n}"))).collect();
    for endpoint in &endpoints {
        for _ in 0..10 {
            world.fill(endpoint, 1);
            world.start_all();
            world.fail(endpoint, NOW);
        }
    }
    assert_eq!(world.lanes.circuits().open(), 6);
    let places: Vec<Places> = endpoints.iter().map(|one| world.claim(one, 1, after(5_000))).collect();
    assert_eq!(places[..4], [Places::Reserved(1); 4]);
    assert_eq!(places[4..], [Places::NotBefore(after(10_000)); 2]);
    world.start_all();
    world.fail(&endpoints[0], after(6_000));
    assert_eq!(world.claim(&endpoints[4], 1, after(10_000)), Places::Reserved(1));
}

#[test]
fn a_lane_that_was_forgotten_finds_its_circuit_again_and_a_moved_endpoint_a_new_one() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    world.lanes.lanes.clear();
    world.lanes.idle_lanes = 0;
    assert_eq!(world.claim(&endpoint, 1, NOW), Places::NotBefore(after(5_000)));
    world.lanes.keep_health_of(endpoint.id, Receiver::of(&endpoint).as_ref());
    assert_eq!(world.fill(&endpoint, 1), 0);
    let moved = Endpoint { url: "https://elsewhere.example.com/".into(), ..endpoint };
    world.lanes.keep_health_of(moved.id, Receiver::of(&moved).as_ref());
    assert_eq!((world.fill(&moved, 1), world.lanes.circuits().open()), (1, 0));
}

#[test]
fn twenty_failures_over_five_days_end_the_endpoint() {
    let mut world = World::new(small());
    let endpoint = world.endpoint("a");
    world.open(&endpoint, NOW);
    let mut ends = Vec::new();
    for n in 1..=11 {
        let now = after(n * 40_000_000);
        assert_eq!(world.claim(&endpoint, 1, now), Places::Reserved(1));
        world.start_all();
        ends.push(world.fail(&endpoint, now).ends_endpoint);
    }
    assert_eq!(ends.iter().position(|ends| *ends), Some(10), "the 21st, after 5.09 days");
}

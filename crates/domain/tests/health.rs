//! The circuit, the end of an endpoint that only fails, and the words: by tables, and by random histories.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use hoopoe_domain::endpoint::{DisabledReason, Endpoint, EndpointState, Subscription};
use hoopoe_domain::health::{
    Allowance, Change, Circuit, FailedRun, Failing, LastFailure, describe, pause_ms, share_of,
};
use hoopoe_domain::id::IdSource;
use hoopoe_domain::limits::{
    ATTEMPT_TIMEOUT_MS, CIRCUIT_PAUSE_MS_MAX, CIRCUIT_STAND_BY_MS, CIRCUIT_STAND_BY_SPREAD_MS,
    IN_FLIGHT_PER_ENDPOINT, RECOVERY_MS_MAX, RELEASE_PER_SECOND_MAX, RELEASE_TICK_MS,
};
use hoopoe_domain::outcome::Outcome;
use hoopoe_domain::scope::Owner;
use hoopoe_domain::secret::{SecretText, Secrets};
use hoopoe_domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const REFUSED: LastFailure = LastFailure { outcome: Outcome::HttpError, status_code: Some(503) };
const LATE: LastFailure = LastFailure { outcome: Outcome::Timeout, status_code: None };

fn at(ms: i64) -> Timestamp {
    NOW.plus_millis(ms)
}

/// A circuit that opened at `NOW`.
fn open() -> Circuit {
    let mut circuit = Circuit::default();
    let last = (0..10).map(|_| circuit.failed(REFUSED, NOW, 0.0)).last();
    assert_eq!(last, Some(Change::Opened));
    circuit
}

fn probe(circuit: &mut Circuit, now: Timestamp) {
    assert_eq!(circuit.allowance(now, 0), Allowance::UpTo(1));
    circuit.take(1);
}

#[test]
fn ten_failures_in_a_row_or_four_timeouts_open_a_circuit() {
    let rows: &[(&[(LastFailure, usize)], bool)] = &[
        (&[(REFUSED, 9)], false),
        (&[(REFUSED, 10)], true),
        (&[(LATE, 3)], false),
        (&[(LATE, 4)], true),
        (&[(LATE, 3), (REFUSED, 1), (LATE, 3)], false),
        (&[(REFUSED, 3), (LATE, 4)], true),
        (&[(LATE, 3), (REFUSED, 1), (LATE, 3), (REFUSED, 3)], true),
    ];
    for (failures, opens) in rows {
        let mut circuit = Circuit::default();
        let all = failures.iter().flat_map(|(failure, count)| std::iter::repeat_n(*failure, *count));
        let changes: Vec<Change> = all.map(|failure| circuit.failed(failure, NOW, 0.0)).collect();
        assert_eq!(changes.last() == Some(&Change::Opened), *opens, "{failures:?}");
        assert_eq!(circuit.is_open(), *opens, "{failures:?}");
    }
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let mut circuit = Circuit::default();
    for _ in 0..5 {
        for _ in 0..9 {
            assert_eq!(circuit.failed(REFUSED, NOW, 0.0), Change::Nothing);
        }
        assert_eq!(circuit.succeeded(NOW), Change::Nothing);
    }
    assert_eq!((circuit.is_closed(), circuit.run()), (true, None));
}

#[test]
fn a_pause_begins_at_5_s_and_doubles_up_to_5_minutes() {
    let pauses: Vec<i64> = (0..9).map(|failed| pause_ms(failed, 0.0) / 1_000).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!((pause_ms(0, -1.0), pause_ms(0, 1.0), pause_ms(u32::MAX, 1.0)), (4_000, 6_000, 300_000));
}

#[test]
fn an_open_circuit_waits_then_lets_one_probe_through_at_a_time() {
    let mut circuit = open();
    assert_eq!(circuit.allowance(at(4_999), 0), Allowance::NotBefore(at(5_000)));
    assert_eq!(circuit.allowance(at(5_000), 3), Allowance::WhenEnded, "what ran before ends first");
    probe(&mut circuit, at(5_000));
    assert_eq!(circuit.allowance(at(5_001), 0), Allowance::WhenEnded);
    assert_eq!(circuit.failed(REFUSED, at(5_100), 0.0), Change::ProbeFailed);
    assert_eq!(circuit.allowance(at(5_100), 0), Allowance::NotBefore(at(15_100)));
}

#[test]
fn what_ran_when_it_opened_does_not_lengthen_the_pause_and_its_success_counts() {
    let mut circuit = open();
    for _ in 0..20 {
        assert_eq!(circuit.failed(LATE, at(4_000), 0.0), Change::Nothing);
    }
    assert_eq!(circuit.allowance(at(4_000), 0), Allowance::NotBefore(at(5_000)));
    assert_eq!(circuit.succeeded(at(4_500)), Change::Recovering);
    assert!(circuit.is_recovering());
}

#[test]
fn a_probe_that_ends_without_an_outcome_may_be_made_again() {
    let mut circuit = open();
    probe(&mut circuit, at(5_000));
    circuit.nothing_is_held();
    probe(&mut circuit, at(5_001));
}

#[test]
fn a_backlog_is_released_at_8_a_second_then_at_twice_as_many_up_to_1000() {
    let mut circuit = open();
    probe(&mut circuit, at(5_000));
    assert_eq!(circuit.succeeded(at(5_000)), Change::Recovering);
    let mut by_second = [0; 10];
    for ms in 0..10_000 {
        if let Allowance::UpTo(count) = circuit.allowance(at(5_000 + ms), 0) {
            circuit.take(count);
            by_second[ms as usize / 1_000] += count;
        }
    }
    assert_eq!(by_second, [8, 16, 32, 64, 128, 256, 512, 1_000, 1_000, 1_000]);
}

#[test]
fn what_a_slow_receiver_does_not_use_does_not_come_as_a_burst() {
    let mut circuit = open();
    circuit.succeeded(NOW);
    assert_eq!(circuit.allowance(at(60_000), 0), Allowance::UpTo(RELEASE_PER_SECOND_MAX));
}

#[test]
fn a_recovery_ends_with_the_backlog_or_after_five_minutes() {
    let mut circuit = open();
    assert_eq!(circuit.caught_up(), Change::Nothing, "an open one has not recovered");
    circuit.succeeded(NOW);
    assert_eq!(circuit.caught_up(), Change::Closed);
    assert_eq!((circuit.allowance(NOW, 0), circuit.failing()), (Allowance::All, None));
    let mut circuit = open();
    circuit.succeeded(NOW);
    assert!(matches!(circuit.allowance(at(RECOVERY_MS_MAX - 1), 0), Allowance::UpTo(_)));
    assert_eq!(circuit.allowance(at(RECOVERY_MS_MAX), 0), Allowance::All);
    assert!(circuit.is_closed());
}

#[test]
fn failing_again_while_it_recovers_opens_it_for_longer() {
    let mut circuit = open();
    circuit.succeeded(NOW);
    let changes: Vec<Change> = (0..10).map(|_| circuit.failed(REFUSED, at(1_000), 0.0)).collect();
    assert_eq!((changes[8], changes[9]), (Change::Nothing, Change::Opened));
    assert_eq!(circuit.allowance(at(1_000), 0), Allowance::NotBefore(at(11_000)));
    assert_eq!(circuit.run().unwrap().since, at(1_000), "the run is a new one");
}

#[test]
fn what_is_kept_survives_a_restart_and_begins_with_a_probe() {
    let mut circuit = open();
    probe(&mut circuit, at(5_000));
    circuit.failed(LATE, at(15_000), 0.0);
    let kept = circuit.failing().unwrap();
    assert_eq!((kept.since, kept.failed_probes, kept.held_until), (NOW, 1, at(35_000)));
    assert_eq!(kept.run.unwrap().failed_attempts, 11);
    let mut resumed = Circuit::resumed(kept, at(16_000));
    probe(&mut resumed, at(16_000));
    assert_eq!(resumed.failed(REFUSED, at(16_000), 0.0), Change::ProbeFailed);
    let kept = resumed.failing().unwrap();
    assert_eq!((kept.since, kept.failed_probes, kept.run.unwrap().since), (NOW, 2, NOW));
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_it_open() {
    let mut circuit = open();
    assert_eq!(circuit.allowance(at(-86_400_000), 0), Allowance::UpTo(1));
    circuit.succeeded(NOW);
    assert!(matches!(circuit.allowance(at(900), 0), Allowance::UpTo(_)));
    circuit.take(8);
    let Allowance::NotBefore(next_at) = circuit.allowance(at(-86_400_000), 0) else {
        panic!("none are left")
    };
    assert!(next_at.since(at(-86_400_000)) <= 125, "{next_at}");
    let ready_at = circuit.ready_at(at(-172_800_000)).unwrap();
    assert!(ready_at.since(at(-172_800_000)) <= 125, "{ready_at}");
}

#[test]
fn what_was_taken_up_and_did_not_come_is_not_counted_against_the_release() {
    let mut circuit = open();
    circuit.succeeded(NOW);
    assert_eq!(circuit.allowance(at(875), 0), Allowance::UpTo(8));
    circuit.take(8);
    circuit.give_back(3);
    assert_eq!(circuit.allowance(at(875), 0), Allowance::UpTo(3));
}

#[test]
fn too_many_probes_put_one_off_by_its_pause() {
    let mut circuit = open();
    assert_eq!(circuit.put_off(at(7_000)), at(12_000));
    assert_eq!(circuit.allowance(at(7_000), 0), Allowance::NotBefore(at(12_000)));
}

#[test]
fn five_days_and_twenty_attempts_of_nothing_but_failure_end_an_endpoint() {
    const DAY_MS: i64 = 86_400_000;
    for (attempts, days, minus_ms, ends) in
        [(20, 5, 0, true), (19, 5, 0, false), (20, 5, 1, false), (500, 4, 0, false), (500, 6, 0, true)]
    {
        let first = FailedRun::extended(None, LATE, NOW);
        let run = (1..attempts).fold(first, |run, _| FailedRun::extended(Some(run), REFUSED, at(9)));
        assert_eq!(run.ends_the_endpoint(at(days * DAY_MS - minus_ms)), ends, "{attempts} in {days} days");
    }
}

fn endpoint(state: EndpointState) -> Endpoint {
    Endpoint {
        id: IdSource::seeded(1).endpoint(NOW),
        owner: Owner::Location("loc".parse().unwrap()),
        url: Arc::from("https://hooks.example.com/"),
        description: String::new(),
        subscription: Subscription::All,
        headers: Vec::new(),
        retry_schedule: None,
        skip_own_events: false,
        state,
        secrets: Secrets::new(SecretText::new("0123456789abcdef".to_owned())),
        created_at: NOW,
        updated_at: NOW,
    }
}

#[test]
fn health_is_said_in_words_that_a_customer_can_act_on() {
    let failing = |last, failed_attempts, failed_probes| {
        let run = FailedRun { since: at(-60_000), failed_attempts, timeouts: 0, last };
        Some(Failing { since: NOW, failed_probes, held_until: NOW, run: Some(run) })
    };
    let back = Some(Failing { since: NOW, failed_probes: 3, held_until: NOW, run: None });
    let other = |outcome| LastFailure { outcome, status_code: None };
    let redirect = LastFailure { outcome: Outcome::HttpError, status_code: Some(301) };
    let enabled = EndpointState::Enabled { since: at(-90_000) };
    let disabled = |reason| EndpointState::Disabled { reason, since: NOW };
    let rows = [
        (enabled, None, "healthy", None, at(-90_000), "delivered as they happen"),
        (
            enabled,
            failing(REFUSED, 14, 6),
            "failing",
            Some("http-error"),
            at(-60_000),
            "The last 14 attempts failed (your server answered 503). New events wait; one attempt every 5 minutes \
             tests whether your server is back. If none succeeds by 2023-11-19T22:12:20.000Z, the endpoint is disabled.",
        ),
        (enabled, failing(LATE, 4, 0), "failing", Some("timeout"), at(-60_000), "every 5 seconds tests"),
        (enabled, failing(LATE, 4, 4), "failing", Some("timeout"), at(-60_000), "every 80 seconds tests"),
        (enabled, failing(LATE, 4, 5), "failing", Some("timeout"), at(-60_000), "every 3 minutes tests"),
        (enabled, failing(redirect, 10, 1), "failing", Some("http-error"), at(-60_000), "set the final URL"),
        (enabled, failing(other(Outcome::Dns), 10, 1), "failing", Some("dns"), at(-60_000), "be resolved"),
        (enabled, failing(other(Outcome::Tls), 10, 1), "failing", Some("tls"), at(-60_000), "certificate"),
        (enabled, back, "recovering", None, NOW, "answers again"),
        (disabled(DisabledReason::Failing), back, "disabled", Some("failing"), NOW, "failed for 5 days"),
        (disabled(DisabledReason::ByHand), None, "disabled", Some("by-hand"), NOW, "until it is enabled"),
        (disabled(DisabledReason::Gone), None, "disabled", Some("gone"), NOW, "410 Gone"),
    ];
    for (state, failing, expected, reason, since, words) in rows {
        let health = describe(&endpoint(state), failing.as_ref());
        assert_eq!((health.state, health.reason, health.since), (expected, reason, since), "{words}");
        assert!(health.message.contains(words), "{}", health.message);
    }
}

/// What happens to an endpoint next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(i64),
    /// The engine asks for more and takes what it may.
    Ask,
    Answer(bool),
    Timeout,
    /// An attempt ends without an outcome.
    Abandon,
    CaughtUp,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0i64..400_000).prop_map(Step::Pass),
        3 => (0i64..200).prop_map(Step::Pass),
        6 => Just(Step::Ask),
        1 => Just(Step::Answer(true)),
        8 => Just(Step::Answer(false)),
        4 => Just(Step::Timeout),
        1 => Just(Step::Abandon),
        1 => Just(Step::CaughtUp),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..300)
}

/// An engine of a few lines around one circuit.
struct Model {
    circuit: Circuit,
    now: Timestamp,
    /// Attempts running, and how many of them were begun by an open circuit.
    running: usize,
    probes: usize,
    taken_while_recovering: Vec<Timestamp>,
}

impl Model {
    fn ask(&mut self) {
        let was_open = self.circuit.is_open();
        let ready_at = self.circuit.ready_at(self.now);
        match self.circuit.allowance(self.now, self.running) {
            // As many as the engine asks for at once.
            Allowance::All => self.running += if self.running < 32 { 4 } else { 0 },
            Allowance::UpTo(count) => {
                assert!(count >= 1 && ready_at.is_some_and(|at| at <= self.now));
                self.circuit.take(count);
                self.running += count as usize;
                if was_open {
                    self.probes += 1;
                    assert_eq!((count, self.running, self.probes), (1, 1, 1), "a probe is alone");
                } else {
                    let at = self.now;
                    self.taken_while_recovering.extend(std::iter::repeat_n(at, count as usize));
                }
            }
            Allowance::NotBefore(at) => {
                assert!(at > self.now && at.since(self.now) <= CIRCUIT_PAUSE_MS_MAX, "{at}");
            }
            Allowance::WhenEnded => assert!(self.running > 0, "nobody would ask again"),
        }
    }

    fn end(&mut self, change: impl FnOnce(&mut Circuit, Timestamp) -> Change) {
        if self.running == 0 {
            return;
        }
        self.running -= 1;
        self.probes = self.probes.saturating_sub(1);
        let before = self.circuit.clone();
        let change = change(&mut self.circuit, self.now);
        assert_eq!(
            change == Change::Nothing,
            state_of(&before) == state_of(&self.circuit) && change != Change::ProbeFailed
        );
        if self.running == 0 {
            self.circuit.nothing_is_held();
        }
    }

    fn go(&mut self, step: Step, jitter: f64) {
        match step {
            Step::Pass(ms) => self.now = self.now.plus_millis(ms),
            Step::Ask => self.ask(),
            Step::Answer(true) => self.end(Circuit::succeeded),
            Step::Answer(false) => self.end(|circuit, now| circuit.failed(REFUSED, now, jitter)),
            Step::Timeout => self.end(|circuit, now| circuit.failed(LATE, now, jitter)),
            Step::Abandon => self.end(|_, _| Change::Nothing),
            Step::CaughtUp => {
                self.circuit.caught_up();
            }
            Step::Restart => {
                let kept = self.circuit.failing();
                self.circuit = kept.map_or_else(Circuit::default, |kept| Circuit::resumed(kept, self.now));
                (self.running, self.probes) = (0, 0);
            }
        }
    }
}

fn state_of(circuit: &Circuit) -> [bool; 3] {
    [circuit.is_closed(), circuit.is_open(), circuit.is_recovering()]
}

proptest! {
    #[test]
    fn probes_are_alone_pauses_bounded_and_nothing_hangs(steps in steps(), jitter in -1.0f64..1.0) {
        let mut model = Model {
            circuit: Circuit::default(),
            now: NOW,
            running: 0,
            probes: 0,
            taken_while_recovering: Vec::new(),
        };
        for step in steps {
            model.go(step, jitter);
            prop_assert!(state_of(&model.circuit).iter().filter(|is| **is).count() == 1);
            prop_assert_eq!(model.circuit.is_closed(), model.circuit.failing().is_none());
            if model.running == 0 {
                let ready_at = model.circuit.ready_at(model.now);
                prop_assert!(ready_at.is_some_and(|at| at.since(model.now) <= CIRCUIT_PAUSE_MS_MAX));
            }
        }
        let per_second_max = 2 * RELEASE_PER_SECOND_MAX as usize;
        let taken = &model.taken_while_recovering;
        for (place, at) in taken.iter().enumerate() {
            let within = taken[place..].iter().take_while(|later| later.since(*at) < 1_000).count();
            prop_assert!(within <= per_second_max, "{within} within a second");
        }
        // From here on everything succeeds: it closes, in bounded time.
        let healed_at = model.now;
        while !model.circuit.is_closed() {
            while model.running > 0 {
                model.go(Step::Answer(true), jitter);
            }
            model.go(Step::Ask, jitter);
            model.go(Step::Pass(125), jitter);
            prop_assert!(model.now.since(healed_at) <= CIRCUIT_PAUSE_MS_MAX + RECOVERY_MS_MAX + 1_000);
        }
    }
}

#[test]
fn a_node_that_hears_of_an_open_circuit_stands_by_and_takes_over_when_the_probe_is_overdue() {
    let opened = open();
    let mut other = Circuit::default();
    assert_eq!(other.heard(opened.failing(), NOW, -1.0), Change::Opened);
    let overdue = opened.failing().unwrap().held_until.plus_millis(CIRCUIT_STAND_BY_MS);
    assert_eq!(other.allowance(at(0), 0), Allowance::NotBefore(overdue));
    assert_eq!(other.run(), opened.run());
    let mut later = Circuit::default();
    later.heard(opened.failing(), NOW, 1.0);
    let last = overdue.plus_millis(CIRCUIT_STAND_BY_SPREAD_MS);
    assert_eq!(later.allowance(at(0), 0), Allowance::NotBefore(last));
    // Also after the longest pause, which is not taken for a clock that was set back.
    let longest =
        Failing { held_until: at(CIRCUIT_PAUSE_MS_MAX + ATTEMPT_TIMEOUT_MS), ..opened.failing().unwrap() };
    later.heard(Some(longest), NOW, 1.0);
    assert!(matches!(later.allowance(at(0), 0), Allowance::NotBefore(_)));
    probe(&mut other, overdue);
    assert_eq!(other.heard(opened.failing(), overdue, 0.0), Change::Nothing, "its own probe tells soon");
    assert_eq!(other.failed(REFUSED, overdue, 0.0), Change::ProbeFailed);
    assert_eq!(other.run().unwrap().failed_attempts, 11);
}

#[test]
fn a_node_that_hears_of_a_success_releases_too_and_closes_with_the_other() {
    let mut one = open();
    let mut other = Circuit::default();
    other.heard(one.failing(), NOW, 0.0);
    probe(&mut one, at(5_000));
    one.succeeded(at(5_000));
    assert_eq!(other.heard(one.failing(), at(5_500), 0.0), Change::Recovering);
    assert_eq!((other.run(), other.is_recovering()), (None, true));
    assert_eq!(other.heard(one.failing(), at(6_000), 0.0), Change::Nothing, "again");
    assert_eq!(one.caught_up(), Change::Closed);
    assert_eq!(other.heard(one.failing(), at(7_000), 0.0), Change::Closed);
    assert_eq!(other.heard(None, at(7_000), 0.0), Change::Nothing);
    assert_eq!(other, Circuit::default());
}

/// Whoever may, takes all that it may, at every tick.
fn released(nodes: usize, ms: i64) -> u32 {
    let mut taken = 0;
    for _ in 0..nodes {
        let mut circuit = open();
        circuit.share_among(nodes);
        circuit.succeeded(NOW);
        for tick in 0..=ms / RELEASE_TICK_MS {
            if let Allowance::UpTo(count) = circuit.allowance(at(tick * RELEASE_TICK_MS), 0) {
                circuit.take(count);
                taken += count;
            }
        }
    }
    taken
}

proptest! {
    #[test]
    fn nodes_release_together_what_one_would_alone(nodes in 1usize..=64, ms in 0i64..20_000) {
        let (alone, together) = (released(1, ms), released(nodes, ms));
        // What does not divide: less than one of each node, for each second in which the rate was another.
        let off = nodes as u32 * 8;
        prop_assert!((alone.saturating_sub(off)..=alone + off).contains(&together), "{together} for {alone}");
    }

    #[test]
    fn shares_of_a_bound_are_the_bound_where_it_divides_and_never_nothing(nodes in 1usize..=64) {
        let share = share_of(IN_FLIGHT_PER_ENDPOINT, nodes);
        prop_assert!(share >= 1 && share * nodes < IN_FLIGHT_PER_ENDPOINT + nodes);
    }

    /// Steps of half a second; a probe takes a while, and the others hear a second later what came of it.
    #[test]
    fn of_several_nodes_one_probes_until_it_is_gone(
        nodes in 2usize..5, took in prop::collection::vec(1usize..=20, 40), dies_at in 60usize..400, jitter in -1.0f64..=1.0,
    ) {
        let mut circuits = vec![Circuit::default(); nodes];
        circuits[0] = open();
        // The node, and when its probe ends.
        let mut running: Vec<(usize, usize)> = Vec::new();
        // When it is heard, by all but whom, and what.
        let mut notes = vec![(2, 0, circuits[0].failing())];
        let (mut probes, mut by_others) = (0, 0);
        for step in 0..2_000 {
            let now = at(500 * step as i64);
            for (_, from, failing) in notes.extract_if(.., |(heard_at, ..)| *heard_at == step) {
                for (node, circuit) in circuits.iter_mut().enumerate().filter(|(node, _)| *node != from) {
                    circuit.heard(failing, now, jitter * node as f64 / nodes as f64);
                }
            }
            for (node, _) in running.extract_if(.., |(_, ends_at)| *ends_at == step) {
                circuits[node].failed(REFUSED, now, jitter);
                notes.push((step + 2, node, circuits[node].failing()));
            }
            for (node, circuit) in circuits.iter_mut().enumerate() {
                let is_gone = node == 0 && step >= dies_at;
                let is_running = running.iter().any(|(other, _)| *other == node);
                if !is_gone && !is_running && circuit.allowance(now, 0) == Allowance::UpTo(1) {
                    circuit.take(1);
                    running.push((node, step + took[probes % took.len()]));
                    (probes, by_others) = (probes + 1, by_others + usize::from(node != 0));
                }
            }
            if step < dies_at {
                prop_assert!(running.len() <= 1 && by_others == 0, "{running:?} at {step}");
            }
            prop_assert!(running.len() < nodes);
        }
        prop_assert!(by_others > 0, "somebody took over");
    }
}

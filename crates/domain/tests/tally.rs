//! Tallies add up, and what they tell of latency is a tenth off at most.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use hoopoe_domain::attempt::{Attempt, HeaderList, Timings};
use hoopoe_domain::id::AttemptId;
use hoopoe_domain::limits::ATTEMPT_TIMEOUT_MS;
use hoopoe_domain::outcome::Outcome;
use hoopoe_domain::tally::{Grain, LATENCY_BUCKETS, Latencies, Tally, Window};
use hoopoe_domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn attempt(outcome: Outcome, duration_ms: u32, after_ms: i64) -> Attempt {
    Attempt {
        id: AttemptId::from_bits(1),
        number: 1,
        started_at: NOW.plus_millis(after_ms),
        duration_ms,
        outcome,
        status_code: None,
        error: None,
        remote_address: None,
        request_headers: HeaderList::default(),
        response: None,
        timings: Timings::default(),
    }
}

fn tally(attempts: &[Attempt]) -> Tally {
    let mut tally = Tally::default();
    attempts.iter().for_each(|attempt| tally.add(attempt));
    tally
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let one = (proptest::sample::select(&Outcome::ALL[..]), 0..12_000_u32, -100_000..100_000_i64);
    proptest::collection::vec(one.prop_map(|(outcome, ms, after)| attempt(outcome, ms, after)), 0..200)
}

/// By nearest rank, of what was really measured.
fn exact(sorted: &[u32], percent: usize) -> u32 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

fn is_close(told: f64, exact: u32) -> bool {
    // What took no millisecond is told as one.
    let exact = f64::from(exact.max(1));
    // Told to a tenth of a millisecond.
    (told - exact).abs() <= exact * 0.1 + 0.05
}

proptest! {
    #[test]
    fn parts_add_up_to_the_whole_in_any_order(attempts in attempts(), cuts in (0..201_usize, 0..201_usize)) {
        let (first, second) = (cuts.0.min(cuts.1).min(attempts.len()), cuts.0.max(cuts.1).min(attempts.len()));
        let parts = [&attempts[..first], &attempts[first..second], &attempts[second..]].map(tally);
        let [mut forward, mut backward] = [Tally::default(), Tally::default()];
        parts.iter().for_each(|part| forward.merge(part));
        parts.iter().rev().for_each(|part| backward.merge(part));
        let whole = tally(&attempts);
        prop_assert_eq!(&forward, &whole);
        prop_assert_eq!(&backward, &whole);
        prop_assert_eq!(whole.attempts(), attempts.len() as u64);
        for outcome in Outcome::ALL {
            let counted = attempts.iter().filter(|attempt| attempt.outcome == outcome).count();
            prop_assert_eq!(whole.of(outcome), counted as u64);
        }
        prop_assert_eq!(whole.last_attempt_at, attempts.iter().map(|attempt| attempt.started_at).max());
    }

    #[test]
    fn quantiles_are_a_tenth_off_at_most(mut measured in proptest::collection::vec(0..=10_000_u32, 1..400)) {
        let mut latencies = Latencies::default();
        measured.iter().for_each(|ms| latencies.add(*ms));
        measured.sort_unstable();
        let told = latencies.quantiles().unwrap();
        for (told, percent) in [(told.p50, 50), (told.p95, 95), (told.p99, 99)] {
            prop_assert!(is_close(told, exact(&measured, percent)), "{told} for {}", exact(&measured, percent));
        }
    }

    #[test]
    fn every_moment_is_in_one_span_of_each_grain_and_the_last_of_each_window(ms in any::<i32>()) {
        let at = NOW.plus_millis(i64::from(ms) * 97);
        for grain in Grain::ALL {
            let start = grain.start_of(at);
            prop_assert!(start <= at && at < start.plus_millis(grain.span_ms()));
            prop_assert_eq!(grain.start_of(start), start);
        }
        for window in Window::ALL {
            let (grain, since) = (window.grain(), window.since(at));
            prop_assert_eq!(grain.start_of(since), since);
            let last = since.plus_millis((window.spans() as i64 - 1) * grain.span_ms());
            prop_assert_eq!(last, grain.start_of(at));
            prop_assert!(grain.kept_from(at) <= since, "{window:?} shows what is not kept");
        }
        let minutes_from = Grain::Minute.kept_from(at);
        prop_assert_eq!(Grain::Quarter.start_of(minutes_from), minutes_from);
    }
}

#[test]
fn every_latency_alone_is_told_a_tenth_off_at_most() {
    for ms in 0..=ATTEMPT_TIMEOUT_MS as u32 {
        let mut latencies = Latencies::default();
        latencies.add(ms);
        let told = latencies.quantiles().unwrap();
        assert!(is_close(told.p50, ms) && is_close(told.p99, ms), "{told:?} for {ms}");
    }
    let mut longest = Latencies::default();
    longest.add(u32::MAX);
    assert_eq!(longest.counts().collect::<Vec<_>>(), [(LATENCY_BUCKETS - 1, 1)]);
    assert_eq!(Latencies::default().quantiles(), None);
}

#[test]
fn only_what_the_receiver_answered_has_a_latency() {
    let all: Vec<_> = Outcome::ALL.map(|outcome| attempt(outcome, 100, 0)).to_vec();
    let tally = tally(&all);
    assert_eq!(tally.latencies.counts().map(|(_, count)| count).sum::<u64>(), 2);
    assert_eq!(tally.success_rate(), Some(0.125));
    assert_eq!(Tally::default().success_rate(), None);
}

#[test]
fn windows_have_the_spans_that_are_drawn() {
    let table = Window::ALL.map(|window| (window.as_str(), window.spans(), window.grain().span_ms() / 1_000));
    assert_eq!(table, [("1h", 60, 60), ("24h", 96, 900), ("7d", 84, 7_200), ("30d", 90, 28_800)]);
    assert!(Window::ALL.into_iter().all(|window| Window::parse(window.as_str()) == Some(window)));
    assert_eq!(Window::parse("1d"), None);
}

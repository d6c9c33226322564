//! Tallies: what was recorded is counted, once, in its span of time, and adds up however it is asked for.

use std::sync::Arc;

use domain::attempt::Attempt;
use domain::delivery::EndReason;
use domain::endpoint::Endpoint;
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::tally::{Grain, Window};
use domain::time::Timestamp;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Stage, app, at, company, location};
use crate::maintenance::Swept;
use crate::queue::{Record, Recorded};
use crate::tallies::Tallied;

async fn tallied(stage: &Stage, endpoint: &Endpoint, window: Window, now: Timestamp) -> Tallied {
    stage.tallies(&Scope::Platform, endpoint.id, window, now).await.unwrap()
}

/// Attempts in all that the window shows.
async fn attempts(stage: &Stage, endpoint: &Endpoint, window: Window, now: Timestamp) -> u64 {
    tallied(stage, endpoint, window, now).await.whole().attempts()
}

/// Records one attempt of a new delivery that began at `at` and ended so.
async fn attempted(stage: &Stage, endpoint: &Endpoint, outcome: Outcome, at: Timestamp) {
    let delivery = stage.send(Draft::at(at).held_for(endpoint)).await.delivery();
    let verdict = match outcome {
        Outcome::Succeeded => Verdict::Succeeded,
        _ => Verdict::Ended(EndReason::Exhausted),
    };
    let attempt = Attempt { outcome, ..stage.attempt(1, verdict, at) };
    let record = Record { delivery: Arc::new(delivery), attempt: Arc::new(attempt), verdict };
    assert_eq!(stage.record_one(record).await, Recorded::Applied);
}

async fn sweep_all(stage: &Stage, now: Timestamp) {
    while stage.sweep(at(-90 * DAY_S), now).await.unwrap() == Swept::More {}
}

pub async fn attempts_are_counted_in_the_span_in_which_they_ended(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let other = stage.endpoint(&location("loc")).await;
    // 20 seconds into a minute.
    for (outcome, seconds) in
        [(Outcome::Succeeded, 0), (Outcome::HttpError, 10), (Outcome::Timeout, 39), (Outcome::Succeeded, 40)]
    {
        attempted(stage, &endpoint, outcome, at(seconds)).await;
    }
    // It ended in the next minute.
    attempted(stage, &endpoint, Outcome::Dns, at(100).plus_millis(-50)).await;
    let shown = tallied(stage, &endpoint, Window::Hour, at(160)).await;
    assert_eq!(shown.since, Grain::Minute.start_of(at(160)).plus_seconds(-59 * 60));
    let counts: Vec<u64> = shown.spans.iter().map(|span| span.attempts()).collect();
    assert_eq!((counts.len(), &counts[56..]), (60, &[3, 1, 1, 0][..]));
    let whole = shown.whole();
    assert_eq!(Outcome::ALL.map(|outcome| whole.of(outcome)), [2, 1, 1, 1, 0, 0, 0, 0]);
    // Of the three that were answered, each took 83 ms.
    let quantiles = whole.latencies.quantiles().unwrap();
    assert!(
        (75.0..=91.0).contains(&quantiles.p50) && (75.0..=91.0).contains(&quantiles.p99),
        "{quantiles:?}"
    );
    assert_eq!(shown.last_attempt_at, Some(at(100).plus_millis(-50)));
    let nothing = tallied(stage, &other, Window::Hour, at(160)).await;
    assert_eq!((nothing.whole().attempts(), nothing.last_attempt_at), (0, None));
}

pub async fn what_is_recorded_again_is_counted_once_and_what_comes_late_is_counted(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    let record = stage.outcome(&held, Verdict::RetryAt(at(5)), NOW);
    assert_eq!(stage.record_one(record.clone()).await, Recorded::Applied);
    assert_eq!(stage.record_one(record).await, Recorded::Lost);
    assert_eq!(attempts(stage, &endpoint, Window::Hour, NOW).await, 1);
    let again = stage.claim_one(&endpoint, at(5)).await;
    stage.cancel_delivery(&Scope::Platform, again.id, at(6), None).await.unwrap();
    let late = stage.outcome(&again, Verdict::Succeeded, at(6));
    for _ in 0..2 {
        assert_eq!(stage.record_one(late.clone()).await, Recorded::Lost);
        assert_eq!(attempts(stage, &endpoint, Window::Hour, at(10)).await, 2);
    }
}

pub async fn every_window_adds_up_to_the_same_before_and_after_a_sweep(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for n in 0..40 {
        // Over ten hours, one in each quarter.
        attempted(stage, &endpoint, Outcome::ALL[n % 8], at(n as i64 * 900)).await;
    }
    let now = at(40 * 900);
    sweep_all(stage, now).await;
    let day = tallied(stage, &endpoint, Window::Day, now).await;
    assert_eq!(day.spans.iter().filter(|span| span.attempts() == 1).count(), 40);
    for window in [Window::Day, Window::Week, Window::Month] {
        let shown = tallied(stage, &endpoint, window, now).await;
        assert_eq!(shown.spans.len(), window.spans());
        assert_eq!(shown.whole(), day.whole(), "{window:?}");
    }
    assert_eq!(attempts(stage, &endpoint, Window::Hour, now).await, 3);
    // What comes after its minute was swept is in no window less for it.
    attempted(stage, &endpoint, Outcome::Tls, at(0)).await;
    for _ in 0..2 {
        sweep_all(stage, now).await;
        for window in [Window::Day, Window::Week, Window::Month] {
            assert_eq!(attempts(stage, &endpoint, window, now).await, 41, "{window:?}");
        }
    }
}

pub async fn what_no_window_shows_is_swept(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for n in 0..300 {
        attempted(stage, &endpoint, Outcome::Succeeded, at(n * 60)).await;
    }
    sweep_all(stage, at(300 * 60)).await;
    for (days, shown) in
        [(0, [60, 300, 300, 300]), (2, [0, 0, 300, 300]), (8, [0, 0, 0, 300]), (32, [0, 0, 0, 0])]
    {
        let now = at(299 * 60 + days * DAY_S);
        sweep_all(stage, now).await;
        for (window, attempts_shown) in Window::ALL.into_iter().zip(shown) {
            assert_eq!(
                attempts(stage, &endpoint, window, now).await,
                attempts_shown,
                "{window:?}, {days} days"
            );
        }
        let last = tallied(stage, &endpoint, Window::Hour, now).await.last_attempt_at;
        assert_eq!(last, (days < 30).then_some(at(299 * 60)), "{days} days");
    }
}

pub async fn test_sends_are_not_counted(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let publication = Draft::at(NOW).held_for(&endpoint).make(&stage.ids);
    let delivery = super::stage::Sent::new(&publication, crate::queue::Claim(0)).delivery();
    let record = stage.outcome(&delivery, Verdict::Succeeded, NOW);
    stage.record_test(publication.event, record, None).await.unwrap();
    assert_eq!(attempts(stage, &endpoint, Window::Hour, NOW).await, 0);
}

pub async fn tallies_are_seen_by_the_world_of_their_endpoint_and_go_with_it(stage: &mut Stage) {
    stage.register_location("loc", Some("comp")).await;
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    attempted(stage, &endpoint, Outcome::Succeeded, NOW).await;
    for scope in [Scope::Platform, location("loc"), company("comp")] {
        stage.tallies(&scope, endpoint.id, Window::Hour, NOW).await.unwrap();
    }
    for scope in [location("other"), company("other"), app("loc")] {
        assert_fails!(stage.tallies(&scope, endpoint.id, Window::Hour, NOW).await, NotFound);
    }
    stage.delete_endpoint(&Scope::Platform, endpoint.id, at(1)).await.unwrap();
    // One attempt was still running.
    stage.record_one(stage.outcome(&held, Verdict::Succeeded, at(1))).await;
    assert_fails!(stage.tallies(&Scope::Platform, endpoint.id, Window::Hour, at(1)).await, NotFound);
    sweep_all(stage, at(DAY_S)).await;
}

pub async fn tallies_survive_a_crash_with_the_outcomes_they_count(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    attempted(stage, &endpoint, Outcome::Succeeded, NOW).await;
    stage.crash(at(1)).await;
    assert_eq!(attempts(stage, &endpoint, Window::Day, at(1)).await, 1);
}

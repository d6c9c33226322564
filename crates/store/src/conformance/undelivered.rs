//! `undelivered_only`: the events of which some considered endpoint has not succeeded.

use domain::delivery::EndReason;
use domain::event::SkipReason;
use domain::id::EventId;
use domain::retry::Verdict;
use domain::scope::Scope;

use super::stage::{DAY_S, Draft, NOW, Stage, at, company, location};
use crate::events::EventFilter;

async fn undelivered(stage: &Stage, scope: &Scope) -> Vec<EventId> {
    let filter = EventFilter { undelivered_only: true, ..EventFilter::default() };
    let listed = stage.events_in(scope, filter.clone(), 50).await;
    assert_eq!(stage.events_in(scope, filter, 1).await, listed, "one by one");
    listed
}

const FAILED: Verdict = Verdict::Ended(EndReason::Exhausted);

pub async fn what_is_unfinished_failed_cancelled_or_skipped_is_undelivered(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut expected = Vec::new();
    stage.ended(&endpoint, Verdict::Succeeded).await;
    expected.push(stage.queued(&endpoint).await.event_id);
    expected.push(stage.held(&endpoint).await.event_id);
    expected.push(stage.ended(&endpoint, Verdict::RetryAt(at(5))).await.event_id);
    expected.push(stage.ended(&endpoint, FAILED).await.event_id);
    let cancelled = stage.held(&endpoint).await;
    stage.cancel_delivery(&Scope::Platform, cancelled.id, NOW, None).await.unwrap();
    expected.push(cancelled.event_id);
    let skipped = Draft::at(NOW).skipping(&endpoint, SkipReason::Disabled);
    expected.push(stage.send(skipped).await.event.id);
    // Considered for nobody: nothing failed.
    stage.send(Draft::at(NOW)).await;
    expected.reverse();
    assert_eq!(undelivered(stage, &Scope::Platform).await, expected);
}

pub async fn an_event_is_undelivered_until_its_last_endpoint_has_it(stage: &mut Stage) {
    let (one, two) = (stage.endpoint(&location("loc")).await, stage.endpoint(&location("loc")).await);
    let sent = stage.send(Draft::at(NOW).held_for(&one).held_for(&two)).await;
    stage.record_at(&sent.deliveries[0], Verdict::Succeeded, NOW).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, [sent.event.id]);
    stage.record_at(&sent.deliveries[1], Verdict::Succeeded, NOW).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, []);
    let half = stage.send(Draft::at(NOW).held_for(&one).skipping(&two, SkipReason::MissingScope)).await;
    stage.record_at(&half.deliveries[0], Verdict::Succeeded, NOW).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, [half.event.id]);
}

pub async fn a_later_attempt_that_succeeds_delivers(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let delivery = stage.ended(&endpoint, Verdict::RetryAt(at(5))).await;
    let again = stage.claim_one(&endpoint, at(5)).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, [delivery.event_id]);
    stage.record_at(&again, Verdict::Succeeded, at(5)).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, []);
}

pub async fn a_retry_that_succeeds_delivers_also_days_later(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let failed = stage.ended(&endpoint, FAILED).await;
    let later = at(3 * DAY_S);
    let new_id = stage.ids.delivery(later);
    stage.retry_delivery(&Scope::Platform, failed.id, new_id, later, None).await.unwrap();
    assert_eq!(undelivered(stage, &Scope::Platform).await, [failed.event_id]);
    let retry = stage.claim_one(&endpoint, later).await;
    stage.record_at(&retry, Verdict::Succeeded, later).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, []);
}

pub async fn a_retry_that_fails_leaves_a_success_what_it_is(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let succeeded = stage.ended(&endpoint, Verdict::Succeeded).await;
    let new_id = stage.ids.delivery(at(9));
    stage.retry_delivery(&Scope::Platform, succeeded.id, new_id, at(9), None).await.unwrap();
    assert_eq!(undelivered(stage, &Scope::Platform).await, [], "the endpoint has succeeded once");
    let retry = stage.claim_one(&endpoint, at(9)).await;
    stage.record_at(&retry, Verdict::RetryAt(at(20)), at(9)).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, []);
    let retry = stage.claim_one(&endpoint, at(20)).await;
    stage.record_at(&retry, FAILED, at(20)).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, []);
}

pub async fn a_retry_that_fails_changes_nothing_of_a_failure(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let failed = stage.ended(&endpoint, FAILED).await;
    let new_id = stage.ids.delivery(at(9));
    stage.retry_delivery(&Scope::Platform, failed.id, new_id, at(9), None).await.unwrap();
    let retry = stage.claim_one(&endpoint, at(9)).await;
    stage.record_at(&retry, FAILED, at(9)).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, [failed.event_id]);
}

pub async fn undelivered_goes_with_the_other_filters_and_with_each_world(stage: &mut Stage) {
    let one = stage.endpoint(&location("one")).await;
    let two = stage.endpoint(&location("two")).await;
    stage.register_location("one", Some("co")).await;
    let note =
        stage.send(Draft::at(NOW).of(location("one")).of_type("NoteCreate").held_for(&one)).await.event.id;
    let skipped = Draft::at(at(DAY_S)).of(location("one")).skipping(&one, SkipReason::Disabled);
    let skipped = stage.send(skipped).await.event.id;
    let theirs = stage.send(Draft::at(at(DAY_S)).of(location("two")).queued_for(&two)).await.event.id;
    let done = stage.send(Draft::at(at(DAY_S)).of(location("one")).held_for(&one)).await;
    stage.record_at(&done.delivery(), Verdict::Succeeded, at(DAY_S)).await;
    assert_eq!(undelivered(stage, &Scope::Platform).await, [theirs, skipped, note]);
    assert_eq!(undelivered(stage, &location("one")).await, [skipped, note]);
    assert_eq!(undelivered(stage, &location("two")).await, [theirs]);
    assert_eq!(undelivered(stage, &company("co")).await, [skipped, note]);
    assert_eq!(undelivered(stage, &company("other")).await, []);
    let mut filter = EventFilter { undelivered_only: true, ..EventFilter::default() };
    filter.type_name = Some("NoteCreate".into());
    assert_eq!(stage.events_in(&Scope::Platform, filter.clone(), 5).await, [note]);
    filter = EventFilter { type_name: None, ..filter };
    filter.location_id = Some("one".parse().unwrap());
    assert_eq!(stage.events_in(&Scope::Platform, filter.clone(), 5).await, [skipped, note]);
    filter.span.since = Some(at(1));
    assert_eq!(stage.events_in(&Scope::Platform, filter.clone(), 5).await, [skipped]);
    filter.span.until = Some(at(DAY_S));
    assert_eq!(stage.events_in(&Scope::Platform, filter, 5).await, []);
}

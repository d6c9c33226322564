//! Recording: an attempt's outcome moves its delivery, once, and only under a claim that holds.

use std::sync::Arc;

use bytes::Bytes;
use domain::attempt::{Attempt, HeaderList, Response, Timings};
use domain::delivery::{EndReason, Status};
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::Scope;
use tokio::task::JoinSet;

use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::queue::{Claim, ClaimedDelivery, Record, Recorded, Release};

pub async fn a_success_ends_the_delivery_with_its_attempt_in_the_log(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    assert_eq!(stage.queue_length().await.unwrap(), 1);
    let attempt = stage.record_at(&held, Verdict::Succeeded, at(3)).await;
    let (shown, attempts) = stage.shown(held.id).await;
    assert_eq!(attempts, [attempt]);
    assert_eq!((shown.status, shown.attempt_count, shown.end_reason), (Status::Succeeded, 1, None));
    assert_eq!((shown.next_attempt_at, shown.completed_at), (None, Some(at(3).plus_millis(83))));
    assert_eq!((shown.event_id, shown.endpoint_id), (held.event_id, held.endpoint_id));
    assert_eq!(stage.queue_length().await.unwrap(), 0);
    assert_eq!(stage.due(None, 9).await.unwrap(), []);
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
}

pub async fn an_attempt_reads_back_as_it_was_recorded(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<HeaderList>();
    let body = Bytes::from((0..65_536_u32).map(|n| (n % 256) as u8).collect::<Vec<_>>());
    let response = Response {
        headers: pairs(&[("set-cookie", "a=1"), ("x", ""), ("set-cookie", "b='2'\t é")]),
        body,
        truncated: true,
    };
    let full = Attempt {
        duration_ms: u32::MAX,
        status_code: Some(599),
        error: Some("the receiver answered 599 🦆 \0 '".to_owned()),
        remote_address: Some("[2001:db8::1]:8443".to_owned()),
        request_headers: pairs(&[("webhook-id", "evt_1"), ("x-z", "z"), ("x-a", "a"), ("x-z", "z2")]),
        response: Some(response),
        timings: Timings { dns_ms: Some(0), connect_ms: Some(1), tls_ms: Some(u32::MAX), wait_ms: Some(3) },
        ..stage.attempt(1, Verdict::RetryAt(at(5)), NOW)
    };
    let empty = Attempt {
        number: 2,
        duration_ms: 0,
        outcome: Outcome::Blocked,
        status_code: None,
        error: None,
        remote_address: None,
        request_headers: HeaderList::default(),
        response: None,
        timings: Timings::default(),
        ..stage.attempt(2, Verdict::RetryAt(at(5)), at(5))
    };
    let answered_nothing = Attempt { number: 3, response: Some(Response::default()), ..empty.clone() };
    let answered_nothing = Attempt { id: stage.ids.attempt(at(9)), ..answered_nothing };
    let mut held = stage.held(&endpoint).await;
    let recorded = [full, empty, answered_nothing];
    for (n, attempt) in recorded.iter().enumerate() {
        // The attempt is beside the delivery first, and within it at the end.
        let verdict = if n == 2 { Verdict::Succeeded } else { Verdict::RetryAt(at(5)) };
        let record = Record { delivery: Arc::new(held.clone()), attempt: attempt.clone(), verdict };
        assert_eq!(stage.record_one(record).await, Recorded::Applied);
        assert_eq!(stage.shown(held.id).await.1, recorded[..=n]);
        if n < 2 {
            held = stage.claim_one(&endpoint, at(5)).await;
        }
    }
}

pub async fn every_outcome_reads_back(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for outcome in Outcome::ALL {
        let held = stage.held(&endpoint).await;
        let attempt = Attempt { outcome, ..stage.attempt(1, Verdict::Succeeded, NOW) };
        let verdict = Verdict::Ended(EndReason::Exhausted);
        let record = Record { delivery: Arc::new(held.clone()), attempt, verdict };
        assert_eq!(stage.record_one(record).await, Recorded::Applied);
        assert_eq!(stage.shown(held.id).await.1[0].outcome, outcome);
    }
}

pub async fn a_failure_moves_the_due_time_and_gives_the_claim_up(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    let attempt = stage.record_at(&held, Verdict::RetryAt(at(30)), at(1)).await;
    let (shown, attempts) = stage.shown(held.id).await;
    assert_eq!(attempts, [attempt]);
    assert_eq!((shown.status, shown.attempt_count), (Status::Retrying, 1));
    assert_eq!((shown.next_attempt_at, shown.completed_at, shown.end_reason), (Some(at(30)), None, None));
    assert_eq!(stage.queue_length().await.unwrap(), 1);
    assert_eq!(stage.due(None, 9).await.unwrap()[0].due_at, at(30));
    assert_eq!(stage.claim_all(&endpoint, at(30).plus_millis(-1)).await, []);
    let again = stage.claim_one(&endpoint, at(30)).await;
    assert_eq!((again.id, again.attempt_count), (held.id, 1));
    assert_eq!(stage.status(held.id).await, Status::Delivering);
}

pub async fn attempts_are_listed_in_order_through_to_the_end(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut held = stage.held(&endpoint).await;
    let mut attempts = Vec::new();
    for n in 1..14 {
        // Over the edge of a day.
        let (started_at, due_at) = (at((n - 1) * 3_600), at(n * 3_600));
        attempts.push(stage.record_at(&held, Verdict::RetryAt(due_at), started_at).await);
        assert_eq!(stage.shown(held.id).await.1, attempts);
        held = stage.claim_one(&endpoint, due_at).await;
        assert_eq!(i64::from(held.attempt_count), n);
    }
    attempts.push(stage.record_at(&held, Verdict::Ended(EndReason::Exhausted), at(13 * 3_600)).await);
    let (shown, listed) = stage.shown(held.id).await;
    assert_eq!(listed, attempts);
    assert_eq!(listed.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), (1..=14).collect::<Vec<_>>());
    assert_eq!((shown.attempt_count, shown.status), (14, Status::Failed));
}

pub async fn an_end_has_its_reason_and_the_status_that_goes_with_it(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for reason in EndReason::ALL {
        let held = stage.ended(&endpoint, Verdict::Ended(*reason)).await;
        let (shown, attempts) = stage.shown(held.id).await;
        assert_eq!((shown.status, shown.end_reason), (reason.status(), Some(*reason)));
        assert_eq!((shown.attempt_count, attempts.len()), (1, 1));
        assert_eq!((shown.next_attempt_at, shown.completed_at.is_some()), (None, true));
    }
    assert_eq!(stage.queue_length().await.unwrap(), 0);
}

pub async fn one_call_records_many_and_answers_in_order(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut records = Vec::new();
    let mut expected = Vec::new();
    for n in 0..30 {
        let mut held = stage.held(&endpoint).await;
        let verdict = match n % 3 {
            0 => Verdict::Succeeded,
            1 => Verdict::RetryAt(at(5)),
            _ => Verdict::Ended(EndReason::Gone),
        };
        if n % 5 == 0 {
            held.claim = other(held.claim);
        }
        expected.push(if n % 5 == 0 { Recorded::Lost } else { Recorded::Applied });
        records.push(stage.outcome(&held, verdict, NOW));
    }
    let ids: Vec<_> = records.iter().map(|record| record.delivery.id).collect();
    assert_eq!(stage.record(records).await.unwrap(), expected);
    for (n, id) in ids.into_iter().enumerate() {
        let expected = match (n % 5, n % 3) {
            (0, _) => Status::Delivering,
            (_, 0) => Status::Succeeded,
            (_, 1) => Status::Retrying,
            _ => Status::Failed,
        };
        assert_eq!(stage.status(id).await, expected, "record {n}");
    }
    assert_eq!(stage.record(vec![]).await.unwrap(), []);
}

/// A claim that nobody has.
fn other(claim: Claim) -> Claim {
    Claim(claim.0.wrapping_add(2))
}

async fn assert_lost(stage: &Stage, delivery: &ClaimedDelivery) {
    let before = stage.shown(delivery.id).await;
    let length = stage.queue_length().await.unwrap();
    for verdict in [Verdict::Succeeded, Verdict::RetryAt(at(60)), Verdict::Ended(EndReason::Gone)] {
        let record = stage.outcome(delivery, verdict, at(1));
        assert_eq!(stage.record_one(record).await, Recorded::Lost, "{verdict:?}");
        assert_eq!(stage.shown(delivery.id).await, before, "{verdict:?}");
    }
    assert_eq!(stage.queue_length().await.unwrap(), length);
}

pub async fn a_record_under_another_claim_is_lost_and_changes_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    assert_lost(stage, &ClaimedDelivery { claim: other(held.claim), ..held.clone() }).await;
    stage.record_at(&held, Verdict::Succeeded, at(2)).await;
}

pub async fn a_record_without_a_claim_is_lost_and_changes_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let put_off = stage.ended(&endpoint, Verdict::RetryAt(at(60))).await;
    assert_lost(stage, &put_off).await;
    let released = stage.held(&endpoint).await;
    let release = Release { id: released.id, claim: released.claim, due_at: at(60) };
    stage.release(vec![release]).await.unwrap();
    assert_lost(stage, &released).await;
    let never_held = stage.queued(&endpoint).await;
    assert_lost(stage, &never_held).await;
}

pub async fn a_record_of_nothing_is_lost(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let publication = Draft::at(NOW).held_for(&endpoint).make(&stage.ids);
    let never_stored = super::stage::Sent::new(&publication, Claim(1)).delivery();
    let record = stage.outcome(&never_stored, Verdict::Succeeded, NOW);
    assert_eq!(stage.record_one(record).await, Recorded::Lost);
    assert!(stage.delivery(&Scope::Platform, never_stored.id).await.is_err());
    assert_eq!(stage.deliveries_seen(&Scope::Platform).await, []);
}

/// The answer to a record may be lost on its way, and the record comes again.
pub async fn the_same_record_again_is_lost_and_logged_once(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for verdict in [Verdict::Succeeded, Verdict::RetryAt(at(60)), Verdict::Ended(EndReason::Gone)] {
        let record = stage.outcome(&stage.held(&endpoint).await, verdict, NOW);
        let id = record.delivery.id;
        assert_eq!(stage.record_one(record.clone()).await, Recorded::Applied);
        let before = stage.shown(id).await;
        assert_eq!(before.1, std::slice::from_ref(&record.attempt));
        assert_eq!(stage.record_one(record).await, Recorded::Lost, "{verdict:?}");
        assert_eq!(stage.shown(id).await, before, "{verdict:?}");
    }
}

pub async fn of_two_records_of_one_claim_at_once_one_applies(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    let mut calls = JoinSet::new();
    for store in [stage.store(), stage.second().await] {
        let record = stage.outcome(&held, Verdict::RetryAt(at(5)), NOW);
        calls.spawn(async move { store.record(vec![record]).await.unwrap()[0] });
    }
    let mut answers = calls.join_all().await;
    answers.sort_unstable_by_key(|answer| *answer == Recorded::Lost);
    assert_eq!(answers, [Recorded::Applied, Recorded::Lost]);
    assert_eq!(stage.shown(held.id).await.0.attempt_count, 1);
}

pub async fn a_record_after_a_cancellation_is_lost_and_its_attempt_logged(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for verdict in [Verdict::Succeeded, Verdict::RetryAt(at(60)), Verdict::Ended(EndReason::Gone)] {
        let held = stage.held(&endpoint).await;
        let cancelled = stage.cancel_delivery(&Scope::Platform, held.id, at(1), None).await.unwrap();
        let record = stage.outcome(&held, verdict, at(1));
        assert_eq!(stage.record_one(record.clone()).await, Recorded::Lost);
        let (shown, attempts) = stage.shown(held.id).await;
        assert_eq!(attempts, std::slice::from_ref(&record.attempt), "{verdict:?}");
        assert_eq!(shown, domain::delivery::Delivery { attempt_count: 1, ..cancelled }, "{verdict:?}");
        assert_eq!(stage.record_one(record).await, Recorded::Lost);
        assert_eq!(stage.shown(held.id).await.1.len(), 1, "logged once");
    }
    assert_eq!(stage.queue_length().await.unwrap(), 0);
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
}

pub async fn a_late_attempt_follows_the_earlier_ones(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let first = stage.held(&endpoint).await;
    let one = stage.record_at(&first, Verdict::RetryAt(at(5)), NOW).await;
    let second = stage.claim_one(&endpoint, at(5)).await;
    stage.cancel_delivery(&Scope::Platform, second.id, at(6), None).await.unwrap();
    let record = stage.outcome(&second, Verdict::Succeeded, at(5));
    assert_eq!(stage.record_one(record.clone()).await, Recorded::Lost);
    let (shown, attempts) = stage.shown(second.id).await;
    assert_eq!(attempts, [one, record.attempt]);
    assert_eq!((shown.status, shown.attempt_count), (Status::Cancelled, 2));
}

pub async fn a_claim_that_was_adopted_is_fenced(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let first = stage.held(&endpoint).await;
    stage.crash(at(1)).await;
    assert_lost(stage, &first).await;
    let second = stage.claim_one(&endpoint, at(1)).await;
    assert_eq!(second, ClaimedDelivery { claim: second.claim, ..first.clone() });
    assert_ne!(second.claim, first.claim);
    assert_lost(stage, &first).await;
    assert_eq!(stage.status(first.id).await, Status::Delivering);
    stage.record_at(&second, Verdict::Succeeded, at(2)).await;
    assert_eq!(stage.shown(first.id).await.1.len(), 1);
}

//! Ending what is unfinished: by a person, one by one, or by the engine, an endpoint's in slices.

use domain::delivery::{EndReason, Status};
use domain::retry::Verdict;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{DAY_S, NOW, Stage, at, location};

pub async fn an_unfinished_delivery_is_cancelled_held_or_not(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let pending = stage.queued(&endpoint).await;
    let held = stage.held(&endpoint).await;
    let tried = stage.ended(&endpoint, Verdict::RetryAt(at(60))).await;
    for (delivery, attempt_count) in [(&pending, 0), (&held, 0), (&tried, 1)] {
        let answer = stage.cancel_delivery(&location("loc"), delivery.id, at(5), None).await.unwrap();
        assert_eq!((answer.status, answer.end_reason), (Status::Cancelled, Some(EndReason::ByHand)));
        assert_eq!((answer.completed_at, answer.next_attempt_at), (Some(at(5)), None));
        let (shown, attempts) = stage.shown(delivery.id).await;
        assert_eq!(shown, answer);
        assert_eq!((shown.attempt_count, attempts.len()), (attempt_count, attempt_count as usize));
    }
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
    assert_eq!(stage.queue_length().await.unwrap(), 0);
}

pub async fn a_finished_delivery_cannot_be_cancelled(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for verdict in [Verdict::Succeeded, Verdict::Ended(EndReason::Exhausted)] {
        let delivery = stage.ended(&endpoint, verdict).await;
        let before = stage.shown(delivery.id).await;
        assert_fails!(stage.cancel_delivery(&Scope::Platform, delivery.id, at(5), None).await, DeliveryEnded);
        assert_eq!(stage.shown(delivery.id).await, before);
    }
    let twice = stage.queued(&endpoint).await;
    stage.cancel_delivery(&Scope::Platform, twice.id, at(5), None).await.unwrap();
    assert_fails!(stage.cancel_delivery(&Scope::Platform, twice.id, at(6), None).await, DeliveryEnded);
    assert_eq!(stage.shown(twice.id).await.0.completed_at, Some(at(5)));
}

pub async fn an_unknown_delivery_is_not_found(stage: &mut Stage) {
    let unknown = stage.ids.delivery(NOW);
    assert_fails!(stage.cancel_delivery(&Scope::Platform, unknown, NOW, None).await, NotFound);
    assert_fails!(stage.delivery(&Scope::Platform, unknown).await, NotFound);
    let new_id = stage.ids.delivery(NOW);
    assert_fails!(stage.retry_delivery(&Scope::Platform, unknown, new_id, NOW, None).await, NotFound);
}

pub async fn what_waits_for_a_deleted_endpoint_can_be_cancelled(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let delivery = stage.queued(&endpoint).await;
    stage.delete_endpoint(&Scope::Platform, endpoint.id, at(1)).await.unwrap();
    stage.cancel_delivery(&location("loc"), delivery.id, at(2), None).await.unwrap();
    assert_eq!(stage.status(delivery.id).await, Status::Cancelled);
}

pub async fn an_endpoints_deliveries_end_in_slices(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let other = stage.endpoint(&location("loc")).await;
    let mut waiting = Vec::new();
    for n in 0..5 {
        let delivery = match n % 2 {
            0 => stage.queued(&endpoint).await,
            _ => stage.ended(&endpoint, Verdict::RetryAt(at(DAY_S))).await,
        };
        waiting.push(delivery.id);
    }
    let theirs = stage.queued(&other).await;
    let end = |limit| stage.end_deliveries(endpoint.id, EndReason::EndpointDeleted, at(9), limit);
    let mut slices = Vec::new();
    for expected_left in [3, 1, 0, 0] {
        slices.push(end(2).await.unwrap());
        assert_eq!(stage.queue_length().await.unwrap(), expected_left + 1);
    }
    assert_eq!(slices, [2, 2, 1, 0]);
    for (n, id) in waiting.into_iter().enumerate() {
        let (shown, attempts) = stage.shown(id).await;
        assert_eq!((shown.status, shown.end_reason), (Status::Cancelled, Some(EndReason::EndpointDeleted)));
        assert_eq!((shown.completed_at, shown.next_attempt_at), (Some(at(9)), None));
        assert_eq!((shown.attempt_count as usize, attempts.len()), (n % 2, n % 2));
    }
    assert_eq!(stage.claim_one(&other, NOW).await.id, theirs.id);
}

pub async fn what_is_held_is_not_ended(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    let waiting = stage.queued(&endpoint).await;
    assert_eq!(stage.end_deliveries(endpoint.id, EndReason::Gone, at(9), 100).await.unwrap(), 1);
    let shown = stage.shown(waiting.id).await.0;
    assert_eq!((shown.status, shown.end_reason), (Status::Failed, Some(EndReason::Gone)));
    assert_eq!(stage.status(held.id).await, Status::Delivering);
    stage.record_at(&held, Verdict::RetryAt(at(20)), at(10)).await;
    assert_eq!(stage.end_deliveries(endpoint.id, EndReason::EndpointFailing, at(11), 100).await.unwrap(), 1);
    let (shown, attempts) = stage.shown(held.id).await;
    assert_eq!((shown.end_reason, attempts.len()), (Some(EndReason::EndpointFailing), 1));
}

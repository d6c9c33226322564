//! A person's retry: of a finished delivery a new one, of an unfinished one the next attempt now.

use domain::delivery::{Delivery, EndReason, Status, Trigger};
use domain::endpoint::{DisabledReason, EndpointPatch};
use domain::retry::Verdict;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Stage, at, location};

pub async fn a_retry_of_a_finished_delivery_is_a_new_one_of_the_same_event(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    for verdict in [Verdict::Succeeded, Verdict::Ended(EndReason::Exhausted)] {
        let sent = stage.send(Draft::at(NOW).of(location("loc")).held_for(&endpoint)).await.delivery();
        stage.record_at(&sent, verdict, NOW).await;
        let before = stage.shown(sent.id).await;
        // Days later, so that event and retry lie in different days.
        let now = sent.id.created_at().plus_seconds(2 * DAY_S);
        let new_id = stage.ids.delivery(now);
        let retry = stage.retry_delivery(&location("loc"), sent.id, new_id, now, None).await.unwrap();
        let expected = Delivery {
            id: new_id,
            trigger: Trigger::Retry,
            retry_of: Some(sent.id),
            status: Status::Pending,
            attempt_count: 0,
            next_attempt_at: Some(now),
            completed_at: None,
            end_reason: None,
            ..before.0.clone()
        };
        assert_eq!(retry, expected);
        assert_eq!(stage.shown(new_id).await, (expected, vec![]));
        assert_eq!(stage.shown(sent.id).await, before, "the log of the first stays");
        let claimed = stage.claim_one(&endpoint, now).await;
        assert_eq!((claimed.id, claimed.event_id, claimed.attempt_count), (new_id, sent.event_id, 0));
        assert_eq!(claimed.payload, sent.payload);
        stage.record_at(&claimed, Verdict::Succeeded, now).await;
        let (shown, attempts) = stage.shown(new_id).await;
        assert_eq!((shown.trigger, shown.retry_of), (Trigger::Retry, Some(sent.id)));
        assert_eq!((attempts[0].number, shown.status), (1, Status::Succeeded));
        let of_event = stage.deliveries_of(&Scope::Platform, sent.event_id).await.unwrap();
        assert_eq!(of_event.iter().map(|one| one.id).collect::<Vec<_>>(), [sent.id, new_id]);
        // What became of the event stays as it was decided.
        let event = stage.event(&Scope::Platform, sent.event_id).await.unwrap();
        assert_eq!(event.considered.len(), 1);
    }
}

pub async fn a_cancelled_delivery_can_be_retried(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let delivery = stage.queued(&endpoint).await;
    stage.cancel_delivery(&Scope::Platform, delivery.id, at(1), None).await.unwrap();
    let new_id = stage.ids.delivery(at(2));
    stage.retry_delivery(&Scope::Platform, delivery.id, new_id, at(2), None).await.unwrap();
    assert_eq!(stage.claim_one(&endpoint, at(2)).await.id, new_id);
}

pub async fn a_retry_can_be_retried_as_often_as_one_likes(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let first = stage.ended(&endpoint, Verdict::Succeeded).await;
    let mut ids = vec![first.id];
    for n in 1..4 {
        let (of, new_id) = (ids[ids.len() - 1], stage.ids.delivery(at(n)));
        stage.retry_delivery(&Scope::Platform, of, new_id, at(n), None).await.unwrap();
        let claimed = stage.claim_one(&endpoint, at(n)).await;
        assert_eq!((claimed.id, claimed.retry_of), (new_id, Some(of)));
        assert_eq!(claimed.event_id, first.event_id);
        stage.record_at(&claimed, Verdict::Ended(EndReason::Exhausted), at(n)).await;
        ids.push(new_id);
    }
    let of_event = stage.deliveries_of(&Scope::Platform, first.event_id).await.unwrap();
    assert_eq!(of_event.iter().map(|one| one.id).collect::<Vec<_>>(), ids);
}

pub async fn a_retry_of_an_unfinished_delivery_makes_it_due_now(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let delivery = stage.ended(&endpoint, Verdict::RetryAt(at(DAY_S))).await;
    let new_id = stage.ids.delivery(at(5));
    let answer = stage.retry_delivery(&Scope::Platform, delivery.id, new_id, at(5), None).await.unwrap();
    assert_eq!((answer.id, answer.status), (delivery.id, Status::Retrying));
    assert_eq!((answer.next_attempt_at, answer.attempt_count), (Some(at(5)), 1));
    assert_eq!(stage.shown(delivery.id).await.0, answer);
    assert_fails!(stage.delivery(&Scope::Platform, new_id).await, NotFound);
    let claimed = stage.claim_one(&endpoint, at(5)).await;
    assert_eq!((claimed.id, claimed.attempt_count, claimed.trigger), (delivery.id, 1, Trigger::Event));
    assert_eq!(stage.queue_length().await.unwrap(), 1);
}

pub async fn a_retry_never_puts_a_delivery_off(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let delivery = stage.queued(&endpoint).await;
    let new_id = stage.ids.delivery(at(60));
    stage.retry_delivery(&Scope::Platform, delivery.id, new_id, at(60), None).await.unwrap();
    assert_eq!(stage.claim_one(&endpoint, at(60)).await.id, delivery.id);
}

pub async fn a_retry_of_a_held_delivery_leaves_it_as_it_is(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    let new_id = stage.ids.delivery(at(5));
    let answer = stage.retry_delivery(&Scope::Platform, held.id, new_id, at(5), None).await.unwrap();
    assert_eq!((answer.id, answer.status), (held.id, Status::Delivering));
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
    stage.record_at(&held, Verdict::Succeeded, at(6)).await;
}

pub async fn nothing_is_retried_to_an_endpoint_that_is_not_enabled(stage: &mut Stage) {
    let by_hand = EndpointPatch { enabled: Some(false), ..Default::default() };
    for how in ["by hand", "gone", "deleted"] {
        let endpoint = stage.endpoint(&location("loc")).await;
        let (done, waiting) = (
            stage.ended(&endpoint, Verdict::Succeeded).await,
            stage.ended(&endpoint, Verdict::RetryAt(at(DAY_S))).await,
        );
        match how {
            "by hand" => {
                let patched =
                    stage.update_endpoint(&Scope::Platform, endpoint.id, by_hand.clone(), NOW, None);
                patched.await.unwrap();
            }
            "gone" => stage.disable(&endpoint, DisabledReason::Gone, NOW).await,
            _ => stage.delete_endpoint(&Scope::Platform, endpoint.id, NOW).await.unwrap(),
        }
        for delivery in [&done, &waiting] {
            let before = stage.shown(delivery.id).await;
            let new_id = stage.ids.delivery(NOW);
            let result = stage.retry_delivery(&Scope::Platform, delivery.id, new_id, NOW, None).await;
            assert_fails!(result, EndpointDisabled);
            assert_eq!(stage.shown(delivery.id).await, before, "{how}");
            assert_fails!(stage.delivery(&Scope::Platform, new_id).await, NotFound);
        }
    }
}

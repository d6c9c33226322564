//! Claiming: only what is due and unheld, earliest first, to one claimer each.

use std::collections::HashSet;

use domain::delivery::{EndReason, Status, Trigger};
use domain::endpoint::{DisabledReason, EndpointPatch};
use domain::id::{DeliveryId, EndpointId};
use domain::retry::Verdict;
use domain::scope::Scope;
use tokio::task::JoinSet;

use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::queue::{ClaimedDelivery, Due, Release, Want};

fn ids(deliveries: &[ClaimedDelivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

pub async fn a_claimed_delivery_is_complete(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let draft = Draft::at(NOW).of_type("InvoicePaid").of(location("loc")).payload("{ \"type\": 1 }");
    let sent = stage.send(draft.queued_for(&endpoint)).await.delivery();
    let claimed = stage.claim_one(&endpoint, NOW).await;
    let expected = ClaimedDelivery { claim: claimed.claim, ..sent };
    assert_eq!(claimed, expected);
    assert_eq!(stage.status(claimed.id).await, Status::Delivering);
    stage.record_at(&claimed, Verdict::RetryAt(at(5)), NOW).await;
    let again = stage.claim_one(&endpoint, at(5)).await;
    assert_eq!(again, ClaimedDelivery { attempt_count: 1, claim: again.claim, ..expected });
}

pub async fn only_what_is_due_is_claimed_earliest_first(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut due = Vec::new();
    for seconds in [30, 10, 50, 20, 40] {
        let delivery = stage.ended(&endpoint, Verdict::RetryAt(at(seconds))).await;
        due.push((seconds, delivery.id));
    }
    due.sort_unstable();
    let due: Vec<_> = due.into_iter().map(|(_, id)| id).collect();
    let none = stage.claim_up_to(&endpoint, 9, at(10).plus_millis(-1)).await;
    assert_eq!((ids(&none.deliveries), none.next_due_at), (vec![], Some(at(10))));
    let two = stage.claim_up_to(&endpoint, 9, at(29)).await;
    assert_eq!((ids(&two.deliveries), two.next_due_at), (due[..2].to_vec(), Some(at(30))));
    let rest = stage.claim_up_to(&endpoint, 9, at(60)).await;
    assert_eq!((ids(&rest.deliveries), rest.next_due_at), (due[2..].to_vec(), None));
}

pub async fn of_the_same_due_time_the_older_comes_first(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(stage.held(&endpoint).await);
    }
    for delivery in made.iter().rev() {
        stage.record_at(delivery, Verdict::RetryAt(at(5)), NOW).await;
    }
    assert_eq!(ids(&stage.claim_all(&endpoint, at(5)).await), ids(&made));
}

pub async fn a_wish_brings_no_more_than_its_limit(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(stage.send(Draft::at(at(n)).queued_for(&endpoint)).await.delivery());
    }
    let now = at(100);
    let nothing = stage.claim_up_to(&endpoint, 0, now).await;
    assert_eq!((nothing.deliveries, nothing.next_due_at), (vec![], Some(at(0))));
    let two = stage.claim_up_to(&endpoint, 2, now).await;
    assert_eq!((ids(&two.deliveries), two.next_due_at), (ids(&made[..2]), Some(at(2))));
    let rest = stage.claim_up_to(&endpoint, 3, now).await;
    assert_eq!((ids(&rest.deliveries), rest.next_due_at), (ids(&made[2..]), None));
    let none = stage.claim_up_to(&endpoint, 3, now).await;
    assert_eq!((none.deliveries, none.next_due_at), (vec![], None));
}

pub async fn every_wish_of_a_call_is_answered(stage: &mut Stage) {
    let mut wants = Vec::new();
    let mut expected = Vec::new();
    for n in 0..4 {
        let endpoint = stage.endpoint(&location("loc")).await;
        let mut made = Vec::new();
        for _ in 0..n {
            made.push(stage.queued(&endpoint).await);
        }
        wants.push(Want { endpoint_id: endpoint.id, limit: 10 });
        expected.push((endpoint.id, ids(&made)));
    }
    let unknown = stage.ids.endpoint(NOW);
    wants.push(Want { endpoint_id: unknown, limit: 10 });
    expected.push((unknown, vec![]));
    let granted = stage.claim(wants, NOW).await.unwrap();
    let granted: Vec<_> = granted.iter().map(|one| (one.endpoint_id, ids(&one.deliveries))).collect();
    assert_eq!(granted, expected);
    assert_eq!(stage.claim(vec![], NOW).await.unwrap(), []);
}

pub async fn what_is_held_is_not_granted(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    stage.held(&endpoint).await;
    let granted = stage.claim_up_to(&endpoint, 9, at(DAY_S)).await;
    assert_eq!((granted.deliveries, granted.next_due_at), (vec![], None));
    stage.queued(&endpoint).await;
    assert_eq!(stage.claim_all(&endpoint, NOW).await.len(), 1);
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
}

pub async fn claimers_at_once_never_get_the_same_delivery(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let batch: Vec<_> = (0..200).map(|_| Draft::at(NOW).queued_for(&endpoint).make(&stage.ids)).collect();
    stage.publish(batch, None).await.unwrap();
    let stores = [stage.store(), stage.second().await];
    let mut calls = JoinSet::new();
    for n in 0..20 {
        let store = std::sync::Arc::clone(&stores[n % 2]);
        let want = Want { endpoint_id: endpoint.id, limit: 15 };
        calls.spawn(async move { store.claim(vec![want], NOW).await.unwrap() });
    }
    let granted = calls.join_all().await.into_iter().flatten();
    let mut all: Vec<_> = granted.flat_map(|granted| ids(&granted.deliveries)).collect();
    // What was contended may be left for the next round, but never given twice.
    all.extend(ids(&stage.claim_all(&endpoint, NOW).await));
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 200);
}

pub async fn an_endpoint_that_is_not_enabled_is_granted_nothing(stage: &mut Stage) {
    let by_hand = EndpointPatch { enabled: Some(false), ..Default::default() };
    for reason in [None, Some(DisabledReason::Gone), Some(DisabledReason::Failing)] {
        let endpoint = stage.endpoint(&location("loc")).await;
        let delivery = stage.queued(&endpoint).await;
        match reason {
            Some(reason) => stage.disable(&endpoint, reason, at(1)).await,
            None => {
                let patched =
                    stage.update_endpoint(&Scope::Platform, endpoint.id, by_hand.clone(), at(1), None);
                patched.await.unwrap();
            }
        }
        assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, [], "{reason:?}");
        let enable = EndpointPatch { enabled: Some(true), ..Default::default() };
        stage.update_endpoint(&Scope::Platform, endpoint.id, enable, at(2), None).await.unwrap();
        assert_eq!(stage.claim_one(&endpoint, at(2)).await.id, delivery.id, "{reason:?}");
    }
}

pub async fn a_deleted_endpoint_is_granted_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    stage.queued(&endpoint).await;
    stage.delete_endpoint(&Scope::Platform, endpoint.id, at(1)).await.unwrap();
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await, []);
}

pub async fn what_waits_for_an_endpoint_disabled_by_hand_is_shown_as_waiting(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let (new, tried) = (stage.queued(&endpoint).await, stage.ended(&endpoint, Verdict::RetryAt(at(5))).await);
    let set = |enabled| EndpointPatch { enabled: Some(enabled), ..Default::default() };
    stage.update_endpoint(&Scope::Platform, endpoint.id, set(false), at(1), None).await.unwrap();
    for id in [new.id, tried.id] {
        let shown = stage.shown(id).await.0;
        assert_eq!((shown.status, shown.next_attempt_at), (Status::Waiting, None));
    }
    let filter = |status| crate::deliveries::DeliveryFilter { status: Some(status), ..Default::default() };
    assert_eq!(stage.deliveries_in(&Scope::Platform, filter(Status::Waiting), 1).await, [tried.id, new.id]);
    assert_eq!(stage.deliveries_in(&Scope::Platform, filter(Status::Pending), 1).await, []);
    assert_eq!(stage.deliveries_in(&Scope::Platform, filter(Status::Retrying), 1).await, []);
    stage.update_endpoint(&Scope::Platform, endpoint.id, set(true), at(2), None).await.unwrap();
    assert_eq!(stage.status(new.id).await, Status::Pending);
    assert_eq!(stage.status(tried.id).await, Status::Retrying);
    assert_eq!(stage.claim_all(&endpoint, at(5)).await.len(), 2);
}

pub async fn a_release_gives_the_claim_back_until_it_is_due(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    let release = Release { id: held.id, claim: held.claim, due_at: at(7) };
    stage.release(vec![release]).await.unwrap();
    let shown = stage.shown(held.id).await.0;
    assert_eq!((shown.status, shown.attempt_count), (Status::Pending, 0));
    assert_eq!(shown.next_attempt_at, Some(at(7)));
    assert_eq!(stage.claim_all(&endpoint, at(6)).await, []);
    assert_eq!(stage.claim_one(&endpoint, at(7)).await.id, held.id);
}

/// The answer to a release may be lost on its way, and the release comes again.
pub async fn a_release_that_comes_again_frees_nothing_that_is_held_anew(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let first = stage.held(&endpoint).await;
    let release = Release { id: first.id, claim: first.claim, due_at: at(1) };
    stage.release(vec![release]).await.unwrap();
    let second = stage.claim_one(&endpoint, at(1)).await;
    stage.release(vec![release]).await.unwrap();
    assert_eq!(stage.status(first.id).await, Status::Delivering);
    stage.record_at(&second, Verdict::Succeeded, at(2)).await;
}

pub async fn a_release_of_what_is_not_held_changes_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let done = stage.ended(&endpoint, Verdict::Succeeded).await;
    let later = stage.ended(&endpoint, Verdict::RetryAt(at(50))).await;
    let held = stage.held(&endpoint).await;
    let release = |delivery: &ClaimedDelivery, claim| Release { id: delivery.id, claim, due_at: at(1) };
    let other = crate::queue::Claim(held.claim.0.wrapping_add(2));
    let releases = vec![release(&done, done.claim), release(&later, later.claim), release(&held, other)];
    stage.release(releases).await.unwrap();
    assert_eq!(stage.status(done.id).await, Status::Succeeded);
    assert_eq!(stage.shown(later.id).await.0.next_attempt_at, Some(at(50)));
    assert_eq!(stage.status(held.id).await, Status::Delivering);
    assert_eq!(stage.claim_all(&endpoint, at(49)).await, []);
}

pub async fn due_endpoints_come_in_pages_by_their_ids(stage: &mut Stage) {
    let mut expected = Vec::new();
    for n in 0..7 {
        let endpoint = stage.endpoint(&location("loc")).await;
        stage.ended(&endpoint, Verdict::RetryAt(at(20 + n))).await;
        stage.ended(&endpoint, Verdict::RetryAt(at(10 + n))).await;
        expected.push(Due { endpoint_id: endpoint.id, due_at: at(10 + n) });
    }
    // Held, ended and idle ones are not due.
    for verdict in [None, Some(Verdict::Succeeded), Some(Verdict::Ended(EndReason::Gone))] {
        let endpoint = stage.endpoint(&location("loc")).await;
        let held = stage.held(&endpoint).await;
        if let Some(verdict) = verdict {
            stage.record_at(&held, verdict, NOW).await;
        }
    }
    stage.endpoint(&location("loc")).await;
    assert_eq!(stage.due(None, 100).await.unwrap(), expected);
    for limit in [1, 3, 7] {
        assert_eq!(due_by_pages(stage, limit).await, expected, "pages of {limit}");
    }
    assert_eq!(stage.due(None, 0).await.unwrap(), []);
}

async fn due_by_pages(stage: &Stage, limit: usize) -> Vec<Due> {
    let mut all: Vec<Due> = Vec::new();
    loop {
        let after: Option<EndpointId> = all.last().map(|due| due.endpoint_id);
        let page = stage.due(after, limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub async fn a_retry_is_claimed_with_its_origin(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let done = stage.ended(&endpoint, Verdict::Succeeded).await;
    let new_id = stage.ids.delivery(at(9));
    stage.retry_delivery(&Scope::Platform, done.id, new_id, at(9), None).await.unwrap();
    assert_eq!(stage.claim_all(&endpoint, at(8)).await, []);
    let retry = stage.claim_one(&endpoint, at(9)).await;
    let (trigger, retry_of) = (Trigger::Retry, Some(done.id));
    assert_eq!(retry, ClaimedDelivery { id: new_id, trigger, retry_of, claim: retry.claim, ..done });
}

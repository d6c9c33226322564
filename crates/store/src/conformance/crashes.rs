//! Crashes: what was answered is there afterwards, and what was held is free again.

use domain::delivery::{EndReason, Status};
use domain::endpoint::{DisabledReason, EndpointPatch, EndpointState};
use domain::retry::Verdict;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{DAY_S, Draft, NOW, Stage, at, location};
use crate::queue::{ClaimedDelivery, Recorded};

pub async fn a_crash_after_publishing_sends_the_same_event(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let draft = Draft::at(NOW).of(location("loc")).payload(" {\"odd\" :1}\n");
    let sent = stage.send(draft.held_for(&endpoint)).await;
    stage.crash(at(1)).await;
    assert_eq!(stage.event(&Scope::Platform, sent.event.id).await.unwrap(), sent.event);
    assert_eq!(stage.status(sent.delivery().id).await, Status::Pending);
    assert_eq!(stage.queue_length().await.unwrap(), 1);
    let claimed = stage.claim_one(&endpoint, at(1)).await;
    assert_eq!(claimed, ClaimedDelivery { claim: claimed.claim, ..sent.delivery() });
}

pub async fn a_crash_between_attempt_and_record_repeats_the_attempt(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let first = stage.ended(&endpoint, Verdict::RetryAt(at(5))).await;
    let held = stage.claim_one(&endpoint, at(5)).await;
    stage.crash(at(6)).await;
    assert_eq!(stage.status(first.id).await, Status::Retrying);
    let again = stage.claim_one(&endpoint, at(6)).await;
    assert_eq!(again, ClaimedDelivery { claim: again.claim, ..held.clone() });
    let late = stage.outcome(&held, Verdict::Succeeded, at(5));
    assert_eq!(stage.record_one(late).await, Recorded::Lost);
    stage.record_at(&again, Verdict::Succeeded, at(6)).await;
    let (shown, attempts) = stage.shown(first.id).await;
    assert_eq!((shown.status, shown.attempt_count, attempts.len()), (Status::Succeeded, 2, 2));
}

pub async fn a_recorded_outcome_survives_a_crash(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut kept = Vec::new();
    for verdict in [Verdict::Succeeded, Verdict::RetryAt(at(60)), Verdict::Ended(EndReason::AddressRefused)] {
        let id = stage.ended(&endpoint, verdict).await.id;
        kept.push((id, stage.shown(id).await));
    }
    let cancelled = stage.held(&endpoint).await;
    stage.cancel_delivery(&Scope::Platform, cancelled.id, at(1), None).await.unwrap();
    kept.push((cancelled.id, stage.shown(cancelled.id).await));
    stage.crash(at(2)).await;
    for (id, before) in kept {
        assert_eq!(stage.shown(id).await, before);
    }
    assert_eq!(stage.claim_all(&endpoint, at(59)).await, []);
    assert_eq!(stage.claim_all(&endpoint, at(60)).await.len(), 1);
}

pub async fn a_record_for_what_ended_before_the_crash_is_logged_there(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let held = stage.held(&endpoint).await;
    stage.crash(at(1)).await;
    let ended = stage.end_deliveries(endpoint.id, EndReason::EndpointFailing, at(2), 10).await.unwrap();
    assert_eq!(ended, 1);
    let late = stage.outcome(&held, Verdict::Succeeded, NOW);
    assert_eq!(stage.record_one(late.clone()).await, Recorded::Lost);
    let (shown, attempts) = stage.shown(held.id).await;
    assert_eq!((shown.status, attempts), (Status::Failed, vec![(*late.attempt).clone()]));
}

pub async fn endpoints_survive_a_crash_with_their_last_change(stage: &mut Stage) {
    let changed = stage.endpoint(&location("loc")).await;
    let patch = EndpointPatch { description: Some("changed".into()), ..Default::default() };
    let changed = stage.update_endpoint(&Scope::Platform, changed.id, patch, at(1), None).await.unwrap();
    let deleted = stage.endpoint(&location("loc")).await;
    stage.delete_endpoint(&Scope::Platform, deleted.id, at(1)).await.unwrap();
    let disabled = stage.endpoint(&location("loc")).await;
    stage.disable(&disabled, DisabledReason::Failing, at(1)).await;
    stage.crash(at(2)).await;
    assert_eq!(stage.routes().endpoint(changed.id), Some(changed));
    assert!(stage.routes().endpoint(deleted.id).is_none());
    assert_fails!(stage.store().endpoint(&Scope::Platform, deleted.id).await, NotFound);
    let state = EndpointState::Disabled { reason: DisabledReason::Failing, since: at(1) };
    assert_eq!(stage.routes().endpoint(disabled.id).unwrap().state, state);
}

pub async fn many_crashes_lose_and_repeat_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut published = Vec::new();
    for round in 0..6 {
        for n in 0..5 {
            let draft = Draft::at(at(round * 100 + n)).payload(format!("{{\"n\":{}}}", round * 5 + n));
            published.push(stage.send(draft.held_for(&endpoint)).await.event);
        }
        stage.crash(at(round * 100 + 50)).await;
        // Two are sent, the rest stays for the next process.
        for delivery in stage.claim_up_to(&endpoint, 2, at(round * 100 + 50)).await.deliveries {
            stage.record_at(&delivery, Verdict::Succeeded, at(round * 100 + 50)).await;
        }
    }
    assert_eq!(stage.queue_length().await.unwrap(), 30 - 12);
    assert_eq!(stage.claim_all(&endpoint, at(DAY_S)).await.len(), 30 - 12);
    let mut newest_first: Vec<_> = published.iter().map(|event| event.id).collect();
    newest_first.reverse();
    assert_eq!(stage.events_seen(&Scope::Platform).await, newest_first);
    assert_eq!(stage.deliveries_seen(&Scope::Platform).await.len(), 30);
}

pub async fn an_orderly_restart_keeps_what_was_held_and_what_waits(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let (held, queued) = (stage.held(&endpoint).await, stage.queued(&endpoint).await);
    stage.restart(at(1)).await;
    let claimed = stage.claim_all(&endpoint, at(1)).await;
    let mut ids: Vec<_> = claimed.iter().map(|delivery| delivery.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [held.id, queued.id]);
    let late = stage.outcome(&held, Verdict::Succeeded, NOW);
    assert_eq!(stage.record_one(late).await, Recorded::Lost);
}

//! What is kept of endpoints that fail, and what of their deliveries is shown as waiting.

use domain::delivery::Status;
use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch};
use domain::health::{FailedRun, Failing, LastFailure, Receiver};
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::Scope;

use super::stage::{NOW, Stage, at, location};
use crate::deliveries::DeliveryFilter;
use crate::healths::HealthNote;

fn failing() -> Failing {
    let last = LastFailure { outcome: Outcome::HttpError, status_code: Some(503) };
    let run = FailedRun { since: at(-100), failed_attempts: 12, timeouts: 0, last };
    Failing { since: NOW, failed_probes: 2, held_until: at(20), run: Some(run) }
}

fn note(endpoint: &Endpoint, failing: Option<Failing>) -> HealthNote {
    HealthNote { endpoint_id: endpoint.id, receiver: Receiver::of(endpoint).unwrap(), failing }
}

pub async fn a_note_reads_back_also_after_a_restart_until_it_is_healthy_again(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let other = stage.endpoint(&location("loc")).await;
    assert_eq!((stage.healths().of(&endpoint), stage.healths().all()), (None, vec![]));
    let late = LastFailure { outcome: Outcome::Timeout, status_code: None };
    let late = failing().run.map(|run| FailedRun { last: late, ..run });
    let recovering = Failing { run: None, ..failing() };
    for kept in [failing(), Failing { run: late, failed_probes: 0, ..failing() }, recovering] {
        stage.note_health(vec![note(&endpoint, Some(kept)), note(&other, None)]).await.unwrap();
        assert_eq!((stage.healths().of(&endpoint), stage.healths().of(&other)), (Some(kept), None));
        stage.crash(at(1)).await;
        assert_eq!(stage.healths().all(), [(endpoint.id, Receiver::of(&endpoint).unwrap(), kept)]);
    }
    stage.note_health(vec![note(&endpoint, None)]).await.unwrap();
    assert_eq!(stage.healths().of(&endpoint), None);
    stage.restart(at(2)).await;
    assert_eq!(stage.healths().all(), []);
}

pub async fn what_makes_another_receiver_of_an_endpoint_forgets_its_health(stage: &mut Stage) {
    let patch = EndpointPatch::default;
    let url = Some("https://elsewhere.example.com/".into());
    let patches = [
        EndpointPatch { url, ..patch() },
        EndpointPatch { enabled: Some(false), ..patch() },
        EndpointPatch { description: Some("renamed".to_owned()), ..patch() },
    ];
    for (patch, is_kept) in patches.into_iter().zip([false, false, true]) {
        let endpoint = stage.endpoint(&location("loc")).await;
        stage.note_health(vec![note(&endpoint, Some(failing()))]).await.unwrap();
        let changed = stage.update_endpoint(&Scope::Platform, endpoint.id, patch, at(5), None).await.unwrap();
        assert_eq!(stage.healths().of(&changed).is_some(), is_kept);
        assert_eq!(stage.healths().all().len(), usize::from(is_kept));
        stage.crash(at(6)).await;
        assert_eq!(stage.healths().all().len(), usize::from(is_kept));
        stage.delete_endpoint(&Scope::Platform, endpoint.id, at(7)).await.unwrap();
        assert_eq!(stage.healths().all(), []);
    }
    let endpoint = stage.endpoint(&location("loc")).await;
    stage.note_health(vec![note(&endpoint, Some(failing()))]).await.unwrap();
    stage.disable(&endpoint, DisabledReason::Failing, at(8)).await;
    assert_eq!(stage.healths().all(), []);
}

pub async fn a_note_of_a_receiver_that_is_no_longer_changes_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let late = note(&endpoint, Some(failing()));
    let url = Some("https://elsewhere.example.com/".into());
    let patch = EndpointPatch { url, ..EndpointPatch::default() };
    let moved = stage.update_endpoint(&Scope::Platform, endpoint.id, patch, at(5), None).await.unwrap();
    stage.note_health(vec![late.clone()]).await.unwrap();
    assert_eq!(stage.healths().all(), []);
    let kept = Failing { failed_probes: 9, ..failing() };
    stage.note_health(vec![note(&moved, Some(kept))]).await.unwrap();
    stage.note_health(vec![late, note(&endpoint, None)]).await.unwrap();
    assert_eq!(stage.healths().of(&moved), Some(kept));
    for enabled in [false, true] {
        let patch = EndpointPatch { enabled: Some(enabled), ..EndpointPatch::default() };
        stage.update_endpoint(&Scope::Platform, endpoint.id, patch, at(9), None).await.unwrap();
        stage.note_health(vec![note(&moved, Some(kept))]).await.unwrap();
        assert_eq!(stage.healths().all(), []);
    }
}

pub async fn what_an_open_circuit_holds_back_is_shown_as_waiting(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let waiting = stage.queued(&endpoint).await.id;
    let soon = stage.ended(&endpoint, Verdict::RetryAt(at(19))).await.id;
    let later = stage.ended(&endpoint, Verdict::RetryAt(at(20))).await.id;
    let held = stage.held(&endpoint).await.id;
    let done = stage.ended(&endpoint, Verdict::Succeeded).await.id;
    stage.note_health(vec![note(&endpoint, Some(failing()))]).await.unwrap();
    let expected = [
        (waiting, Status::Waiting),
        (soon, Status::Waiting),
        (later, Status::Retrying),
        (held, Status::Delivering),
        (done, Status::Succeeded),
    ];
    for (id, status) in expected {
        let shown = stage.shown(id).await.0;
        let next_attempt_at = (status == Status::Retrying).then(|| at(20));
        assert_eq!((shown.status, shown.next_attempt_at.filter(|_| id != held)), (status, next_attempt_at));
        let filter = DeliveryFilter { status: Some(Status::Waiting), ..DeliveryFilter::default() };
        let listed = stage.deliveries_in(&Scope::Platform, filter, 50).await;
        assert_eq!(listed.contains(&id), status == Status::Waiting, "{id}");
    }
    stage.note_health(vec![note(&endpoint, None)]).await.unwrap();
    assert_eq!(stage.status(waiting).await, Status::Pending);
    assert_eq!(stage.status(soon).await, Status::Retrying);
}

pub async fn what_an_open_circuit_holds_back_can_be_claimed_all_the_same(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let waiting = stage.queued(&endpoint).await.id;
    stage.note_health(vec![note(&endpoint, Some(failing()))]).await.unwrap();
    assert_eq!(stage.claim_one(&endpoint, NOW).await.id, waiting);
    assert_eq!(stage.status(waiting).await, Status::Delivering);
}

//! The processes that serve, and what each tells of itself.

use std::sync::Arc;

use domain::endpoint::{Endpoint, EndpointPatch};
use domain::limits::{RATES_SECONDS, RATES_STEP_SECONDS};
use domain::scope::Scope;

use super::stage::{NOW, Stage, at, location};
use crate::feed::{Happened, Heard, Listener};
use crate::nodes::{Counts, Step};

fn step(seconds: i64, accepted: u64) -> Step {
    let counts = Counts { accepted, delivered: 2 * accepted, failed: 1 };
    Step { at: at(seconds), counts, in_flight: accepted }
}

pub async fn every_process_that_lives_is_listed_with_what_it_counted(stage: &mut Stage) {
    let second = stage.second().await;
    stage.tell_step(step(0, 3)).await.unwrap();
    second.tell_step(step(RATES_STEP_SECONDS, 4)).await.unwrap();
    let (one, two) = (stage.whole(at(0)).await.unwrap(), second.whole(at(0)).await.unwrap());
    assert_eq!((&one.nodes, &one.steps), (&two.nodes, &two.steps));
    assert_eq!(one.steps, [(one.own_id, step(0, 3)), (two.own_id, step(RATES_STEP_SECONDS, 4))]);
    for whole in [&one, &two] {
        let own = whole.nodes.iter().find(|node| node.id == whole.own_id).unwrap();
        assert_eq!((&*own.version, own.started_at), (env!("CARGO_PKG_VERSION"), NOW));
    }
    let of_later = stage.whole(at(1)).await.unwrap().steps;
    assert_eq!(of_later, [(two.own_id, step(RATES_STEP_SECONDS, 4))]);
}

pub async fn steps_that_are_too_old_to_be_shown_are_forgotten(stage: &mut Stage) {
    for seconds in [0, RATES_STEP_SECONDS, RATES_SECONDS] {
        stage.tell_step(step(seconds, 1)).await.unwrap();
    }
    let steps = stage.whole(at(0)).await.unwrap().steps;
    let began: Vec<_> = steps.iter().map(|(_, step)| step.at).collect();
    assert_eq!(began, [at(RATES_STEP_SECONDS), at(RATES_SECONDS)]);
}

pub async fn who_listens_at_one_process_hears_of_changes_at_another(stage: &mut Stage) {
    let before = stage.endpoint(&location("before")).await;
    let second = stage.second().await;
    let mut listener = second.listen().await.unwrap();
    let mut from = listener.next();
    let endpoint = stage.endpoint(&location("loc")).await;
    assert_eq!(*heard(&mut listener, &mut from).await, *endpoint);
    let patch = EndpointPatch { description: Some("x".to_owned()), ..EndpointPatch::default() };
    let changed = stage.update_endpoint(&Scope::Platform, before.id, patch, NOW, None).await.unwrap();
    assert_eq!(*heard(&mut listener, &mut from).await, *changed);
    stage.delete_endpoint(&Scope::Platform, endpoint.id, NOW).await.unwrap();
    let deleted = heard(&mut listener, &mut from).await;
    assert_eq!((deleted.id, &deleted.owner, deleted.is_deleted()), (endpoint.id, &endpoint.owner, true));
}

async fn heard(listener: &mut Listener, from: &mut u64) -> Arc<Endpoint> {
    listener.wait_for(*from).await;
    let Heard::Events(events) = listener.hear(*from, 1) else { panic!("nothing was lost") };
    *from += 1;
    let Happened::Changed { endpoint, .. } = &*events[0] else { panic!("nothing was attempted") };
    Arc::clone(endpoint)
}

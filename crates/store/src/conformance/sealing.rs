//! The master key's rotation: in slices, while others write, and begun again after a crash.

use std::sync::Arc;

use bytes::Bytes;
use domain::endpoint::{Endpoint, EndpointPatch};
use domain::id::EndpointId;
use domain::scope::Scope;
use domain::secret::{Previous, SecretText, Secrets};

use super::stage::{DAY_S, NOW, Stage, at, location};
use super::{KEY, assert_fails};
use crate::endpoints::Rotation;
use crate::once::{MaybeOnce, Once, OnceKey};
use crate::vault::{MasterKey, Vault};

/// More than any backend takes in one slice.
const MANY: usize = 250;

fn old_key() -> MasterKey {
    MasterKey::new(KEY)
}
fn new_alone() -> Vault {
    Vault::new(&MasterKey::new([8; 32]))
}
fn both() -> Vault {
    new_alone().with_previous(&old_key())
}

/// One with everything that is sealed: two secrets and a header's value.
async fn full(stage: &Stage) -> Arc<Endpoint> {
    let mut endpoint = stage.new_endpoint(&location("loc"));
    endpoint.headers = vec![("x-token".into(), SecretText::new("hidden".into()))];
    let previous = Previous { secret: SecretText::new("whsec_before".into()), grace_until: at(60) };
    endpoint.secrets = Secrets { previous: Some(previous), ..endpoint.secrets };
    stage.create_endpoint(&Scope::Platform, endpoint, 1_000, None).await.unwrap()
}

/// To the end, beginning after `after`; values sealed anew, and slices.
async fn reseal(stage: &Stage, mut after: Option<EndpointId>) -> (usize, usize) {
    let (mut values, mut slices) = (0, 0);
    loop {
        let resealed = stage.reseal(after).await.unwrap();
        (values, slices) = (values + resealed.values, slices + 1);
        after = resealed.next;
        if after.is_none() {
            return (values, slices);
        }
    }
}

async fn kept(stage: &Stage, endpoint: &Arc<Endpoint>) {
    assert_eq!(stage.store().endpoint(&Scope::Platform, endpoint.id).await.unwrap(), *endpoint);
}

fn once(key: &str) -> MaybeOnce<()> {
    let key = OnceKey { owner: "platform".into(), path: "/v1/system".into(), key: key.into() };
    let answer = Box::new(|_: &()| (200, Bytes::from_static(b"{}")));
    Some(Once { key, request_hash: [9; 32], expires_at: at(DAY_S), answer })
}

pub async fn after_a_rotation_everything_opens_with_the_new_key_alone(stage: &mut Stage) {
    let endpoint = full(stage).await;
    stage.use_vault(both(), None).await.unwrap();
    // Three of the endpoint's, and the proof of the key.
    assert_eq!(reseal(stage, None).await, (4, 1));
    stage.use_vault(new_alone(), None).await.unwrap();
    stage.opens_with(new_alone());
    stage.crash(NOW).await;
    kept(stage, &endpoint).await;
    stage.restart(NOW).await;
    kept(stage, &endpoint).await;
}

pub async fn a_rotation_goes_in_slices_and_is_begun_again_after_a_crash(stage: &mut Stage) {
    let mut endpoints = Vec::new();
    for _ in 0..MANY {
        endpoints.push(stage.endpoint(&location("loc")).await);
    }
    stage.use_vault(both(), None).await.unwrap();
    let first = stage.reseal(None).await.unwrap();
    assert!(first.next.is_some() && first.values > 0, "{first:?}");
    stage.opens_with(both());
    stage.crash(NOW).await;
    let (values, slices) = reseal(stage, None).await;
    // Each endpoint has a secret and, sealed too, the list of its headers.
    assert_eq!(values, 2 * MANY + 1 - first.values);
    assert!(slices > 1);
    stage.opens_with(new_alone());
    stage.crash(NOW).await;
    for endpoint in &endpoints {
        kept(stage, endpoint).await;
    }
}

pub async fn what_is_written_while_a_rotation_runs_is_under_the_new_key(stage: &mut Stage) {
    for _ in 0..MANY {
        stage.endpoint(&location("loc")).await;
    }
    let first = stage.endpoint(&location("loc")).await;
    stage.use_vault(both(), None).await.unwrap();
    let slice = stage.reseal(None).await.unwrap();
    // Before the place where the next slice begins, and behind it.
    let patch = EndpointPatch { description: Some("changed".into()), ..EndpointPatch::default() };
    let changed = stage.update_endpoint(&Scope::Platform, first.id, patch, at(1), None).await.unwrap();
    let created = full(stage).await;
    let rotation = Rotation { secret: SecretText::new("whsec_2".into()), grace_seconds: 60, now: at(2) };
    let rotated = stage.rotate_secret(&Scope::Platform, changed.id, rotation, None).await.unwrap();
    reseal(stage, slice.next).await;
    stage.opens_with(new_alone());
    stage.crash(NOW).await;
    kept(stage, &created).await;
    kept(stage, &rotated).await;
}

pub async fn what_was_resealed_is_not_resealed_again(stage: &mut Stage) {
    full(stage).await;
    stage.use_vault(both(), None).await.unwrap();
    assert_eq!(reseal(stage, None).await, (4, 1));
    assert_eq!(reseal(stage, None).await, (0, 1));
}

pub async fn a_used_idempotency_key_changes_no_master_key(stage: &mut Stage) {
    stage.use_vault(both(), once("k")).await.unwrap();
    assert_fails!(stage.use_vault(new_alone(), once("k")).await, KeyUsed);
    let endpoint = full(stage).await;
    reseal(stage, None).await;
    stage.opens_with(new_alone());
    stage.restart(NOW).await;
    kept(stage, &endpoint).await;
}

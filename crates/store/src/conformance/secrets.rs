//! Secrets: rotation with and without grace, promotion, and what is refused.

use std::sync::Arc;

use domain::endpoint::Endpoint;
use domain::id::EndpointId;
use domain::scope::Scope;
use domain::secret::{Previous, RotationFault, SecretText, Secrets};
use domain::time::Timestamp;
use tokio::task::JoinSet;

use super::assert_fails;
use super::stage::{Stage, at, location};
use crate::StoreError;
use crate::endpoints::Rotation;

fn secret(text: &str) -> SecretText {
    SecretText::new(text.into())
}

async fn rotate(
    stage: &Stage,
    id: EndpointId,
    to: &str,
    grace_seconds: u32,
    now: Timestamp,
) -> Result<Arc<Endpoint>, StoreError> {
    let rotation = Rotation { secret: secret(to), grace_seconds, now };
    stage.rotate_secret(&location("loc"), id, rotation, None).await
}

pub async fn during_grace_both_secrets_are_kept(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let rotated = rotate(stage, endpoint.id, "whsec_new", 60, at(10)).await.unwrap();
    let previous = Previous { secret: endpoint.secrets.current.clone(), grace_until: at(70) };
    assert_eq!(rotated.secrets, Secrets { current: secret("whsec_new"), previous: Some(previous) });
    assert_eq!(rotated.updated_at, at(10));
    assert_eq!(stage.routes().endpoint(endpoint.id), Some(Arc::clone(&rotated)));
    stage.crash(at(11)).await;
    assert_eq!(stage.store().endpoint(&Scope::Platform, endpoint.id).await.unwrap(), rotated);
}

pub async fn without_grace_the_new_secret_counts_at_once(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let rotated = rotate(stage, endpoint.id, "whsec_new", 0, at(10)).await.unwrap();
    assert_eq!(rotated.secrets, Secrets::new(secret("whsec_new")));
    rotate(stage, endpoint.id, "whsec_newer", 0, at(10)).await.unwrap();
    stage.restart(at(11)).await;
    let found = stage.routes().endpoint(endpoint.id).unwrap();
    assert_eq!(found.secrets, Secrets::new(secret("whsec_newer")));
}

pub async fn a_second_rotation_waits_for_the_end_of_the_grace(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let rotated = rotate(stage, endpoint.id, "whsec_2", 60, at(0)).await.unwrap();
    let early = at(60).plus_millis(-1);
    assert_fails!(
        rotate(stage, endpoint.id, "whsec_3", 60, early).await,
        Rotation(RotationFault::InProgress)
    );
    assert_eq!(stage.routes().endpoint(endpoint.id), Some(rotated));
    let again = rotate(stage, endpoint.id, "whsec_3", 60, at(60)).await.unwrap();
    let previous = Previous { secret: secret("whsec_2"), grace_until: at(120) };
    assert_eq!(again.secrets, Secrets { current: secret("whsec_3"), previous: Some(previous) });
}

pub async fn a_promotion_ends_a_running_grace_and_needs_one(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let promote = |now| stage.promote_secret(&Scope::Platform, endpoint.id, now, None);
    assert_fails!(promote(at(0)).await, Rotation(RotationFault::NotRunning));
    rotate(stage, endpoint.id, "whsec_2", 60, at(0)).await.unwrap();
    let promoted = promote(at(59)).await.unwrap();
    assert_eq!(promoted.secrets, Secrets::new(secret("whsec_2")));
    assert_eq!(stage.routes().endpoint(endpoint.id), Some(promoted));
    assert_fails!(promote(at(59)).await, Rotation(RotationFault::NotRunning));
    rotate(stage, endpoint.id, "whsec_3", 60, at(60)).await.unwrap();
    assert_fails!(promote(at(120)).await, Rotation(RotationFault::NotRunning));
}

pub async fn a_grace_above_the_limit_is_refused(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    assert_fails!(
        rotate(stage, endpoint.id, "whsec_2", 604_801, at(0)).await,
        Rotation(RotationFault::GraceOutOfRange)
    );
    assert_eq!(stage.routes().endpoint(endpoint.id), Some(endpoint));
}

pub async fn of_many_rotations_at_once_one_begins(stage: &mut Stage) {
    let endpoint = stage.endpoint(&location("loc")).await;
    let mut calls = JoinSet::new();
    for n in 0..16 {
        let (store, id) = (stage.store(), endpoint.id);
        calls.spawn(async move {
            let rotation = Rotation { secret: secret(&format!("whsec_{n}")), grace_seconds: 60, now: at(0) };
            store.rotate_secret(&Scope::Platform, id, rotation, None).await.ok()
        });
    }
    let begun: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
    assert_eq!(begun.len(), 1);
    assert_eq!(begun[0].secrets.previous.as_ref().unwrap().secret, endpoint.secrets.current);
    assert_eq!(stage.routes().endpoint(endpoint.id).as_ref(), begun.first());
}

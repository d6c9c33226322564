//! API keys: stored by their hash, looked up in memory, gone at once when deleted.

use domain::api_key::{ApiKey, Permission};
use domain::id::ApiKeyId;
use domain::scope::Scope;

use super::assert_fails;
use super::stage::{NOW, Stage, all_rows, app, at, company, location};
use crate::once::{Once, OnceKey};

/// Keys of one owner.
const LIMIT: usize = 9;

pub(super) fn new_key(stage: &Stage, scope: Scope, hash: u8) -> ApiKey {
    ApiKey {
        id: stage.ids.api_key(NOW),
        name: "a key's \"name\" 🦆".into(),
        scope,
        granted_by: Scope::Platform,
        permissions: Permission::ALL.to_vec(),
        hash: [hash; 32],
        expires_at: None,
        last_used_at: None,
    }
}

/// What is found by a key's hash.
fn known(stage: &Stage, hash: [u8; 32]) -> Option<ApiKey> {
    stage.api_key_by_hash(&hash).map(|known| known.value.clone())
}

async fn seen_by(stage: &Stage, scope: &Scope, limit: usize) -> Vec<ApiKeyId> {
    let page = |request| stage.list_api_keys(scope, request);
    all_rows(limit, page, |key: &ApiKey| key.id.bits()).await.iter().map(|key| key.id).collect()
}

pub async fn a_key_reads_back_and_is_found_by_its_hash(stage: &mut Stage) {
    assert_eq!(stage.api_key_count(), 0);
    assert_eq!(known(stage, [0; 32]), None);
    let some = |scope, permissions: &[Permission], expires_at| (scope, permissions.to_vec(), expires_at);
    let mut keys = Vec::new();
    for (n, (scope, permissions, expires_at)) in [
        some(Scope::Platform, &Permission::ALL, None),
        some(location("one"), &[Permission::View], Some(at(60))),
        some(company("one"), &[Permission::Manage, Permission::Publish], Some(NOW)),
        some(app("one"), &[], Some(at(-60))),
    ]
    .into_iter()
    .enumerate()
    {
        let key = ApiKey { permissions, expires_at, ..new_key(stage, scope, n as u8) };
        assert_eq!(stage.create_api_key(&Scope::Platform, key.clone(), LIMIT, None).await.unwrap(), key);
        assert_eq!(known(stage, key.hash), Some(key.clone()), "at once");
        keys.push(key);
    }
    for when in ["at once", "after a crash"] {
        assert_eq!(stage.api_key_count(), 4, "{when}");
        for key in &keys {
            assert_eq!(known(stage, key.hash), Some(key.clone()), "{when}");
        }
        let page = crate::page::PageRequest { limit: 9, before: None };
        let listed = stage.list_api_keys(&Scope::Platform, page).await.unwrap();
        assert!(listed.rows.iter().eq(keys.iter().rev()), "{when}: {listed:?}");
        stage.crash(at(1)).await;
    }
}

pub async fn a_deleted_key_is_gone_at_once_and_for_good(stage: &mut Stage) {
    let key = new_key(stage, location("loc"), 1);
    let other = new_key(stage, location("loc"), 2);
    for key in [&key, &other] {
        stage.create_api_key(&Scope::Platform, key.clone(), LIMIT, None).await.unwrap();
    }
    stage.delete_api_key(&location("loc"), key.id, at(1)).await.unwrap();
    for when in ["at once", "after a restart"] {
        assert_eq!(known(stage, key.hash), None, "{when}");
        assert_eq!(stage.api_key_count(), 1, "{when}");
        assert_eq!(seen_by(stage, &Scope::Platform, 9).await, [other.id], "{when}");
        assert_fails!(stage.delete_api_key(&Scope::Platform, key.id, at(1)).await, NotFound);
        stage.restart(at(1)).await;
    }
}

pub async fn keys_are_seen_and_deleted_by_their_own_world_only(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    let scopes = [Scope::Platform, location("in"), location("out"), company("co"), app("app")];
    let mut ids = Vec::new();
    for (n, scope) in scopes.iter().enumerate() {
        let key = new_key(stage, scope.clone(), n as u8);
        ids.push(key.id);
        stage.create_api_key(&Scope::Platform, key, LIMIT, None).await.unwrap();
    }
    let [_, inside, outside, of_company, of_app] = ids[..] else { panic!() };
    for limit in [1, 9] {
        let newest_first: Vec<_> = ids.iter().rev().copied().collect();
        assert_eq!(seen_by(stage, &Scope::Platform, limit).await, newest_first);
        assert_eq!(seen_by(stage, &location("in"), limit).await, [inside]);
        assert_eq!(seen_by(stage, &location("out"), limit).await, [outside]);
        assert_eq!(seen_by(stage, &company("co"), limit).await, [of_company, inside]);
        assert_eq!(seen_by(stage, &company("other"), limit).await, []);
        assert_eq!(seen_by(stage, &app("app"), limit).await, [of_app]);
    }
    for id in ids {
        assert_fails!(stage.delete_api_key(&location("other"), id, NOW).await, NotFound);
    }
    assert_fails!(stage.delete_api_key(&location("in"), of_company, NOW).await, NotFound);
    assert_eq!(stage.api_key_count(), 5);
    stage.delete_api_key(&company("co"), inside, NOW).await.unwrap();
}

/// Otherwise a key could make itself a wider one.
pub async fn nobody_makes_a_key_for_another_world(stage: &mut Stage) {
    for mine in [location("loc"), company("co"), app("app")] {
        for theirs in [Scope::Platform, location("other"), company("other"), app("other")] {
            let key = new_key(stage, theirs, 1);
            assert_fails!(stage.create_api_key(&mine, key, LIMIT, None).await, NotFound);
        }
    }
    assert_eq!(stage.api_key_count(), 0);
    assert_eq!(known(stage, [1; 32]), None);
}

pub async fn a_used_idempotency_key_makes_no_api_key(stage: &mut Stage) {
    let once = || {
        let key = OnceKey { owner: "platform".into(), path: "/v1/api-keys".into(), key: "k".into() };
        let answer = Box::new(|_: &ApiKey| (201, bytes::Bytes::new()));
        Some(Once { key, request_hash: [0; 32], expires_at: at(60), answer })
    };
    stage.create_api_key(&Scope::Platform, new_key(stage, Scope::Platform, 1), LIMIT, once()).await.unwrap();
    let second = stage.create_api_key(&Scope::Platform, new_key(stage, Scope::Platform, 2), LIMIT, once());
    assert_fails!(second.await, KeyUsed);
    assert_eq!((stage.api_key_count(), known(stage, [2; 32])), (1, None));
}

pub async fn each_owner_has_as_many_keys_as_the_limit_says(stage: &mut Stage) {
    for (n, scope) in [(1, Scope::Platform), (2, location("loc")), (3, app("loc"))] {
        let make =
            |hash: u8| stage.create_api_key(&Scope::Platform, new_key(stage, scope.clone(), hash), 2, None);
        let first = 4 * n;
        make(first).await.unwrap();
        let second = make(first + 1).await.unwrap();
        assert_fails!(make(first + 2).await, ApiKeyLimit { max: 2 });
        stage.delete_api_key(&Scope::Platform, second.id, NOW).await.unwrap();
        make(first + 3).await.unwrap();
    }
}

pub async fn when_a_key_was_last_used_is_told_at_once_and_kept_when_asked_to(stage: &mut Stage) {
    let [used, unused] = [1, 2].map(|hash| new_key(stage, Scope::Platform, hash));
    for key in [&used, &unused] {
        stage.create_api_key(&Scope::Platform, key.clone(), LIMIT, None).await.unwrap();
    }
    let last_used = async |stage: &Stage| {
        let page = crate::page::PageRequest { limit: 9, before: None };
        let listed = stage.list_api_keys(&Scope::Platform, page).await.unwrap();
        listed.rows.iter().rev().map(|key| key.last_used_at).collect::<Vec<_>>()
    };
    assert_eq!(last_used(stage).await, [None, None]);
    stage.api_key_by_hash(&used.hash).unwrap().used(at(5));
    assert_eq!(last_used(stage).await, [Some(at(5)), None], "before it is kept");
    stage.keep_uses().await.unwrap();
    stage.api_key_by_hash(&unused.hash).unwrap().used(at(7));
    stage.crash(at(8)).await;
    assert_eq!(last_used(stage).await, [Some(at(5)), None], "what was kept, and no more");
}

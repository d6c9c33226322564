//! Endpoints: what is stored reads back, limits hold, the deleted are gone, and routes tell of it at once.

use std::sync::Arc;

use domain::endpoint::{DisabledReason, Endpoint, EndpointPatch, EndpointState, Subscription};
use domain::fanout::Topology;
use domain::health::Receiver;
use domain::id::EndpointId;
use domain::scope::{Owner, Scope};
use domain::secret::{Previous, SecretText, Secrets};
use tokio::task::JoinSet;

use super::assert_fails;
use super::stage::{NOW, Stage, all_rows, app, at, company, location, owner};
use crate::endpoints::EndpointFilter;
use crate::page::PageRequest;

/// The endpoint by id, in the listing and in the routes is this one.
async fn assert_stored(stage: &Stage, expected: &Endpoint) {
    let found = stage.store().endpoint(&Scope::Platform, expected.id).await.unwrap();
    assert_eq!(*found, *expected);
    assert_eq!(stage.routes().endpoint(expected.id).as_deref(), Some(expected));
    let routes = stage.routes().read();
    assert_eq!(routes.endpoints_of(&expected.owner), [Arc::new(expected.clone())]);
}

fn elaborate(stage: &Stage) -> Endpoint {
    let secret = |text: &str| SecretText::new(text.into());
    let previous = Previous { secret: secret("old'\"\u{1F986}"), grace_until: at(60) };
    Endpoint {
        url: "https://xn--bcher-kva.example.com:8443/in?a=%20b&c='x'".into(),
        description: "CRM „sync“\n2nd line 🦆 'quoted' \0 end".into(),
        subscription: Subscription::to(vec!["NoteCreate".into(), "ContactCreate".into()]),
        headers: vec![("x-b".into(), secret("2; \"q\", é")), ("x-a".into(), secret(""))],
        retry_schedule: Some(vec![5, 604_800, 1]),
        skip_own_events: true,
        secrets: Secrets { current: secret("whsec_new"), previous: Some(previous) },
        ..stage.new_endpoint(&app("App_1-x"))
    }
}

pub async fn an_endpoint_reads_back_as_it_was_created_also_after_a_restart(stage: &mut Stage) {
    let endpoint = elaborate(stage);
    let created = stage.create_endpoint(&Scope::Platform, endpoint.clone(), 1, None).await.unwrap();
    assert_eq!(*created, endpoint);
    assert_stored(stage, &endpoint).await;
    stage.restart(at(1)).await;
    assert_stored(stage, &endpoint).await;
    stage.crash(at(2)).await;
    assert_stored(stage, &endpoint).await;
}

pub async fn edges_of_an_endpoint_are_told_apart(stage: &mut Stage) {
    let plain = stage.new_endpoint(&location("loc"));
    for (n, changed) in [
        Endpoint { retry_schedule: Some(vec![]), ..plain.clone() },
        Endpoint { retry_schedule: None, ..plain.clone() },
        Endpoint { subscription: Subscription::to(vec![]), ..plain.clone() },
        Endpoint { subscription: Subscription::All, ..plain.clone() },
    ]
    .into_iter()
    .enumerate()
    {
        let owner = Owner::Location(format!("loc{n}").parse().unwrap());
        let endpoint = Endpoint { id: stage.ids.endpoint(NOW), owner, ..changed };
        stage.create_endpoint(&Scope::Platform, endpoint.clone(), 1, None).await.unwrap();
        assert_stored(stage, &endpoint).await;
        stage.restart(NOW).await;
        assert_stored(stage, &endpoint).await;
    }
}

pub async fn each_owner_has_as_many_endpoints_as_the_limit_says(stage: &mut Stage) {
    // One id as location, company and app: three owners.
    for whose in [location("same"), company("same"), app("same")] {
        let create = |limit| stage.create_endpoint(&Scope::Platform, stage.new_endpoint(&whose), limit, None);
        let first = create(2).await.unwrap();
        create(2).await.unwrap();
        assert_fails!(create(2).await, EndpointLimit { max: 2 });
        create(3).await.unwrap();
        assert_fails!(create(2).await, EndpointLimit { max: 2 });
        stage.delete_endpoint(&Scope::Platform, first.id, at(1)).await.unwrap();
        assert_fails!(create(2).await, EndpointLimit { max: 2 });
        create(3).await.unwrap();
    }
}

pub async fn the_limit_holds_when_many_are_created_at_once(stage: &mut Stage) {
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (store, endpoint) = (stage.store(), stage.new_endpoint(&location("loc")));
        calls.spawn(async move { store.create_endpoint(&Scope::Platform, endpoint, 5, None).await.is_ok() });
    }
    let created = calls.join_all().await.into_iter().filter(|created| *created).count();
    assert_eq!(created, 5);
    assert_eq!(stage.routes().read().endpoints_of(&owner(&location("loc"))).len(), 5);
}

pub async fn a_patch_changes_what_it_names_and_nothing_else(stage: &mut Stage) {
    let endpoint = elaborate(stage);
    stage.create_endpoint(&Scope::Platform, endpoint.clone(), 1, None).await.unwrap();
    let patches = [
        EndpointPatch::default(),
        EndpointPatch { url: Some("https://new.example.com/".into()), ..Default::default() },
        EndpointPatch { description: Some(String::new()), ..Default::default() },
        EndpointPatch { subscription: Some(Subscription::All), ..Default::default() },
        EndpointPatch { headers: Some(vec![]), ..Default::default() },
        EndpointPatch { retry_schedule: Some(None), ..Default::default() },
        EndpointPatch { skip_own_events: Some(false), ..Default::default() },
        EndpointPatch { enabled: Some(false), ..Default::default() },
        EndpointPatch { enabled: Some(true), ..Default::default() },
    ];
    let mut expected = endpoint;
    for (n, patch) in patches.into_iter().enumerate() {
        let now = at(10 + n as i64);
        expected = patch.clone().apply(&expected, now);
        let scope = app("App_1-x");
        let changed = stage.update_endpoint(&scope, expected.id, patch, now, None).await.unwrap();
        assert_eq!(*changed, expected);
        assert_stored(stage, &expected).await;
    }
    stage.crash(at(100)).await;
    assert_stored(stage, &expected).await;
}

pub async fn a_deleted_endpoint_is_gone_everywhere(stage: &mut Stage) {
    let (gone, stays) = (stage.endpoint(&location("loc")).await, stage.endpoint(&location("loc")).await);
    stage.delete_endpoint(&location("loc"), gone.id, at(1)).await.unwrap();
    for when in ["at once", "after a restart"] {
        let id = gone.id;
        assert_fails!(stage.store().endpoint(&Scope::Platform, id).await, NotFound);
        let patch = EndpointPatch { enabled: Some(true), ..Default::default() };
        assert_fails!(stage.update_endpoint(&Scope::Platform, id, patch, at(2), None).await, NotFound);
        assert_fails!(stage.delete_endpoint(&Scope::Platform, id, at(2)).await, NotFound);
        assert_fails!(stage.promote_secret(&Scope::Platform, id, at(2), None).await, NotFound);
        stage.disable(&gone, DisabledReason::Gone, at(2)).await;
        assert!(stage.routes().endpoint(id).is_none(), "{when}");
        assert_eq!(stage.routes().read().endpoints_of(&gone.owner), [Arc::clone(&stays)], "{when}");
        assert_eq!(endpoints_in(stage, EndpointFilter::default(), 50).await, [stays.id], "{when}");
        stage.restart(at(3)).await;
    }
}

pub async fn the_engine_disables_with_its_reason(stage: &mut Stage) {
    for reason in [DisabledReason::Gone, DisabledReason::Failing] {
        let endpoint = stage.endpoint(&location(reason.as_str())).await;
        stage.disable(&endpoint, reason, at(5)).await;
        let state = EndpointState::Disabled { reason, since: at(5) };
        assert_eq!(stage.routes().endpoint(endpoint.id).unwrap().state, state);
        // The first reason stays, whoever comes later.
        stage.disable(&endpoint, DisabledReason::ByHand, at(6)).await;
        stage.disable(&endpoint, DisabledReason::Failing, at(6)).await;
        let by_hand = EndpointPatch { enabled: Some(false), ..Default::default() };
        stage.update_endpoint(&Scope::Platform, endpoint.id, by_hand, at(7), None).await.unwrap();
        stage.crash(at(8)).await;
        let found = stage.store().endpoint(&Scope::Platform, endpoint.id).await.unwrap();
        assert_eq!(found.state, state);
        let enable = EndpointPatch { enabled: Some(true), ..Default::default() };
        stage.update_endpoint(&Scope::Platform, endpoint.id, enable, at(9), None).await.unwrap();
        let state = EndpointState::Enabled { since: at(9) };
        assert_eq!(stage.routes().endpoint(endpoint.id).unwrap().state, state);
        // What was said before it was enabled anew comes late.
        stage.disable(&endpoint, reason, at(10)).await;
        assert_eq!(stage.routes().endpoint(endpoint.id).unwrap().state, state);
    }
}

pub async fn what_a_receiver_said_does_not_disable_the_next(stage: &mut Stage) {
    let before = stage.endpoint(&location("loc")).await;
    let moved = EndpointPatch { url: Some("https://example.com/moved".into()), ..Default::default() };
    let now = stage.update_endpoint(&Scope::Platform, before.id, moved, at(1), None).await.unwrap();
    stage.disable(&before, DisabledReason::Gone, at(2)).await;
    assert_eq!(stage.routes().endpoint(now.id), Some(Arc::clone(&now)));
    stage.disable(&now, DisabledReason::Gone, at(3)).await;
    assert!(!stage.routes().endpoint(now.id).unwrap().is_enabled());
}

pub async fn an_endpoint_that_is_not_there_cannot_be_disabled(stage: &mut Stage) {
    let nobody = stage.ids.endpoint(NOW);
    // The engine may be late; it has no use for an error.
    let asked = Receiver { url: "https://example.com/".into(), enabled_since: NOW };
    stage.disable_endpoint(nobody, asked, DisabledReason::Gone, at(1)).await.unwrap();
    assert_fails!(stage.store().endpoint(&Scope::Platform, nobody).await, NotFound);
}

async fn endpoints_in(stage: &Stage, filter: EndpointFilter, limit: usize) -> Vec<EndpointId> {
    let page = |request| stage.list_endpoints(&Scope::Platform, filter.clone(), request);
    let rows = all_rows(limit, page, |endpoint: &Arc<Endpoint>| endpoint.id.bits()).await;
    rows.iter().map(|endpoint| endpoint.id).collect()
}

pub async fn endpoints_are_listed_newest_first_by_pages_and_owners(stage: &mut Stage) {
    let scopes = [location("one"), location("two"), company("one"), app("one")];
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(stage.endpoint(&scopes[n % 4]).await);
    }
    all.reverse();
    let ids: Vec<_> = all.iter().map(|endpoint| endpoint.id).collect();
    for limit in [1, 5, 12, 200] {
        assert_eq!(endpoints_in(stage, EndpointFilter::default(), limit).await, ids, "pages of {limit}");
    }
    for scope in scopes {
        let theirs = all.iter().filter(|endpoint| endpoint.owner == owner(&scope));
        let theirs: Vec<_> = theirs.map(|endpoint| endpoint.id).collect();
        let filter = EndpointFilter { owner: Some(owner(&scope)) };
        assert_eq!(endpoints_in(stage, filter, 2).await, theirs, "{scope:?}");
    }
    let nobody = EndpointFilter { owner: Some(owner(&app("nobody"))) };
    assert_eq!(endpoints_in(stage, nobody, 2).await, []);
}

pub async fn a_cursor_of_endpoints_survives_changes_and_deletions(stage: &mut Stage) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(stage.endpoint(&location("loc")).await.id);
    }
    let list = |request| stage.list_endpoints(&Scope::Platform, EndpointFilter::default(), request);
    let first = list(PageRequest { limit: 2, before: None }).await.unwrap();
    assert_eq!(first.rows.iter().map(|one| one.id).collect::<Vec<_>>(), [ids[5], ids[4]]);
    // The one that the cursor stands on goes, others change, a new one comes.
    stage.delete_endpoint(&Scope::Platform, ids[4], at(1)).await.unwrap();
    let patch = EndpointPatch { description: Some("new".into()), ..Default::default() };
    stage.update_endpoint(&Scope::Platform, ids[3], patch, at(2), None).await.unwrap();
    stage.endpoint(&location("loc")).await;
    let rest = list(PageRequest { limit: 50, before: first.next }).await.unwrap();
    assert_eq!(rest.rows.iter().map(|one| one.id).collect::<Vec<_>>(), [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(rest.next, None);
}

//! The audit log: an entry per change, in the change's own transaction, for whom the object belongs to.

use std::sync::Arc;

use bytes::Bytes;
use domain::api_key::{ApiKey, Permission};
use domain::app::{App, InstallTarget};
use domain::audit::{Action, Actor, AuditEntry, Object};
use domain::endpoint::EndpointPatch;
use domain::health::Receiver;
use domain::location::Location;
use domain::retry::Verdict;
use domain::scope::Scope;
use domain::secret::SecretText;
use domain::session::Session;
use domain::time::Timestamp;

use super::assert_fails;
use super::stage::{Draft, NOW, Stage, all_rows, app, at, company, location, owner};
use crate::Store;
use crate::audit::{AuditFilter, AuditNote, Subject};
use crate::endpoints::Rotation;
use crate::maintenance::Swept;
use crate::once::{Once, OnceKey};
use crate::page::Span;
use crate::sessions::LoginCode;
use crate::tenants::InstallChange;

/// Says which object it was and how it stood, in a word.
fn shown(subject: Subject<'_>) -> Bytes {
    let text = match subject {
        Subject::Endpoint(endpoint) => format!("endpoint {}", endpoint.url),
        Subject::Location(location) => format!("location {:?}", location.name),
        Subject::App(app) => format!("app {:?}", app.name),
        Subject::Install(app_id, _) => format!("install of {app_id}"),
        Subject::ApiKey(key) => format!("key {}", key.name),
        Subject::Session(session) => format!("session {:?}", session.opened_at.is_some()),
        Subject::Delivery(delivery) => format!("delivery {}", delivery.status.as_str()),
    };
    text.into()
}

/// The store as one uses it who makes a change at `now`.
fn by(stage: &Stage, actor: Actor, now: Timestamp) -> Arc<dyn Store> {
    let note = AuditNote {
        id: stage.ids.audit(now),
        actor,
        address: Some("2001:db8::7".parse().unwrap()),
        request_id: "req_1".into(),
        show: Some(shown),
    };
    stage.store().audited(note)
}

fn platform(stage: &Stage) -> Arc<dyn Store> {
    by(stage, Actor::PlatformKey, NOW)
}

async fn entries(stage: &Stage, scope: &Scope, filter: &AuditFilter) -> Vec<AuditEntry> {
    let page = |request| stage.list_audit(scope, filter.clone(), request);
    all_rows(2, page, |entry: &AuditEntry| entry.id.bits()).await
}

async fn all(stage: &Stage) -> Vec<AuditEntry> {
    entries(stage, &Scope::Platform, &AuditFilter::default()).await
}

fn text(bytes: Option<&Bytes>) -> &str {
    bytes.map_or("", |bytes| std::str::from_utf8(bytes).unwrap())
}

fn new_key(stage: &Stage) -> ApiKey {
    ApiKey {
        id: stage.ids.api_key(NOW),
        name: "ci".into(),
        scope: location("loc"),
        granted_by: Scope::Platform,
        permissions: vec![Permission::View],
        hash: [1; 32],
        expires_at: None,
        last_used_at: None,
    }
}

pub async fn a_change_and_its_entry_are_stored_together(stage: &mut Stage) {
    let endpoint = stage.new_endpoint(&location("loc"));
    let key = stage.create_api_key(&Scope::Platform, new_key(stage), 9, None).await.unwrap();
    let actor = Actor::ApiKey { id: key.id, name: "the \"name\" 🦆".into(), scope: location("loc") };
    by(stage, actor.clone(), at(5))
        .create_endpoint(&Scope::Platform, endpoint.clone(), 9, None)
        .await
        .unwrap();
    stage.crash(at(6)).await;
    let found = all(stage).await;
    let [entry] = &found[..] else { panic!("{found:?}") };
    assert_eq!(entry.id.created_at(), at(5));
    assert_eq!((entry.action, &entry.actor), (Action::EndpointCreated, &actor));
    assert_eq!((entry.address, &entry.request_id[..]), (Some("2001:db8::7".parse().unwrap()), "req_1"));
    assert_eq!(entry.owner, Some(owner(&location("loc"))));
    assert_eq!(entry.object, Object::new("endpoint", endpoint.id));
    assert_eq!(
        (entry.before.as_ref(), text(entry.after.as_ref())),
        (None, &format!("endpoint {}", endpoint.url)[..])
    );
}

/// Between a request's head and its change lies its body, which may be slow.
pub async fn who_is_gone_changes_nothing(stage: &mut Stage) {
    let whole = Scope::Platform;
    let key = stage.create_api_key(&whole, new_key(stage), 9, None).await.unwrap();
    let short = ApiKey { id: stage.ids.api_key(NOW), hash: [2; 32], expires_at: Some(at(10)), ..key.clone() };
    let short = stage.create_api_key(&whole, short, 9, None).await.unwrap();
    let session = Session {
        id: stage.ids.session(NOW),
        scope: location("loc"),
        granted_by: whole.clone(),
        permissions: vec![],
        expires_at: at(60),
        opened_at: None,
        last_used_at: None,
    };
    let code = LoginCode { hash: [1; 32], expires_at: at(60) };
    stage.create_session(&whole, session.clone(), code, 9, None).await.unwrap();
    let by_key = |id| Actor::ApiKey { id, name: "k".into(), scope: location("loc") };
    let by_session = Actor::Session { id: session.id, scope: location("loc") };
    let create = async |stage: &Stage, actor: Actor, now| {
        let endpoint = stage.new_endpoint(&location("loc"));
        by(stage, actor, now).create_endpoint(&location("loc"), endpoint, 99, None).await
    };
    for actor in [by_key(key.id), by_key(short.id), by_session.clone()] {
        create(stage, actor, at(9)).await.unwrap();
    }
    assert_fails!(create(stage, by_key(short.id), at(10)).await, CallerGone);
    stage.delete_api_key(&whole, key.id, at(11)).await.unwrap();
    stage.delete_session(&whole, session.id).await.unwrap();
    for when in ["at once", "after a crash"] {
        for actor in [by_key(key.id), by_session.clone()] {
            assert_fails!(create(stage, actor.clone(), at(12)).await, CallerGone);
            let note = by(stage, actor, at(12));
            let look = note.note(Action::SecretRead, None, Object::new("endpoint", "ep")).await;
            assert_fails!(look, CallerGone);
        }
        assert_eq!(all(stage).await.len(), 3, "{when}");
        stage.crash(at(13)).await;
    }
}

pub async fn a_change_that_fails_or_was_made_before_leaves_no_entry(stage: &mut Stage) {
    let unknown = stage.ids.endpoint(NOW);
    assert_fails!(platform(stage).delete_endpoint(&Scope::Platform, unknown, NOW).await, NotFound);
    let foreign = stage.endpoint(&location("loc")).await;
    assert_fails!(platform(stage).delete_endpoint(&location("other"), foreign.id, NOW).await, NotFound);
    assert_eq!(all(stage).await, []);
    let once = || {
        let key = OnceKey { owner: "platform".into(), path: "/v1/api-keys".into(), key: "k".into() };
        let answer = Box::new(|_: &ApiKey| (201, Bytes::new()));
        Some(Once { key, request_hash: [0; 32], expires_at: at(60), answer })
    };
    platform(stage).create_api_key(&Scope::Platform, new_key(stage), 9, once()).await.unwrap();
    let second = platform(stage).create_api_key(&Scope::Platform, new_key(stage), 9, once()).await;
    assert_fails!(second, KeyUsed);
    assert_eq!(all(stage).await.len(), 1);
    stage.delete_endpoint(&Scope::Platform, foreign.id, NOW).await.unwrap();
    assert_eq!(all(stage).await.len(), 1, "nobody said who deletes");
}

pub async fn every_change_is_told_with_its_object_before_and_after(stage: &mut Stage) {
    let whole = Scope::Platform;
    let store = || platform(stage);
    let endpoint =
        store().create_endpoint(&whole, stage.new_endpoint(&location("loc")), 9, None).await.unwrap();
    let id = endpoint.id;
    let patch = EndpointPatch { url: Some("https://b.example.com/".into()), ..EndpointPatch::default() };
    store().update_endpoint(&whole, id, patch, NOW, None).await.unwrap();
    let rotation = Rotation { secret: SecretText::new("whsec_b".into()), grace_seconds: 60, now: NOW };
    store().rotate_secret(&whole, id, rotation, None).await.unwrap();
    store().promote_secret(&whole, id, at(1), None).await.unwrap();
    store()
        .note(Action::SecretRead, Some(endpoint.owner.clone()), Object::new("endpoint", id))
        .await
        .unwrap();
    let delivery = stage.ended(&endpoint, Verdict::Succeeded).await;
    let retried =
        store().retry_delivery(&whole, delivery.id, stage.ids.delivery(NOW), NOW, None).await.unwrap();
    store().cancel_delivery(&whole, retried.id, NOW, None).await.unwrap();
    let asked = Receiver::of(&stage.routes().endpoint(id).unwrap()).unwrap();
    store().disable_endpoint(id, asked, domain::endpoint::DisabledReason::Gone, NOW).await.unwrap();
    store().delete_endpoint(&whole, id, NOW).await.unwrap();
    changes_of_tenants(stage).await;
    changes_of_access(stage).await;
    let mut told = all(stage).await;
    told.reverse();
    let shown = |bytes: &Option<Bytes>| text(bytes.as_ref()).to_owned();
    let told = told
        .iter()
        .map(|entry| (entry.action.as_str().to_owned(), shown(&entry.before), shown(&entry.after)))
        .collect::<Vec<_>>();
    assert_eq!(told, expected(&format!("endpoint {}", endpoint.url)));
}

async fn changes_of_tenants(stage: &Stage) {
    let (whole, store) = (Scope::Platform, || platform(stage));
    let named =
        |name: &str| Location { id: "loc".parse().unwrap(), name: Some(name.into()), company_id: None };
    store().put_location(&whole, named("a"), NOW).await.unwrap();
    store().put_location(&whole, named("b"), NOW).await.unwrap();
    store().delete_location(&whole, &"loc".parse().unwrap()).await.unwrap();
    let the_app = App { id: "app".parse().unwrap(), name: None, scopes: None };
    store().put_app(&whole, the_app.clone(), NOW).await.unwrap();
    let change = || InstallChange {
        app_id: the_app.id.clone(),
        target: InstallTarget::Company("co".parse().unwrap()),
        publication: Draft::at(NOW).of(app("app")).make(&stage.ids),
        now: NOW,
    };
    store().install(&whole, change()).await.unwrap();
    store().install(&whole, change()).await.unwrap();
    store().uninstall(&whole, change()).await.unwrap();
    store().delete_app(&whole, &the_app.id).await.unwrap();
}

async fn changes_of_access(stage: &Stage) {
    let (whole, store) = (Scope::Platform, || platform(stage));
    let key = store().create_api_key(&whole, new_key(stage), 9, None).await.unwrap();
    store().delete_api_key(&whole, key.id, NOW).await.unwrap();
    let session = Session {
        id: stage.ids.session(NOW),
        scope: whole.clone(),
        granted_by: Scope::Platform,
        permissions: vec![],
        expires_at: at(60),
        opened_at: None,
        last_used_at: None,
    };
    let code = LoginCode { hash: [1; 32], expires_at: at(60) };
    store().create_session(&whole, session.clone(), code, 9, None).await.unwrap();
    store().open_session([1; 32], [2; 32], NOW).await.unwrap();
    store().delete_session(&whole, session.id).await.unwrap();
}

/// `a`: the endpoint as it was created.
fn expected(a: &str) -> Vec<(String, String, String)> {
    let b = "endpoint https://b.example.com/";
    let rows = [
        ("endpoint.created", "", a),
        ("endpoint.updated", a, b),
        ("secret.rotated", b, b),
        ("secret.promoted", b, b),
        ("secret.read", "", ""),
        ("delivery.retried", "", "delivery pending"),
        ("delivery.cancelled", "", "delivery cancelled"),
        ("endpoint.disabled", b, b),
        ("endpoint.deleted", b, ""),
        ("location.put", "", "location Some(\"a\")"),
        ("location.put", "location Some(\"a\")", "location Some(\"b\")"),
        ("location.deleted", "location Some(\"b\")", ""),
        ("app.put", "", "app None"),
        ("app.installed", "", "install of app"),
        ("app.uninstalled", "install of app", ""),
        ("app.deleted", "app None", ""),
        ("api-key.created", "", "key ci"),
        ("api-key.deleted", "key ci", ""),
        ("session.created", "", "session false"),
        ("session.opened", "session false", "session true"),
        ("session.revoked", "session true", ""),
    ];
    rows.map(|(action, before, after)| (action.to_owned(), before.to_owned(), after.to_owned())).to_vec()
}

pub async fn entries_are_seen_by_the_world_of_their_object_only(stage: &mut Stage) {
    stage.register_location("in", Some("co")).await;
    let mut ids = Vec::new();
    for scope in [location("in"), location("out"), company("co"), app("app")] {
        let endpoint = stage.new_endpoint(&scope);
        ids.push(endpoint.id.to_string());
        platform(stage).create_endpoint(&Scope::Platform, endpoint, 9, None).await.unwrap();
    }
    platform(stage).note(Action::MasterKeyRotated, None, Object::new("master-key", "")).await.unwrap();
    let [inside, outside, of_company, of_app] = ids.try_into().unwrap();
    let seen = async |scope: Scope| {
        let found = entries(stage, &scope, &AuditFilter::default()).await;
        found.into_iter().map(|entry| entry.object.id).collect::<Vec<_>>()
    };
    assert_eq!(seen(Scope::Platform).await, ["", &of_app, &of_company, &outside, &inside]);
    assert_eq!(seen(location("in")).await, [&inside[..]]);
    assert_eq!(seen(location("out")).await, [&outside[..]]);
    assert_eq!(seen(company("co")).await, [&of_company[..], &inside]);
    assert_eq!(seen(app("app")).await, [&of_app[..]]);
    assert_eq!(seen(location("app")).await, [""; 0]);
}

pub async fn filters_of_the_audit_log_hold_alone_and_together(stage: &mut Stage) {
    let endpoint = stage.new_endpoint(&location("loc"));
    let store = |seconds| by(stage, Actor::System, at(seconds));
    store(0).create_endpoint(&Scope::Platform, endpoint.clone(), 9, None).await.unwrap();
    store(10).create_endpoint(&Scope::Platform, stage.new_endpoint(&app("app")), 9, None).await.unwrap();
    store(20).delete_endpoint(&Scope::Platform, endpoint.id, at(20)).await.unwrap();
    let count = async |scope: Scope, filter: AuditFilter| entries(stage, &scope, &filter).await.len();
    let none = AuditFilter::default;
    let of = |scope| AuditFilter { owner: Some(owner(&scope)), ..none() };
    let object = AuditFilter { object_id: Some(endpoint.id.to_string()), ..none() };
    let created = AuditFilter { action: Some(Action::EndpointCreated), ..none() };
    let span = |since, until| AuditFilter {
        span: Span { since: Some(at(since)), until: Some(at(until)) },
        ..none()
    };
    let whole = || Scope::Platform;
    assert_eq!(count(whole(), none()).await, 3);
    assert_eq!(count(whole(), of(location("loc"))).await, 2);
    assert_eq!(count(whole(), object.clone()).await, 2);
    assert_eq!(count(whole(), created.clone()).await, 2);
    assert_eq!(count(whole(), AuditFilter { action: created.action, ..object.clone() }).await, 1);
    assert_eq!(count(whole(), span(0, 20)).await, 2, "since is inclusive, until exclusive");
    assert_eq!(count(whole(), span(20, 21)).await, 1);
    assert_eq!(count(app("app"), none()).await, 1);
    for wider in [object, of(location("loc"))] {
        assert_eq!(count(app("app"), wider).await, 0, "a filter never widens a world");
    }
}

pub async fn what_is_older_than_the_audit_horizon_goes_in_slices(stage: &mut Stage) {
    let store = |seconds| by(stage, Actor::System, at(seconds));
    for n in 0..1_001 {
        store(0).note(Action::SecretRead, None, Object::new("endpoint", n)).await.unwrap();
    }
    store(10).note(Action::SecretRead, None, Object::new("endpoint", "kept")).await.unwrap();
    assert_eq!(stage.sweep_audit(at(0)).await.unwrap(), Swept::Done);
    let mut slices = 1;
    while stage.sweep_audit(at(10)).await.unwrap() == Swept::More {
        slices += 1;
    }
    assert!(slices > 1);
    let left = all(stage).await;
    assert_eq!(left.iter().map(|entry| &entry.object.id[..]).collect::<Vec<_>>(), ["kept"]);
}

//! Locations, apps and installs; an install and the event that tells of it are stored together or not at all.

use domain::app::{App, InstallTarget};
use domain::fanout::Topology;
use domain::location::{AppId, CompanyId, Location, LocationId};
use domain::scope::Scope;
use tokio::task::JoinSet;

use super::assert_fails;
use super::stage::{Draft, NOW, Sent, Stage, app, at, company, location};
use crate::events::Publication;
use crate::tenants::InstallChange;

fn place(id: &str) -> LocationId {
    id.parse().unwrap()
}

fn an_app(scopes: Option<&[&str]>) -> App {
    let scopes = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
    App { id: the_app(), name: Some("An 'app' 🦆".into()), scopes }
}

fn the_app() -> AppId {
    "app".parse().unwrap()
}

fn change(target: InstallTarget, publication: Publication) -> InstallChange {
    InstallChange { app_id: the_app(), target, publication, now: NOW }
}

fn in_location() -> InstallTarget {
    InstallTarget::Location(place("loc"))
}

fn in_company() -> InstallTarget {
    InstallTarget::Company("co".parse().unwrap())
}

pub async fn a_location_is_put_replaced_and_forgotten(stage: &mut Stage) {
    let id = place("Loc_1-x");
    assert_fails!(stage.location(&Scope::Platform, &id).await, NotFound);
    let company_id = |id: &str| Some(id.parse::<CompanyId>().unwrap());
    for (name, company_id) in
        [(None, None), (Some("Zoë's 🦆"), company_id("co")), (Some(""), company_id("other")), (None, None)]
    {
        let put = Location { id: id.clone(), name: name.map(str::to_owned), company_id: company_id.clone() };
        assert_eq!(stage.put_location(&Scope::Platform, put.clone(), NOW).await.unwrap(), put);
        assert_eq!(stage.routes().read().company_of(&id), company_id.as_ref(), "at once");
        stage.crash(at(1)).await;
        assert_eq!(stage.routes().read().company_of(&id), company_id.as_ref(), "after a crash");
        assert_eq!(stage.location(&Scope::Platform, &id).await.unwrap(), put);
    }
    stage.register_location("Loc_1-x", Some("co")).await;
    stage.delete_location(&Scope::Platform, &id).await.unwrap();
    assert_fails!(stage.location(&Scope::Platform, &id).await, NotFound);
    assert_eq!(stage.routes().read().company_of(&id), None);
}

pub async fn a_forgotten_location_keeps_its_endpoints_and_its_log(stage: &mut Stage) {
    stage.register_location("loc", Some("co")).await;
    let endpoint = stage.endpoint(&location("loc")).await;
    let sent = stage.send(Draft::at(NOW).of(location("loc")).held_for(&endpoint)).await;
    stage.delete_location(&Scope::Platform, &place("loc")).await.unwrap();
    assert_eq!(stage.routes().endpoint(endpoint.id), Some(endpoint));
    assert_eq!(stage.events_seen(&location("loc")).await, [sent.event.id]);
    assert_eq!(stage.deliveries_seen(&location("loc")).await, [sent.delivery().id]);
    assert_eq!(stage.events_seen(&company("co")).await, [], "no longer the company's");
}

pub async fn an_app_is_put_replaced_and_forgotten(stage: &mut Stage) {
    assert_fails!(stage.app(&Scope::Platform, &the_app()).await, NotFound);
    for scopes in [
        None,
        Some(&["contacts.readonly", "a b'\"", "two\nlines", ""][..]),
        Some(&[][..]),
        Some(&["one"][..]),
        None,
    ] {
        let put = an_app(scopes);
        assert_eq!(stage.put_app(&Scope::Platform, put.clone(), NOW).await.unwrap(), put);
        assert_eq!(stage.routes().read().scopes_of(&the_app()), put.scopes.as_deref(), "at once");
        stage.crash(at(1)).await;
        assert_eq!(stage.routes().read().scopes_of(&the_app()), put.scopes.as_deref(), "after a crash");
        assert_eq!(stage.app(&Scope::Platform, &the_app()).await.unwrap(), put);
    }
    stage.put_app(&Scope::Platform, an_app(Some(&[])), NOW).await.unwrap();
    stage.delete_app(&Scope::Platform, &the_app()).await.unwrap();
    assert_fails!(stage.app(&Scope::Platform, &the_app()).await, NotFound);
    assert_eq!(stage.routes().read().scopes_of(&the_app()), None);
}

pub async fn foreign_locations_and_apps_are_not_found(stage: &mut Stage) {
    stage.register_location("loc", Some("co")).await;
    stage.put_app(&Scope::Platform, an_app(None), NOW).await.unwrap();
    for scope in [Scope::Platform, location("loc"), company("co")] {
        assert!(stage.location(&scope, &place("loc")).await.is_ok(), "{scope:?}");
    }
    for scope in [location("other"), company("other"), app("app")] {
        assert_fails!(stage.location(&scope, &place("loc")).await, NotFound);
        assert_fails!(stage.delete_location(&scope, &place("loc")).await, NotFound);
        let steal = Location { id: place("loc"), name: None, company_id: None };
        assert_fails!(stage.put_location(&scope, steal, NOW).await, NotFound);
    }
    assert!(stage.app(&app("app"), &the_app()).await.is_ok());
    for scope in [location("loc"), company("co"), app("other")] {
        assert_fails!(stage.app(&scope, &the_app()).await, NotFound);
        assert_fails!(stage.delete_app(&scope, &the_app()).await, NotFound);
        assert_fails!(stage.put_app(&scope, an_app(Some(&[])), NOW).await, NotFound);
    }
    assert_eq!(stage.routes().read().company_of(&place("loc")).map(CompanyId::as_str), Some("co"));
    assert_eq!(stage.routes().read().scopes_of(&the_app()), None);
}

pub async fn an_install_publishes_its_event_with_it(stage: &mut Stage) {
    let endpoint = stage.endpoint(&app("app")).await;
    let draft = Draft::at(NOW).of_type("AppInstall").of(app("app")).of(location("loc"));
    let publication = draft.held_for(&endpoint).make(&stage.ids);
    let claim = stage.install(&Scope::Platform, change(in_location(), publication.clone())).await.unwrap();
    let sent = Sent::new(&publication, claim.unwrap());
    assert_eq!(stage.routes().read().apps_in_location(&place("loc")), [the_app()]);
    assert_eq!(stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap(), [in_location()]);
    assert_eq!(stage.event(&Scope::Platform, sent.event.id).await.unwrap(), sent.event);
    stage.record_at(&sent.delivery(), domain::retry::Verdict::Succeeded, NOW).await;
}

pub async fn an_install_again_publishes_nothing(stage: &mut Stage) {
    let endpoint = stage.endpoint(&app("app")).await;
    let publication =
        || Draft::at(NOW).of_type("AppInstall").of(app("app")).queued_for(&endpoint).make(&stage.ids);
    for target in [in_location(), in_company()] {
        let first = change(target.clone(), publication());
        assert!(stage.install(&Scope::Platform, first).await.unwrap().is_some());
        let (events, waiting) =
            (stage.events_seen(&Scope::Platform).await, stage.queue_length().await.unwrap());
        let again = change(target.clone(), publication());
        let again_id = again.publication.event.id;
        assert_eq!(stage.install(&Scope::Platform, again).await.unwrap(), None);
        assert_fails!(stage.event(&Scope::Platform, again_id).await, NotFound);
        assert_eq!(stage.events_seen(&Scope::Platform).await, events);
        assert_eq!(stage.queue_length().await.unwrap(), waiting);
    }
    let installs = stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap();
    assert_eq!(installs.len(), 2);
    assert!(installs.contains(&in_location()) && installs.contains(&in_company()));
    assert_eq!(stage.installs(&Scope::Platform, &the_app(), 1).await.unwrap().len(), 1);
}

pub async fn of_many_installs_at_once_one_publishes(stage: &mut Stage) {
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let (store, publication) = (stage.store(), Draft::at(NOW).of(app("app")).make(&stage.ids));
        calls.spawn(async move {
            store.install(&Scope::Platform, change(in_location(), publication)).await.unwrap()
        });
    }
    let new = calls.join_all().await.into_iter().flatten().count();
    assert_eq!((new, stage.events_seen(&Scope::Platform).await.len()), (1, 1));
}

pub async fn an_uninstall_publishes_its_event_with_it(stage: &mut Stage) {
    let endpoint = stage.endpoint(&app("app")).await;
    for target in [in_location(), in_company()] {
        let install = change(target.clone(), Draft::at(NOW).make(&stage.ids));
        stage.install(&Scope::Platform, install).await.unwrap();
        let publication = Draft::at(NOW).of_type("AppUninstall").held_for(&endpoint).make(&stage.ids);
        let uninstall = change(target, publication.clone());
        let claim = stage.uninstall(&Scope::Platform, uninstall).await.unwrap();
        let sent = Sent::new(&publication, claim);
        assert_eq!(stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap(), []);
        stage.record_at(&sent.delivery(), domain::retry::Verdict::Succeeded, NOW).await;
    }
    let routes = stage.routes().read();
    assert!(routes.apps_in_location(&place("loc")).is_empty());
    assert!(routes.apps_in_company(&"co".parse().unwrap()).is_empty());
}

pub async fn what_is_not_installed_cannot_be_uninstalled(stage: &mut Stage) {
    let install = change(in_location(), Draft::at(NOW).make(&stage.ids));
    stage.install(&Scope::Platform, install).await.unwrap();
    let before = stage.events_seen(&Scope::Platform).await;
    let elsewhere = [InstallTarget::Location(place("other")), InstallTarget::Company("loc".parse().unwrap())];
    for target in elsewhere {
        let uninstall = change(target, Draft::at(NOW).make(&stage.ids));
        assert_fails!(stage.uninstall(&Scope::Platform, uninstall).await, NotFound);
    }
    assert_eq!(stage.events_seen(&Scope::Platform).await, before);
    let uninstall = || change(in_location(), Draft::at(NOW).make(&stage.ids));
    stage.uninstall(&Scope::Platform, uninstall()).await.unwrap();
    assert_fails!(stage.uninstall(&Scope::Platform, uninstall()).await, NotFound);
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), 2);
}

pub async fn an_install_is_all_or_nothing(stage: &mut Stage) {
    let taken = stage.send(Draft::at(NOW)).await;
    let publication = Publication { event: taken.event, deliveries: vec![] };
    assert!(stage.install(&Scope::Platform, change(in_location(), publication.clone())).await.is_err());
    assert_eq!(stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap(), []);
    assert!(stage.routes().read().apps_in_location(&place("loc")).is_empty());
    let fresh = change(in_location(), Draft::at(NOW).make(&stage.ids));
    assert!(stage.install(&Scope::Platform, fresh).await.unwrap().is_some());
    assert!(stage.uninstall(&Scope::Platform, change(in_location(), publication)).await.is_err());
    assert_eq!(stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap(), [in_location()]);
    assert_eq!(stage.routes().read().apps_in_location(&place("loc")), [the_app()]);
}

pub async fn installs_survive_a_crash(stage: &mut Stage) {
    for target in [in_location(), in_company()] {
        let install = change(target, Draft::at(NOW).make(&stage.ids));
        stage.install(&Scope::Platform, install).await.unwrap();
    }
    stage.crash(at(1)).await;
    assert_eq!(stage.routes().read().apps_in_location(&place("loc")), [the_app()]);
    assert_eq!(stage.routes().read().apps_in_company(&"co".parse().unwrap()), [the_app()]);
    assert_eq!(stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap().len(), 2);
    assert_eq!(stage.events_seen(&Scope::Platform).await.len(), 2);
}

pub async fn a_forgotten_app_loses_its_installs_and_keeps_its_endpoints(stage: &mut Stage) {
    let endpoint = stage.endpoint(&app("app")).await;
    stage.put_app(&Scope::Platform, an_app(None), NOW).await.unwrap();
    for target in [in_location(), in_company()] {
        let install = change(target, Draft::at(NOW).make(&stage.ids));
        stage.install(&Scope::Platform, install).await.unwrap();
    }
    stage.delete_app(&Scope::Platform, &the_app()).await.unwrap();
    for when in ["at once", "after a crash"] {
        assert!(stage.routes().read().apps_in_location(&place("loc")).is_empty(), "{when}");
        assert!(stage.routes().read().apps_in_company(&"co".parse().unwrap()).is_empty(), "{when}");
        assert_eq!(stage.installs(&Scope::Platform, &the_app(), 9).await.unwrap_or_default(), [], "{when}");
        assert_eq!(stage.routes().endpoint(endpoint.id).as_ref(), Some(&endpoint), "{when}");
        stage.crash(at(1)).await;
    }
}

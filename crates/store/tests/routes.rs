//! The routing table: what is put is found, what is removed is gone, in every way that fan-out and scopes ask.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use domain::app::{App, InstallTarget};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState, Subscription};
use domain::fanout::Topology;
use domain::id::{EndpointId, IdSource};
use domain::location::{AppId, CompanyId, Location, LocationId};
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;
use hoopoe_store::routes::{RouteTable, Routes};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn place(id: &str) -> LocationId {
    id.parse().unwrap()
}
fn agency(id: &str) -> CompanyId {
    id.parse().unwrap()
}
fn app_id(id: &str) -> AppId {
    id.parse().unwrap()
}

fn endpoint(id: EndpointId, owner: Owner) -> Endpoint {
    Endpoint {
        id,
        owner,
        url: "https://hooks.example.com/".into(),
        description: String::new(),
        subscription: Subscription::All,
        headers: vec![],
        retry_schedule: None,
        skip_own_events: false,
        state: EndpointState::Enabled { since: NOW },
        secrets: Secrets::new(SecretText::new("whsec_x".into())),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn ids_of(table: &RouteTable, owner: &Owner) -> Vec<EndpointId> {
    table.endpoints_of(owner).iter().map(|endpoint| endpoint.id).collect()
}

#[test]
fn endpoints_of_an_owner_come_in_order_of_their_ids_however_they_were_put() {
    let ids = IdSource::seeded(7);
    let owner = Owner::Location(place("loc"));
    let made: Vec<_> = (0..6).map(|_| ids.endpoint(NOW)).collect();
    let mut table = RouteTable::default();
    for n in [3, 0, 5, 1, 4, 2] {
        table.put_endpoint(Arc::new(endpoint(made[n], owner.clone())));
    }
    assert_eq!(ids_of(&table, &owner), made);
    assert_eq!(table.endpoints().count(), 6);
}

#[test]
fn owners_of_one_id_and_different_kinds_are_different() {
    let ids = IdSource::seeded(7);
    let owners = [Owner::Location(place("same")), Owner::Company(agency("same")), Owner::App(app_id("same"))];
    let mut table = RouteTable::default();
    for owner in &owners {
        table.put_endpoint(Arc::new(endpoint(ids.endpoint(NOW), owner.clone())));
    }
    for owner in &owners {
        assert_eq!(table.endpoints_of(owner).len(), 1);
        assert_eq!(&table.endpoints_of(owner)[0].owner, owner);
    }
    assert!(table.endpoints_of(&Owner::Location(place("other"))).is_empty());
}

#[test]
fn an_endpoint_that_is_put_again_replaces_itself_wherever_it_is_found() {
    let ids = IdSource::seeded(7);
    let owner = Owner::Location(place("loc"));
    let [first, second] = [ids.endpoint(NOW), ids.endpoint(NOW)];
    let mut table = RouteTable::default();
    for id in [first, second] {
        table.put_endpoint(Arc::new(endpoint(id, owner.clone())));
    }
    let state = EndpointState::Disabled { reason: DisabledReason::ByHand, since: NOW };
    let changed = Arc::new(Endpoint { state, ..endpoint(first, owner.clone()) });
    table.put_endpoint(Arc::clone(&changed));
    assert_eq!(table.endpoint(first), Some(&changed));
    assert_eq!(ids_of(&table, &owner), [first, second]);
    assert_eq!(table.endpoints_of(&owner)[0], changed);
}

#[test]
fn a_deleted_endpoint_leaves_and_one_that_never_came_does_not_enter() {
    let ids = IdSource::seeded(7);
    let owner = Owner::App(app_id("app"));
    let [gone, stays, never] = [ids.endpoint(NOW), ids.endpoint(NOW), ids.endpoint(NOW)];
    let mut table = RouteTable::default();
    for id in [gone, stays] {
        table.put_endpoint(Arc::new(endpoint(id, owner.clone())));
    }
    let state = EndpointState::Deleted { since: NOW };
    for id in [gone, never] {
        table.put_endpoint(Arc::new(Endpoint { state, ..endpoint(id, owner.clone()) }));
        assert_eq!(table.endpoint(id), None);
    }
    assert_eq!(ids_of(&table, &owner), [stays]);
    table.put_endpoint(Arc::new(Endpoint { state, ..endpoint(stays, owner.clone()) }));
    assert!(table.endpoints_of(&owner).is_empty());
    assert_eq!(table.endpoints().count(), 0);
}

fn names(apps: &[AppId]) -> Vec<&str> {
    apps.iter().map(AppId::as_str).collect()
}

fn registered(id: &str, company: Option<&str>) -> Location {
    Location { id: place(id), name: None, company_id: company.map(agency) }
}

#[test]
fn a_location_has_the_company_that_it_was_put_with_last() {
    let mut table = RouteTable::default();
    assert_eq!(table.company_of(&place("loc")), None);
    for company in [Some("one"), Some("two"), None, Some("one")] {
        table.put_location(&registered("loc", company));
        assert_eq!(table.company_of(&place("loc")).cloned(), company.map(agency));
        assert_eq!(table.company_of(&place("other")), None);
    }
    table.remove_location(&place("loc"));
    assert_eq!(table.company_of(&place("loc")), None);
}

#[test]
fn an_apps_scopes_are_those_it_was_put_with_last() {
    let mut table = RouteTable::default();
    let id = app_id("app");
    assert_eq!(table.scopes_of(&id), None);
    for scopes in [Some(vec![]), Some(vec!["a".to_owned(), "b".to_owned()]), None, Some(vec![])] {
        table.put_app(&App { id: id.clone(), name: None, scopes: scopes.clone() });
        assert_eq!(table.scopes_of(&id), scopes.as_deref());
    }
    table.remove_app(&id);
    assert_eq!(table.scopes_of(&id), None);
}

#[test]
fn an_install_is_there_once_and_where_it_was_made() {
    let (one, two) = (app_id("one"), app_id("two"));
    let (in_location, in_company) =
        (InstallTarget::Location(place("same")), InstallTarget::Company(agency("same")));
    let mut table = RouteTable::default();
    table.install(&one, &in_location);
    table.install(&one, &in_location);
    assert_eq!(names(table.apps_in_location(&place("same"))), ["one"]);
    assert!(table.apps_in_company(&agency("same")).is_empty());
    table.install(&two, &in_location);
    table.install(&one, &in_company);
    assert_eq!(names(table.apps_in_location(&place("same"))), ["one", "two"]);
    table.uninstall(&one, &in_location);
    assert_eq!(names(table.apps_in_location(&place("same"))), ["two"]);
    assert_eq!(names(table.apps_in_company(&agency("same"))), ["one"]);
    // What is not installed cannot be uninstalled, and that is no fault.
    table.uninstall(&two, &in_company);
    table.uninstall(&two, &InstallTarget::Location(place("elsewhere")));
    assert_eq!(names(table.apps_in_company(&agency("same"))), ["one"]);
}

#[test]
fn an_app_that_is_removed_is_installed_nowhere_and_keeps_its_endpoints() {
    let (gone, stays) = (app_id("gone"), app_id("stays"));
    let id = IdSource::seeded(7).endpoint(NOW);
    let mut table = RouteTable::default();
    for app in [&gone, &stays] {
        for target in ["one", "two"] {
            table.install(app, &InstallTarget::Location(place(target)));
            table.install(app, &InstallTarget::Company(agency(target)));
        }
    }
    table.put_endpoint(Arc::new(endpoint(id, Owner::App(gone.clone()))));
    table.remove_app(&gone);
    for target in ["one", "two"] {
        assert_eq!(names(table.apps_in_location(&place(target))), ["stays"]);
        assert_eq!(names(table.apps_in_company(&agency(target))), ["stays"]);
    }
    assert_eq!(ids_of(&table, &Owner::App(gone)), [id]);
}

#[test]
fn each_scope_sees_its_own_owners() {
    let mut table = RouteTable::default();
    table.put_location(&registered("in", Some("co")));
    let owners = [
        Owner::Location(place("in")),
        Owner::Location(place("out")),
        Owner::Company(agency("co")),
        Owner::App(app_id("co")),
    ];
    for (scope, expected) in [
        (Scope::Platform, [true, true, true, true]),
        (Scope::Company(agency("co")), [true, false, true, false]),
        (Scope::Company(agency("in")), [false, false, false, false]),
        (Scope::Location(place("in")), [true, false, false, false]),
        (Scope::Location(place("co")), [false, false, false, false]),
        (Scope::App(app_id("co")), [false, false, false, true]),
    ] {
        let seen = owners.each_ref().map(|owner| table.sees(&scope, owner));
        assert_eq!(seen, expected, "{scope:?}");
    }
    table.put_location(&registered("in", None));
    assert!(!table.sees(&Scope::Company(agency("co")), &owners[0]));
}

#[test]
fn a_change_is_seen_by_the_next_reader() {
    let routes = Routes::default();
    let id = IdSource::seeded(7).endpoint(NOW);
    assert_eq!(routes.endpoint(id), None);
    let stored = Arc::new(endpoint(id, Owner::Location(place("loc"))));
    let told = routes.change(|table| {
        table.put_endpoint(Arc::clone(&stored));
        "what the change answers"
    });
    assert_eq!(told, "what the change answers");
    assert_eq!(routes.endpoint(id), Some(Arc::clone(&stored)));
    assert_eq!(routes.read().endpoint(id), Some(&stored));
}

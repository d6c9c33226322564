//! Fan-out: the routing rules as a table of cases, and against an independent, naive model.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashMap;
use std::sync::Arc;

use hoopoe_domain::endpoint::{DisabledReason, Endpoint, EndpointState, Subscription};
use hoopoe_domain::event::{EventScope, SkipReason};
use hoopoe_domain::fanout::{Subject, Topology, fan_out};
use hoopoe_domain::id::EndpointId;
use hoopoe_domain::location::{AppId, CompanyId, LocationId};
use hoopoe_domain::scope::Owner;
use hoopoe_domain::secret::{SecretText, Secrets};
use hoopoe_domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const OFF: EndpointState = EndpointState::Disabled { reason: DisabledReason::ByHand, since: NOW };
const ON: EndpointState = EndpointState::Enabled { since: NOW };

/// Who is registered where. The endpoints of an owner stand in the order of their ids, as in the store.
#[derive(Debug, Clone, Default)]
struct Town {
    endpoints: HashMap<Owner, Vec<Arc<Endpoint>>>,
    company_of: HashMap<LocationId, CompanyId>,
    in_location: HashMap<LocationId, Vec<AppId>>,
    in_company: HashMap<CompanyId, Vec<AppId>>,
    scopes: HashMap<AppId, Vec<String>>,
    count: u128,
}

impl Topology for Town {
    fn endpoints_of(&self, owner: &Owner) -> &[Arc<Endpoint>] {
        self.endpoints.get(owner).map_or(&[], Vec::as_slice)
    }
    fn company_of(&self, location_id: &LocationId) -> Option<&CompanyId> {
        self.company_of.get(location_id)
    }
    fn apps_in_location(&self, location_id: &LocationId) -> &[AppId] {
        self.in_location.get(location_id).map_or(&[], Vec::as_slice)
    }
    fn apps_in_company(&self, company_id: &CompanyId) -> &[AppId] {
        self.in_company.get(company_id).map_or(&[], Vec::as_slice)
    }
    fn scopes_of(&self, app_id: &AppId) -> Option<&[String]> {
        self.scopes.get(app_id).map(Vec::as_slice)
    }
}

fn place(id: &str) -> LocationId {
    id.parse().unwrap()
}
fn agency(id: &str) -> CompanyId {
    id.parse().unwrap()
}
fn app(id: &str) -> AppId {
    id.parse().unwrap()
}
fn of_location(id: &str) -> Owner {
    Owner::Location(place(id))
}
fn of_company(id: &str) -> Owner {
    Owner::Company(agency(id))
}
fn of_app(id: &str) -> Owner {
    Owner::App(app(id))
}

impl Town {
    /// Adds an enabled endpoint that wants everything, changed by `change`; its description is `name`.
    fn add(&mut self, name: &str, owner: Owner, change: impl FnOnce(&mut Endpoint)) {
        self.count += 1;
        let mut endpoint = Endpoint {
            id: EndpointId::from_bits(self.count),
            owner: owner.clone(),
            url: "https://hooks.example.com/".into(),
            description: name.to_owned(),
            subscription: Subscription::All,
            headers: vec![],
            retry_schedule: None,
            skip_own_events: false,
            state: ON,
            secrets: Secrets::new(SecretText::new("whsec_x".into())),
            created_at: NOW,
            updated_at: NOW,
        };
        change(&mut endpoint);
        self.endpoints.entry(owner).or_default().push(Arc::new(endpoint));
    }

    /// Two locations (`in` of company `co`, `out` of none), each owner with one endpoint named after it, and four apps:
    /// `at-in` installed in the location, `at-co` in its company, `both` in both, `nowhere` not at all.
    fn small() -> Self {
        let mut town = Self::default();
        town.company_of.insert(place("in"), agency("co"));
        town.in_location.insert(place("in"), vec![app("at-in"), app("both")]);
        town.in_company.insert(agency("co"), vec![app("both"), app("at-co")]);
        for owner in [of_location("in"), of_location("out"), of_company("co"), of_company("other")] {
            let name = owner.id().to_owned();
            town.add(&name, owner, |_| {});
        }
        for name in ["at-in", "both", "at-co", "nowhere"] {
            town.add(name, of_app(name), |_| {});
        }
        town
    }
}

/// The ids of a payload and what is known of its type.
#[derive(Debug, Clone, Default)]
struct Published {
    scope: Option<EventScope>,
    oauth_scope: Option<&'static str>,
    location_id: Option<LocationId>,
    company_id: Option<CompanyId>,
    app_id: Option<AppId>,
    origin: Option<AppId>,
}

impl Published {
    fn subject(&self) -> Subject<'_> {
        Subject {
            type_name: "ContactCreate",
            scope: self.scope.unwrap_or(EventScope::Location),
            oauth_scope: self.oauth_scope,
            location_id: self.location_id.as_ref(),
            company_id: self.company_id.as_ref(),
            app_id: self.app_id.as_ref(),
            origin_app_id: self.origin.as_ref(),
        }
    }
}

fn in_location(id: &str) -> Published {
    Published { location_id: Some(place(id)), ..Published::default() }
}

/// The considered endpoints in the order of decision; those skipped with the reason.
fn considered(town: &Town, published: &Published) -> Vec<String> {
    let choices = fan_out(published.subject(), town);
    let told = choices.iter().map(|choice| match choice.skipped {
        None => choice.endpoint.description.clone(),
        Some(reason) => format!("{}: {}", choice.endpoint.description, reason.as_str()),
    });
    told.collect()
}

#[track_caller]
fn check(town: &Town, published: &Published, expected: &[&str]) {
    assert_eq!(considered(town, published), expected, "{published:?}");
}

#[test]
fn a_location_event_goes_to_the_location_its_company_and_the_apps_in_either_each_once() {
    check(&Town::small(), &in_location("in"), &["in", "at-in", "both", "co", "at-co"]);
    check(&Town::small(), &in_location("out"), &["out"]);
    check(&Town::small(), &in_location("unheard-of"), &[]);
}

#[test]
fn the_company_of_a_location_event_is_the_registered_one_whatever_the_payload_says() {
    let with_others = |id| {
        let (company_id, app_id) = (Some(agency("other")), Some(app("nowhere")));
        Published { company_id, app_id, ..in_location(id) }
    };
    check(&Town::small(), &with_others("in"), &["in", "at-in", "both", "co", "at-co"]);
    check(&Town::small(), &with_others("out"), &["out"]);
}

#[test]
fn a_company_event_goes_to_the_company_and_the_apps_there() {
    let scope = Some(EventScope::Company);
    let company = |id| Published { scope, company_id: Some(agency(id)), ..Published::default() };
    check(&Town::small(), &company("co"), &["co", "both", "at-co"]);
    check(&Town::small(), &company("other"), &["other"]);
    check(&Town::small(), &company("unheard-of"), &[]);
    let with_location = Published { location_id: Some(place("in")), ..company("other") };
    check(&Town::small(), &with_location, &["other"]);
    check(&Town::small(), &Published { scope, ..in_location("in") }, &[]);
}

/// `UserCreate` of an agency's user.
#[test]
fn a_location_event_without_a_location_goes_where_a_company_event_goes() {
    let company_id = Some(agency("co"));
    check(&Town::small(), &Published { company_id, ..Published::default() }, &["co", "both", "at-co"]);
    check(&Town::small(), &Published::default(), &[]);
}

#[test]
fn an_app_event_goes_to_that_app_alone_installed_or_not() {
    let scope = Some(EventScope::App);
    for name in ["nowhere", "both"] {
        let (company_id, app_id) = (Some(agency("co")), Some(app(name)));
        check(&Town::small(), &Published { scope, company_id, app_id, ..in_location("in") }, &[name]);
    }
    let never_registered = Published { scope, app_id: Some(app("unheard-of")), ..Published::default() };
    check(&Town::small(), &never_registered, &[]);
    check(&Town::small(), &Published { scope, ..in_location("in") }, &[]);
}

#[test]
fn only_subscribed_endpoints_are_considered() {
    let mut town = Town::default();
    let names = |names: &[&str]| Subscription::to(names.iter().map(|name| (*name).into()).collect());
    for (name, subscription) in [
        ("all", Subscription::All),
        ("none", names(&[])),
        ("this", names(&["NoteCreate", "ContactCreate"])),
        ("another", names(&["ContactCreat", "ContactCreated", "contactcreate", "NoteCreate"])),
    ] {
        town.add(name, of_location("loc"), |endpoint| endpoint.subscription = subscription);
    }
    // One that does not subscribe has no reason either.
    town.add("off", of_location("loc"), |endpoint| {
        (endpoint.state, endpoint.subscription) = (OFF, names(&[]))
    });
    check(&town, &in_location("loc"), &["all", "this"]);
}

#[test]
fn an_app_needs_the_types_scope() {
    for (held, needed, reason) in [
        (None, None, None),
        (None, Some("contacts"), None),
        (Some(vec![]), None, None),
        (Some(vec![]), Some("contacts"), Some("app: missing-scope")),
        (Some(vec!["contacts"]), Some("contacts"), None),
        (Some(vec!["notes", "contacts"]), Some("contacts"), None),
        (
            Some(vec!["contacts.readonly", "contact", "Contacts"]),
            Some("contacts"),
            Some("app: missing-scope"),
        ),
    ] {
        let mut town = Town::default();
        town.add("location", of_location("loc"), |_| {});
        town.add("company", of_company("co"), |_| {});
        town.add("app", of_app("app"), |_| {});
        town.company_of.insert(place("loc"), agency("co"));
        town.in_location.insert(place("loc"), vec![app("app")]);
        if let Some(held) = held {
            town.scopes.insert(app("app"), held.into_iter().map(str::to_owned).collect());
        }
        let published = Published { oauth_scope: needed, ..in_location("loc") };
        check(&town, &published, &["location", reason.unwrap_or("app"), "company"]);
        let app_event = Published { scope: Some(EventScope::App), app_id: Some(app("app")), ..published };
        check(&town, &app_event, &[reason.unwrap_or("app")]);
    }
}

#[test]
fn an_app_is_spared_its_own_events_where_it_says_so() {
    let mut town = Town::default();
    town.in_location.insert(place("loc"), vec![app("one"), app("two")]);
    for (name, owner) in [("one", of_app("one")), ("two", of_app("two")), ("place", of_location("loc"))] {
        town.add(&format!("{name} takes"), owner.clone(), |_| {});
        town.add(&format!("{name} skips"), owner, |endpoint| endpoint.skip_own_events = true);
    }
    let from = |origin: Option<&str>| Published { origin: origin.map(app), ..in_location("loc") };
    let all = ["place takes", "place skips", "one takes", "one skips", "two takes", "two skips"];
    check(&town, &from(None), &all);
    check(&town, &from(Some("unheard-of")), &all);
    // An origin is an app; a location of the same name is none.
    check(&town, &from(Some("loc")), &all);
    let mut spared = all;
    spared[3] = "one skips: own-event";
    check(&town, &from(Some("one")), &spared);
}

#[test]
fn of_several_reasons_the_scope_comes_first_then_disabled_then_the_origin() {
    let deleted = EndpointState::Deleted { since: NOW };
    for (state, held, skips, reason) in [
        (OFF, false, true, Some("missing-scope")),
        (OFF, true, true, Some("disabled")),
        (OFF, false, false, Some("missing-scope")),
        (OFF, true, false, Some("disabled")),
        (deleted, true, false, Some("disabled")),
        (ON, false, true, Some("missing-scope")),
        (ON, false, false, Some("missing-scope")),
        (ON, true, true, Some("own-event")),
        (ON, true, false, None),
    ] {
        let mut town = Town::default();
        town.in_location.insert(place("loc"), vec![app("app")]);
        town.scopes.insert(app("app"), if held { vec!["contacts".to_owned()] } else { vec![] });
        town.add("it", of_app("app"), |it| (it.state, it.skip_own_events) = (state, skips));
        let origin = Some(app("app"));
        let published = Published { oauth_scope: Some("contacts"), origin, ..in_location("loc") };
        let expected = reason.map_or("it".to_owned(), |reason| format!("it: {reason}"));
        check(&town, &published, &[&expected]);
    }
}

#[test]
fn every_reason_of_being_disabled_is_the_same_here() {
    let mut town = Town::default();
    for reason in DisabledReason::ALL {
        let state = EndpointState::Disabled { reason, since: NOW };
        town.add(reason.as_str(), of_location("loc"), |endpoint| endpoint.state = state);
    }
    let expected = ["by-hand: disabled", "gone: disabled", "failing: disabled"];
    check(&town, &in_location("loc"), &expected);
}

/// The rules once more, asked of every endpoint by itself, as api.md words them.
fn naive(town: &Town, published: &Published) -> Vec<(EndpointId, Option<SkipReason>)> {
    let all = town.endpoints.values().flatten();
    let mut expected: Vec<_> = all
        .filter(|endpoint| {
            endpoint.subscription.wants("ContactCreate") && fits(town, published, &endpoint.owner)
        })
        .map(|endpoint| (endpoint.id, reason(town, published, endpoint)))
        .collect();
    expected.sort_unstable_by_key(|(id, _)| *id);
    expected
}

fn fits(town: &Town, published: &Published, owner: &Owner) -> bool {
    let home = published.location_id.as_ref().and_then(|id| town.company_of.get(id));
    let company = match (published.scope, &published.location_id) {
        (Some(EventScope::App), _) => None,
        (Some(EventScope::Company), _) | (_, None) => published.company_id.as_ref(),
        (_, Some(_)) => home,
    };
    let location = match published.scope {
        Some(EventScope::App | EventScope::Company) => None,
        _ => published.location_id.as_ref(),
    };
    let installed = |apps: Option<&Vec<AppId>>, id: &AppId| apps.is_some_and(|apps| apps.contains(id));
    match owner {
        Owner::Location(id) => location == Some(id),
        Owner::Company(id) => company == Some(id),
        Owner::App(id) if published.scope == Some(EventScope::App) => published.app_id.as_ref() == Some(id),
        Owner::App(id) => {
            location.is_some_and(|place| installed(town.in_location.get(place), id))
                || company.is_some_and(|company| installed(town.in_company.get(company), id))
        }
    }
}

fn reason(town: &Town, published: &Published, endpoint: &Endpoint) -> Option<SkipReason> {
    let app_id = match &endpoint.owner {
        Owner::App(id) => Some(id),
        _ => None,
    };
    let held = |id| town.scopes.get(id).map(|held| held.iter().map(String::as_str).collect::<Vec<_>>());
    let lacks = |needed| app_id.and_then(held).is_some_and(|held| !held.contains(&needed));
    if published.oauth_scope.is_some_and(lacks) {
        Some(SkipReason::MissingScope)
    } else if endpoint.state != ON {
        Some(SkipReason::Disabled)
    } else if endpoint.skip_own_events && app_id.is_some() && app_id == published.origin.as_ref() {
        Some(SkipReason::OwnEvent)
    } else {
        None
    }
}

/// Few names, and the same ones for locations, companies and apps, so that things meet and mix-ups show.
fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn any_owner() -> impl Strategy<Value = Owner> {
    prop_oneof![name().prop_map(of_location), name().prop_map(of_company), name().prop_map(of_app)]
}

fn any_endpoint() -> impl Strategy<Value = (Owner, Subscription, EndpointState, bool)> {
    let subscription = prop_oneof![
        2 => Just(Subscription::All),
        2 => Just(Subscription::to(vec!["NoteCreate".into(), "ContactCreate".into()])),
        1 => Just(Subscription::to(vec!["NoteCreate".into()])),
    ];
    (any_owner(), subscription, prop_oneof![3 => Just(ON), 1 => Just(OFF)], any::<bool>())
}

fn any_town() -> impl Strategy<Value = Town> {
    let installs = || prop::collection::hash_map(name(), prop::collection::hash_set(name(), 0..4), 0..4);
    let scopes = prop::collection::vec(prop::sample::select(vec!["contacts", "notes"]), 0..3);
    (
        prop::collection::vec(any_endpoint(), 0..24),
        prop::collection::hash_map(name(), name(), 0..4),
        installs(),
        installs(),
        prop::collection::hash_map(name(), scopes, 0..4),
    )
        .prop_map(|(endpoints, company_of, in_location, in_company, scopes)| {
            let mut town = Town::default();
            for (owner, subscription, state, skips) in endpoints {
                town.add("", owner, |endpoint| {
                    (endpoint.subscription, endpoint.state) = (subscription, state);
                    endpoint.skip_own_events = skips;
                });
            }
            town.company_of = company_of.into_iter().map(|(a, b)| (place(a), agency(b))).collect();
            let apps = |ids: std::collections::HashSet<&'static str>| ids.into_iter().map(app).collect();
            town.in_location = in_location.into_iter().map(|(id, ids)| (place(id), apps(ids))).collect();
            town.in_company = in_company.into_iter().map(|(id, ids)| (agency(id), apps(ids))).collect();
            let owned = |held: Vec<&'static str>| held.into_iter().map(str::to_owned).collect();
            town.scopes = scopes.into_iter().map(|(id, held)| (app(id), owned(held))).collect();
            town
        })
}

fn any_published() -> impl Strategy<Value = Published> {
    let maybe = || prop::option::of(name());
    let scope = prop::sample::select(vec![EventScope::Location, EventScope::Company, EventScope::App]);
    let needed = prop::option::of(Just("contacts"));
    (scope, needed, maybe(), maybe(), maybe(), maybe()).prop_map(
        |(scope, oauth_scope, location_id, company_id, app_id, origin)| Published {
            scope: Some(scope),
            oauth_scope,
            location_id: location_id.map(place),
            company_id: company_id.map(agency),
            app_id: app_id.map(app),
            origin: origin.map(app),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn fan_out_decides_as_the_naive_rules_do(town in any_town(), published in any_published()) {
        let choices = fan_out(published.subject(), &town);
        let mut decided: Vec<_> = choices.iter().map(|choice| (choice.endpoint.id, choice.skipped)).collect();
        decided.sort_unstable_by_key(|(id, _)| *id);
        prop_assert_eq!(decided, naive(&town, &published));
    }
}

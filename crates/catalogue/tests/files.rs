//! The files of `catalogue/`: complete, in order, and true to themselves.

use std::collections::HashSet;

use domain::event::EventScope;
use domain::scope::Owner;
use hoopoe_catalogue::{Catalogue, EventType, Inspected, Validate};
use serde_json::Value;

fn for_every_type(check: impl Fn(&Catalogue, &EventType)) {
    let catalogue = Catalogue::builtin();
    for event_type in catalogue.types() {
        check(&catalogue, event_type);
    }
}

fn inspect(catalogue: &Catalogue, payload: &[u8]) -> Inspected {
    match catalogue.inspect(payload, Validate::Reject) {
        Ok(inspected) => inspected,
        Err(fault) => panic!("{}: {fault:?}", String::from_utf8_lossy(payload)),
    }
}

#[test]
fn there_are_58_types_with_distinct_names_and_aliases() {
    let catalogue = Catalogue::builtin();
    assert_eq!(catalogue.types().len(), 58);
    let mut names = HashSet::new();
    for event_type in catalogue.types() {
        assert!(names.insert(event_type.name()), "{}", event_type.name());
        for alias in event_type.aliases() {
            assert!(names.insert(alias.as_str()), "{alias}");
        }
    }
}

#[test]
fn the_order_keeps_categories_together_and_begins_with_contacts() {
    let catalogue = Catalogue::builtin();
    let mut categories: Vec<&str> = catalogue.types().iter().map(EventType::category).collect();
    categories.dedup();
    assert_eq!(categories.len(), categories.iter().collect::<HashSet<_>>().len(), "{categories:?}");
    assert_eq!(catalogue.types()[0].name(), "ContactCreate");
    assert_eq!(catalogue.types()[57].name(), "CampaignStatusUpdate");
}

#[test]
fn every_example_is_valid_and_names_its_own_type() {
    for_every_type(|catalogue, event_type| {
        let inspected = inspect(catalogue, event_type.example().as_bytes());
        assert_eq!(inspected.event_type, event_type.index());
        assert_eq!(inspected.scope, event_type.scope());
    });
}

#[test]
fn every_type_is_found_by_its_name_and_by_each_alias() {
    for_every_type(|catalogue, event_type| {
        let aliases = event_type.aliases().iter().map(String::as_str);
        for name in aliases.chain([event_type.name()]) {
            assert_eq!(catalogue.find(name).map(EventType::index), Some(event_type.index()), "{name}");
        }
        assert!(catalogue.find(&event_type.name().to_lowercase()).is_none());
    });
}

#[test]
fn every_schema_describes_its_fields_and_fixes_its_type() {
    for_every_type(|_, event_type| {
        let schema: Value = serde_json::from_str(event_type.schema()).unwrap();
        assert_eq!(schema["properties"]["type"]["const"], event_type.name());
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        for (name, field) in schema["properties"].as_object().unwrap() {
            assert!(field["description"].is_string(), "{} {name}", event_type.name());
        }
    });
}

#[test]
fn every_example_made_for_an_owner_is_valid_and_the_owners() {
    let owners = [
        Owner::Location("loc-1".parse().unwrap()),
        Owner::Company("com-1".parse().unwrap()),
        Owner::App("app-1".parse().unwrap()),
    ];
    for_every_type(|catalogue, event_type| {
        for owner in &owners {
            let inspected = inspect(catalogue, &catalogue.example_for(event_type.index(), owner));
            let scope = [Some(event_type.scope()), event_type.scope_else()];
            if scope.contains(&EventScope::parse(owner.kind())) {
                assert_eq!(inspected.scope.as_str(), owner.kind());
                assert_eq!(id_of(&inspected), Some(owner.id()), "{}", event_type.name());
            }
        }
    });
}

fn id_of(inspected: &Inspected) -> Option<&str> {
    match inspected.scope {
        EventScope::Location => inspected.location_id.as_ref().map(|id| id.as_str()),
        EventScope::Company => inspected.company_id.as_ref().map(|id| id.as_str()),
        EventScope::App => inspected.app_id.as_ref().map(|id| id.as_str()),
    }
}

#[test]
fn an_example_made_for_a_location_has_its_id_wherever_the_sample_had_one() {
    let catalogue = Catalogue::builtin();
    let owner = Owner::Location("loc-1".parse().unwrap());
    let fields = |name: &str| -> Value {
        let index = catalogue.find(name).unwrap().index();
        serde_json::from_slice(&catalogue.example_for(index, &owner)).unwrap()
    };
    assert_eq!(fields("InvoicePaid")["altId"], "loc-1");
    let created = fields("LocationCreate");
    assert_eq!((&created["locationId"], &created["id"]), (&"loc-1".into(), &"loc-1".into()));
    assert_eq!(fields("UserCreate")["locations"][0], "loc-1");
}

#[test]
fn the_platforms_published_sample_is_kept_field_for_field() {
    let catalogue = Catalogue::builtin();
    expect_test::expect![[r#"{"type":"ContactCreate","locationId":"ve9EPM428h8vShlRW1KT","id":"nmFmQEsNgz6AVpgLVUJ0","firstName":"Jane","lastName":"Smith","name":"Jane Smith","email":"jane@example.com","phone":"+15551234567","address1":"123 Main St","city":"Austin","state":"TX","postalCode":"78701","country":"US","source":"landing-page-form","dateAdded":"2024-06-01T09:30:00.000Z","dnd":false,"tags":["prospect","webinar-2024"],"customFields":[{"id":"BcdmQEsNgz6AVpgLVUJ0","value":"Acme Corp"}],"assignedTo":"userId123"}"#]]
    .assert_eq(catalogue.find("ContactCreate").unwrap().example());
}

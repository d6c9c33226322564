//! Who gets an event, and what is written down about those who do not.

use serde_json::{Value, json};

use crate::world::{World, contact, text};

const APP: &str = "app-1";
const COMPANY: &str = "comp-1";

/// What became of the event at each endpoint that was considered, as `endpoint's description → reason or "sent"`.
async fn fates(world: &World, event: &Value) -> Vec<(String, String)> {
    let shown = world.api.get(&format!("/v1/events/{}", text(event, "id"))).await.expect(200);
    let endpoints = world.list("/v1/endpoints").await;
    let considered = shown["endpoints"].as_array().unwrap_or_else(|| panic!("no `endpoints` in {shown}"));
    let mut fates: Vec<_> = considered
        .iter()
        .map(|one| {
            let endpoint = endpoints.iter().find(|endpoint| endpoint["id"] == one["endpointId"]).unwrap();
            let fate = one["reason"].as_str().unwrap_or("sent");
            (text(endpoint, "description").to_owned(), fate.to_owned())
        })
        .collect();
    fates.sort();
    fates
}

fn expected(fates: &[(&str, &str)]) -> Vec<(String, String)> {
    fates.iter().map(|(name, fate)| ((*name).to_owned(), (*fate).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_s_event_goes_to_it_its_company_and_the_apps_installed_there() {
    let world = World::start().await;
    world.api.put("/v1/locations/loc-1", &json!({"companyId": COMPANY})).await.expect(200);
    for (id, body) in [
        (APP, json!({"scopes": ["contacts.readonly"]})),
        ("app-2", json!({"scopes": null})),
        ("app-3", json!({"scopes": []})),
        ("app-4", json!({"scopes": null})),
    ] {
        world.api.put(&format!("/v1/apps/{id}"), &body).await.expect(200);
    }
    for (owner, name) in [
        (json!({"locationId": "loc-1"}), "location"),
        (json!({"locationId": "loc-2"}), "other location"),
        (json!({"companyId": COMPANY}), "company"),
        (json!({"companyId": "comp-2"}), "other company"),
        (json!({"appId": APP}), "app in location"),
        (json!({"appId": "app-2"}), "app in company"),
        (json!({"appId": "app-3"}), "app without scope"),
        (json!({"appId": "app-4"}), "app not installed"),
    ] {
        let mut changes = owner;
        changes["description"] = name.into();
        changes["eventTypes"] = json!(["ContactCreate"]);
        world.endpoint(changes).await;
    }
    for install in ["app-1/installs/loc-1", "app-2/company-installs/comp-1", "app-3/installs/loc-1"] {
        let answered = world.api.put(&format!("/v1/apps/{install}"), &json!({})).await;
        assert!(answered.status.is_success(), "{install}: {}", answered.text());
    }
    let event = world.publish(&contact("loc-1")).await;
    assert_eq!(event["deliveries"], 4);
    let wanted = [
        ("app in company", "sent"),
        ("app in location", "sent"),
        ("app without scope", "missing-scope"),
        ("company", "sent"),
        ("location", "sent"),
    ];
    assert_eq!(fates(&world, &event).await, expected(&wanted));
    world.receiver.wait_for(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_s_other_ids_are_data() {
    let world = World::start().await;
    world.endpoint(json!({"companyId": COMPANY})).await;
    world.endpoint(json!({"appId": APP})).await;
    let mut payload = contact("loc-1");
    payload["companyId"] = COMPANY.into();
    payload["appId"] = APP.into();
    let event = world.publish(&payload).await;
    assert_eq!((&event["deliveries"], &event["companyId"]), (&0.into(), &COMPANY.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn company_and_app_events_go_by_their_own_id() {
    let world = World::start().await;
    world.endpoint(json!({"companyId": COMPANY, "description": "company"})).await;
    world.endpoint(json!({"appId": APP, "description": "app"})).await;
    world.endpoint(json!({"appId": "app-2", "description": "installed app"})).await;
    world.api.put("/v1/apps/app-2/company-installs/comp-1", &json!({})).await;
    for (name, changes, wanted) in [
        (
            "LocationCreate",
            json!({"companyId": COMPANY}),
            vec![("company", "sent"), ("installed app", "sent")],
        ),
        (
            "UserCreate",
            json!({"companyId": COMPANY, "locationId": null}),
            vec![("company", "sent"), ("installed app", "sent")],
        ),
        ("PlanChange", json!({"appId": APP}), vec![("app", "sent")]),
    ] {
        let mut payload =
            world.api.get(&format!("/v1/event-types/{name}")).await.expect(200)["example"].clone();
        for (member, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(payload.as_object_mut().unwrap().remove(member)),
                value => payload[member] = value.clone(),
            }
        }
        let event = world.publish(&payload).await;
        assert_eq!(fates(&world, &event).await, expected(&wanted), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_can_be_spared_its_own_events() {
    let world = World::start().await;
    for (app, skips) in [(APP, true), ("app-2", false)] {
        world.api.put(&format!("/v1/apps/{app}/installs/loc-1"), &json!({})).await;
        world.endpoint(json!({"appId": app, "skipOwnEvents": skips, "description": app, "eventTypes": ["ContactCreate"]})).await;
    }
    for (origin, wanted) in
        [(APP, [(APP, "own-event"), ("app-2", "sent")]), ("app-2", [(APP, "sent"), ("app-2", "sent")])]
    {
        let api = world.api.clone().with_header("x-origin-app", origin);
        let event = api.post("/v1/events", &contact("loc-1")).await.expect(202);
        assert_eq!(fates(&world, &event).await, expected(&wanted), "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_for_not_sending_is_decided_at_publish() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({"description": "hook", "enabled": false})).await;
    let event = world.publish_contact().await;
    assert_eq!(event["deliveries"], 0);
    let route = format!("/v1/endpoints/{}/enable", text(&endpoint, "id"));
    world.api.post(&route, &json!({})).await.expect(200);
    assert_eq!(fates(&world, &event).await, expected(&[("hook", "disabled")]));
    assert_eq!(world.list("/v1/events?undelivered=true").await.len(), 1);
}

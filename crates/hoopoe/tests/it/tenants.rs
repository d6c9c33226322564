//! Locations, apps, and installs that tell of themselves.

use serde_json::{Value, json};

use crate::world::{World, refused, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_location_is_put_shown_and_forgotten() {
    let world = World::start().await;
    let body = json!({"name": "Austin", "companyId": "comp-1"});
    world.api.put("/v1/locations/loc-1", &body).await.expect(200);
    let shown = world.api.get("/v1/locations/loc-1").await.expect(200);
    assert_eq!(shown, json!({"id": "loc-1", "name": "Austin", "companyId": "comp-1"}));
    world.api.delete("/v1/locations/loc-1").await.expect(204);
    world.api.get("/v1/locations/loc-1").await.expect_problem(404, "not-found");
    refused(
        "an unknown field",
        &world.api.put("/v1/locations/loc-1", &json!({"nam": "x"})).await,
        422,
        "unknown-field",
    );
    refused(
        "a wrong id",
        &world.api.put("/v1/locations/loc-1", &json!({"companyId": "a b"})).await,
        422,
        "invalid-request",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_put_shown_and_forgotten_with_its_installs() {
    let world = World::start().await;
    let body = json!({"name": "Sync", "scopes": ["contacts.readonly"]});
    world.api.put("/v1/apps/app-1", &body).await.expect(200);
    let shown = world.api.get("/v1/apps/app-1").await.expect(200);
    assert_eq!((&shown["name"], &shown["scopes"]), (&"Sync".into(), &json!(["contacts.readonly"])));
    world.api.put("/v1/apps/app-1/installs/loc-1", &json!({})).await;
    world.endpoint(json!({"appId": "app-1"})).await;
    world.api.delete("/v1/apps/app-1").await.expect(204);
    world.api.get("/v1/apps/app-1").await.expect_problem(404, "not-found");
    assert_eq!(world.publish(&crate::world::contact("loc-1")).await["deliveries"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_publishes_its_event_once() {
    let world = World::start().await;
    world.endpoint(json!({"appId": "app-1", "eventTypes": ["AppInstall", "AppUninstall"]})).await;
    for (install, member, id) in
        [("installs/loc-1", "locationId", "loc-1"), ("company-installs/comp-1", "companyId", "comp-1")]
    {
        let before = world.receiver.count();
        let route = format!("/v1/apps/app-1/{install}");
        for _ in 0..2 {
            let answered = world.api.put(&route, &json!({})).await;
            assert!(answered.status.is_success(), "{}", answered.text());
        }
        world.receiver.wait_for(before + 1).await;
        world.api.delete(&route).await.expect(204);
        world.api.delete(&route).await.expect_problem(404, "not-found");
        let received = world.receiver.wait_for(before + 2).await;
        let types: Vec<_> = received[before..].iter().map(|one| one.expect_header("x-wl-event")).collect();
        assert_eq!(types, ["AppInstall", "AppUninstall"]);
        for one in &received[before..] {
            let payload = one.json();
            assert_eq!((&payload["appId"], &payload[member]), (&"app-1".into(), &id.into()), "{payload}");
        }
    }
    let types: Vec<_> =
        world.list("/v1/events").await.iter().map(|event| text(event, "type").to_owned()).collect();
    assert_eq!(types, ["AppUninstall", "AppInstall", "AppUninstall", "AppInstall"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_install_publishes_satisfies_its_schema() {
    let world = World::start().await;
    for install in ["installs/loc-1", "company-installs/comp-1"] {
        world.api.put(&format!("/v1/apps/app-1/{install}"), &json!({})).await;
    }
    for event in world.list("/v1/events").await {
        let shown = world.api.get(&format!("/v1/events/{}", text(&event, "id"))).await.expect(200);
        let payload: Value = shown["payload"].clone();
        world.publish(&payload).await;
    }
}

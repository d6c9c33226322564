//! The audit log: every change and every look at a secret, with who, where from, before and after, and never a secret.

use serde_json::{Value, json};
use testkit::{Answer, Client, eventually};

use crate::world::{KEY, LOCATION, World, is_on_postgres, path, refused, text};

async fn entries(world: &World) -> Vec<Value> {
    let mut entries = world.list("/v1/audit").await;
    entries.reverse();
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_with_who_where_from_before_and_after() {
    let world = World::start().await;
    let body = json!({"name": "ci key", "locationId": LOCATION, "permissions": ["manage", "view"]});
    let key = world.api.post("/v1/api-keys", &body).await.expect(201);
    let client =
        Client::new(world.api.base()).with_key(text(&key, "key")).with_header("x-request-id", "req_mine");
    let body = json!({"locationId": LOCATION, "url": world.receiver.url("/a"), "eventTypes": ["*"],
        "headers": {"x-token": "header-secret"}});
    let endpoint = client.post("/v1/endpoints", &body).await.expect(201);
    world.clock.advance_ms(1_000);
    client.patch(&path("endpoints", &endpoint), &json!({"description": "new"})).await.expect(200);
    let entries = entries(&world).await;
    let entry = entries.last().unwrap();
    assert_eq!((text(entry, "action"), text(entry, "requestId")), ("endpoint.updated", "req_mine"));
    assert_eq!(entry["at"], world.now().to_string());
    assert_eq!(entry["actor"], json!({"type": "api-key", "id": key["id"], "name": "ci key"}));
    assert_eq!(entry["address"], "127.0.0.1");
    assert_eq!((&entry["locationId"], &entry["appId"]), (&LOCATION.into(), &Value::Null));
    assert_eq!(entry["object"], json!({"type": "endpoint", "id": endpoint["id"]}));
    assert_eq!(
        (&entry["before"]["description"], &entry["after"]["description"]),
        (&"".into(), &"new".into())
    );
    assert_eq!(entry["after"]["url"], endpoint["url"]);
    let all = Value::from(entries).to_string();
    for secret in [text(&endpoint, "secret"), text(&key, "key"), "header-secret", KEY] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_leaves_its_entry_and_a_look_leaves_none() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let of = path("endpoints", &endpoint);
    let none = json!({});
    let delivery = world.delivery_of(&world.publish_contact().await).await;
    world.once_delivery(&delivery, "succeeded").await;
    for look in [of.clone(), "/v1/endpoints".to_owned(), format!("/v1/deliveries/{delivery}")] {
        world.api.get(&look).await.expect(200);
    }
    world.api.get(&format!("{of}/secret")).await.expect(200);
    world.api.post(&format!("{of}/secret/rotate"), &none).await.expect(200);
    world.api.post(&format!("{of}/secret/promote"), &none).await.expect(200);
    world.api.post(&format!("{of}/test"), &none).await.expect(200);
    world.api.post(&format!("{of}/disable"), &none).await.expect(200);
    world.api.post(&format!("{of}/enable"), &none).await.expect(200);
    world.api.post(&format!("/v1/deliveries/{delivery}/retry"), &none).await.expect(202);
    world.api.put("/v1/locations/loc-1", &none).await.expect(200);
    world.api.delete("/v1/locations/loc-1").await.expect(204);
    world.api.put("/v1/apps/app-1", &none).await.expect(200);
    world.api.put("/v1/apps/app-1/installs/loc-1", &none).await.expect(201);
    world.api.delete("/v1/apps/app-1/installs/loc-1").await.expect(204);
    world.api.delete("/v1/apps/app-1").await.expect(204);
    let key =
        world.api.post("/v1/api-keys", &json!({"name": "k", "permissions": ["view"]})).await.expect(201);
    world.api.delete(&path("api-keys", &key)).await.expect(204);
    let session = world.api.post("/v1/portal-sessions", &json!({"locationId": LOCATION})).await.expect(201);
    world.api.delete(&format!("/v1/sessions/{}", text(&session, "sessionId"))).await.expect(204);
    world.api.delete(&of).await.expect(204);
    if !is_on_postgres() {
        world.api.post("/v1/system/master-key/rotate", &none).await.expect(200);
    }
    let actions: Vec<String> =
        entries(&world).await.iter().map(|entry| text(entry, "action").to_owned()).collect();
    let mut expected = vec![
        "endpoint.created",
        "secret.read",
        "secret.rotated",
        "secret.promoted",
        "endpoint.tested",
        "endpoint.updated",
        "endpoint.updated",
        "delivery.retried",
        "location.put",
        "location.deleted",
        "app.put",
        "app.installed",
        "app.uninstalled",
        "app.deleted",
        "api-key.created",
        "api-key.deleted",
        "session.created",
        "session.revoked",
        "endpoint.deleted",
        "master-key.rotated",
    ];
    if is_on_postgres() {
        // There the key is the environment's, and changes with a restart.
        expected.pop();
    }
    assert_eq!(actions, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hoopoe_disables_is_told_as_its_own_doing() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    world.receiver.script("/hook", [Answer::status(410)]);
    world.publish_contact().await;
    let entry = eventually("the entry", || async {
        entries(&world).await.into_iter().find(|entry| entry["action"] == "endpoint.disabled")
    })
    .await;
    assert_eq!(entry["actor"], json!({"type": "system", "id": null, "name": null}));
    assert_eq!((&entry["object"]["id"], &entry["locationId"]), (&endpoint["id"], &LOCATION.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_filtered_paged_and_only_ever_read() {
    let world = World::start().await;
    let first = world.endpoint(json!({})).await;
    world.clock.advance_ms(1_000);
    let since = world.now().to_string();
    let second = world.endpoint(json!({"locationId": "other"})).await;
    let count = async |query: &str| world.list(&format!("/v1/audit?limit=1&{query}")).await.len();
    assert_eq!(count("").await, 2);
    assert_eq!(count("action=endpoint.created").await, 2);
    assert_eq!(count("action=endpoint.deleted").await, 0);
    assert_eq!(count(&format!("objectId={}", text(&first, "id"))).await, 1);
    assert_eq!(count(&format!("locationId={LOCATION}")).await, 1);
    assert_eq!(count(&format!("since={since}&objectId={}", text(&second, "id"))).await, 1);
    assert_eq!(count(&format!("until={since}")).await, 1);
    for bad in ["action=fly", "objectId=", "since=soon", "locationId=a%20b"] {
        refused(bad, &world.api.get(&format!("/v1/audit?{bad}")).await, 422, "invalid-request");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answered = world.api.send(method.parse().unwrap(), "/v1/audit", "").await;
        refused(method, &answered, 405, "method-not-allowed");
    }
    assert_eq!(count("").await, 2, "nothing of this is a change");
}

/// What the platform does by its own key, by an API key and by a session.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_is_is_told_to_the_platform_alone() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let body = json!({"name": "the operator's", "permissions": ["manage"]});
    let key = world.api.post("/v1/api-keys", &body).await.expect(201);
    let operator = Client::new(world.api.base()).with_key(text(&key, "key"));
    let endpoint = json!({"locationId": LOCATION, "url": world.receiver.url("/a"), "eventTypes": ["*"]});
    operator.post("/v1/endpoints", &endpoint).await.expect(201);
    let body = json!({"name": "k", "locationId": LOCATION, "permissions": ["manage"]});
    let key = world.api.post("/v1/api-keys", &body).await.expect(201);
    let tenant = Client::new(world.api.base()).with_key(text(&key, "key"));
    let seen = tenant.get("/v1/audit").await.expect(200);
    let of_tenant = seen["data"].as_array().unwrap();
    assert!(of_tenant.len() == 3 && of_tenant.iter().all(|entry| entry["address"].is_null()), "{seen}");
    assert_eq!(of_tenant[1]["actor"], json!({"type": "api-key", "id": null, "name": null}));
    tenant.post("/v1/endpoints", &endpoint).await.expect(201);
    let own = &tenant.get("/v1/audit").await.expect(200)["data"][0];
    assert_eq!((&own["address"], &own["actor"]["name"]), (&"127.0.0.1".into(), &"k".into()));
    assert!(entries(&world).await.iter().all(|entry| entry["address"] == "127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_opens_to_customers_is_told_at_every_start() {
    let world = World::start().await;
    assert_eq!(entries(&world).await, [] as [Value; 0]);
    let world = world
        .restart_with(|config| {
            config.allow_cidrs.push("10.1.0.0/16".parse().unwrap());
            config.allow_names.push("hooks.internal".parse().unwrap());
        })
        .await;
    let opened: Vec<_> = entries(&world).await.iter().map(|entry| entry["object"].clone()).collect();
    let expected =
        [json!({"type": "cidr", "id": "10.1.0.0/16"}), json!({"type": "name", "id": "hooks.internal"})];
    assert_eq!(opened, expected);
}

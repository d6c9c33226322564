//! Endpoints: created, shown, changed, disabled, deleted.

use serde_json::{Value, json};

use crate::world::{LOCATION, World, contact, merge, path, pointers, refused, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_shown_as_it_was_created_without_its_secret() {
    let world = World::start().await;
    let created = world
        .endpoint(json!({"eventTypes": ["InvoicePaid", "ContactCreate"], "description": "CRM sync"}))
        .await;
    assert!(text(&created, "secret").starts_with("whsec_"));
    let shown = world.api.get(&path("endpoints", &created)).await.expect(200);
    assert!(shown.get("secret").is_none(), "{shown}");
    let expected = json!({
        "locationId": LOCATION, "url": world.receiver.url("/hook"), "description": "CRM sync",
        "eventTypes": ["ContactCreate", "InvoicePaid"], "filter": null, "transform": null, "headers": {},
        "ordering": "none", "rateLimit": null, "retrySchedule": null, "skipOwnEvents": false, "enabled": true,
    });
    for (member, value) in expected.as_object().unwrap() {
        if member == "eventTypes" {
            let mut types: Vec<_> = shown[member].as_array().unwrap().iter().map(Value::to_string).collect();
            types.sort();
            assert_eq!(types, ["\"ContactCreate\"", "\"InvoicePaid\""]);
        } else {
            assert_eq!(&shown[member], value, "{member}");
        }
    }
    assert_eq!((&shown["health"]["state"], &shown["health"]["reason"]), (&"healthy".into(), &Value::Null));
    assert_eq!(world.list("/v1/endpoints").await, [shown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_may_not_be_is_refused_with_its_code() {
    let world = World::start().await;
    for (case, changes, code) in [
        ("two owners", json!({"companyId": "c"}), "invalid-request"),
        ("no owner", json!({"locationId": null}), "invalid-request"),
        ("an id that is none", json!({"locationId": "a b"}), "invalid-request"),
        ("no types", json!({"eventTypes": []}), "invalid-request"),
        ("an unknown type", json!({"eventTypes": ["Nothing"]}), "unknown-type"),
        ("a wrong type", json!({"eventTypes": "*"}), "invalid-request"),
        ("an unknown field", json!({"colour": "red"}), "unknown-field"),
        ("a filter", json!({"filter": "event.x == 1"}), "not-available-yet"),
        ("a transform", json!({"transform": "e => e"}), "not-available-yet"),
        ("a rate", json!({"rateLimit": 5}), "not-available-yet"),
        ("an order", json!({"ordering": "fifo"}), "not-available-yet"),
        ("31 waits", json!({"retrySchedule": vec![5; 31]}), "invalid-request"),
        ("a wait of 0", json!({"retrySchedule": [0]}), "invalid-request"),
        ("a wait too long", json!({"retrySchedule": [604_801]}), "invalid-request"),
        ("our signature", json!({"headers": {"X-WL-Signature": "x"}}), "invalid-header"),
        ("our id", json!({"headers": {"webhook-id": "x"}}), "invalid-header"),
        ("the host", json!({"headers": {"Host": "x"}}), "invalid-header"),
        ("the length", json!({"headers": {"content-length": "1"}}), "invalid-header"),
        ("a line break", json!({"headers": {"x-a": "b\r\nc: d"}}), "invalid-header"),
        ("a short secret", json!({"secret": "short"}), "invalid-secret"),
        ("no base64", json!({"secret": "whsec_???"}), "invalid-secret"),
    ] {
        let mut body =
            json!({"locationId": LOCATION, "url": world.receiver.url("/hook"), "eventTypes": ["*"]});
        merge(&mut body, changes);
        refused(case, &world.api.post("/v1/endpoints", &body).await, 422, code);
    }
    let problem = world.api.post("/v1/endpoints", &json!({"retrySchedule": [0], "enabled": "yes"})).await;
    assert!(pointers(&problem.expect(422)).len() >= 3, "every fault is named: {}", problem.text());
    assert_eq!(world.list("/v1/endpoints").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_may_bring_a_secret() {
    let world = World::start().await;
    for secret in ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "a secret of old times"] {
        let endpoint = world.endpoint(json!({"secret": secret})).await;
        let shown = world.api.get(&format!("{}/secret", path("endpoints", &endpoint))).await.expect(200);
        assert_eq!(shown, json!({"secret": secret, "previousSecret": null, "graceUntil": null}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_for_the_next_event() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({"eventTypes": ["ContactCreate"]})).await;
    let route = path("endpoints", &endpoint);
    let changes =
        json!({"url": world.receiver.url("/new"), "description": "moved", "headers": {"x-new": "1"}});
    let changed = world.api.patch(&route, &changes).await.expect(200);
    assert_eq!(
        (&changed["description"], &changed["eventTypes"]),
        (&"moved".into(), &json!(["ContactCreate"]))
    );
    world.publish_contact().await;
    let request = world.receiver.wait_for(1).await.remove(0);
    assert_eq!((&request.path[..], request.header("x-new")), ("/new", Some("1")));
    world.api.patch(&route, &json!({"eventTypes": ["InvoicePaid"]})).await.expect(200);
    assert_eq!(world.publish_contact().await["deliveries"], 0);
    refused(
        "an owner",
        &world.api.patch(&route, &json!({"locationId": "other"})).await,
        422,
        "unknown-field",
    );
    refused("a URL", &world.api.patch(&route, &json!({"url": "nonsense"})).await, 422, "invalid-url");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_receives_nothing_and_its_retries_wait() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let route = path("endpoints", &endpoint);
    world.receiver.script("/hook", [testkit::Answer::status(500)]);
    let id = world.delivery_of(&world.publish_contact().await).await;
    let retrying = world.once_retrying(&id, 1).await;
    let disabled = world.api.post(&format!("{route}/disable"), &json!({})).await.expect(200);
    assert_eq!((&disabled["enabled"], &disabled["health"]["reason"]), (&false.into(), &"by-hand".into()));
    world.once_delivery(&id, "waiting").await;
    world.advance_to_next(&retrying);
    assert_eq!(world.publish_contact().await["deliveries"], 0);
    world.api.post(&format!("{route}/enable"), &json!({})).await.expect(200);
    world.once_delivery(&id, "succeeded").await;
    assert_eq!(world.receiver.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_endpoint_is_gone_and_its_log_stays() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let route = path("endpoints", &endpoint);
    world.receiver.script("/hook", [testkit::Answer::status(200), testkit::Answer::status(500)]);
    let done = world.delivery_of(&world.publish_contact().await).await;
    world.once_delivery(&done, "succeeded").await;
    let open = world.delivery_of(&world.publish_contact().await).await;
    world.once_retrying(&open, 1).await;
    world.api.delete(&route).await.expect(204);
    world.api.get(&route).await.expect_problem(404, "not-found");
    world.api.delete(&route).await.expect_problem(404, "not-found");
    world.once_delivery(&open, "cancelled").await;
    world.once_delivery(&done, "succeeded").await;
    assert_eq!(world.publish_contact().await["deliveries"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_has_so_many_endpoints_and_no_more() {
    let world = World::start_with(|args| args.endpoints_per_owner = Some(2)).await;
    let first = world.endpoint(json!({})).await;
    world.endpoint(json!({})).await;
    let body = json!({"locationId": LOCATION, "url": world.receiver.url("/hook"), "eventTypes": ["*"]});
    world.api.post("/v1/endpoints", &body).await.expect_problem(422, "endpoint-limit");
    world.endpoint(json!({"locationId": "other"})).await;
    world.api.delete(&path("endpoints", &first)).await.expect(204);
    world.endpoint(json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_takes_every_type_and_a_list_only_its_own() {
    let world = World::start().await;
    world.endpoint(json!({"url": world.receiver.url("/all")})).await;
    world.endpoint(json!({"url": world.receiver.url("/some"), "eventTypes": ["ContactDelete"]})).await;
    assert_eq!(world.publish_contact().await["deliveries"], 1);
    let mut deleted = contact(LOCATION);
    deleted["type"] = "ContactDelete".into();
    assert_eq!(world.publish(&deleted).await["deliveries"], 2);
}

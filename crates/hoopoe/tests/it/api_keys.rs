//! API keys: shown once, limited by scope and permission, gone when deleted or expired.

use serde_json::{Value, json};
use testkit::Client;

use crate::world::{LOCATION, World, contact, path, refused, text};

async fn key(world: &World, body: Value) -> (Value, Client) {
    let created = world.api.post("/v1/api-keys", &body).await.expect(201);
    let client = Client::new(world.api.base()).with_key(text(&created, "key"));
    (created, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_works_and_ends_when_deleted() {
    let world = World::start().await;
    let (created, client) = key(&world, json!({"name": "ci", "permissions": ["publish", "view"]})).await;
    let secret = text(&created, "key");
    assert!(secret.starts_with("hpk_") && secret.len() >= 4 + 32);
    client.post("/v1/events", &contact(LOCATION)).await.expect(202);
    let listed = world.list("/v1/api-keys").await;
    assert!(listed.iter().any(|key| key["id"] == created["id"]), "{listed:?}");
    assert!(!Value::from(listed).to_string().contains(secret));
    world.api.delete(&path("api-keys", &created)).await.expect(204);
    refused("a deleted key", &client.get("/v1/events").await, 401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_at_its_time() {
    let world = World::start().await;
    let expires_at = world.now().plus_millis(60_000).to_string();
    let (_, client) =
        key(&world, json!({"name": "short", "permissions": ["view"], "expiresAt": expires_at})).await;
    world.clock.advance_ms(59_999);
    client.get("/v1/events").await.expect(200);
    world.clock.advance_ms(1);
    refused("an expired key", &client.get("/v1/events").await, 401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_do_what_it_was_given_and_no_more() {
    let world = World::start().await;
    let endpoint = json!({"locationId": LOCATION, "url": world.receiver.url("/x"), "eventTypes": ["*"]});
    for (permission, publish, manage, view) in
        [("publish", 202, 403, 403), ("manage", 403, 201, 200), ("view", 403, 403, 200)]
    {
        let (_, client) = key(&world, json!({"name": "k", "permissions": [permission]})).await;
        let answers = [
            client.post("/v1/events", &contact(LOCATION)).await,
            client.post("/v1/endpoints", &endpoint).await,
            client.get("/v1/deliveries").await,
        ];
        for (answered, status) in answers.iter().zip([publish, manage, view]) {
            // Whether managing includes viewing is not told by the contract.
            if permission == "manage" && status == 200 {
                continue;
            }
            assert_eq!(answered.status.as_u16(), status, "{permission}: {}", answered.text());
            if status == 403 {
                answered.expect_problem(403, "forbidden");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_keys_are_not_made() {
    let world = World::start().await;
    for (case, body) in [
        ("no name", json!({"permissions": ["view"]})),
        ("no permission", json!({"name": "k", "permissions": []})),
        ("an unknown permission", json!({"name": "k", "permissions": ["fly"]})),
        ("a time that is none", json!({"name": "k", "permissions": ["view"], "expiresAt": "soon"})),
    ] {
        refused(case, &world.api.post("/v1/api-keys", &body).await, 422, "invalid-request");
    }
    let unknown = json!({"name": "k", "permissions": ["view"], "colour": "red"});
    refused("an unknown field", &world.api.post("/v1/api-keys", &unknown).await, 422, "unknown-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_key_sees_its_own_world_and_makes_keys_for_no_other() {
    let world = World::start().await;
    world.api.put("/v1/locations/loc-1", &json!({"companyId": "comp-1"})).await.expect(200);
    let made = |client: Client, owner: Value| async move {
        let mut body = json!({"name": "k", "permissions": ["manage", "view"]});
        crate::world::merge(&mut body, owner);
        client.post("/v1/api-keys", &body).await
    };
    let (created, company) =
        key(&world, json!({"name": "k", "companyId": "comp-1", "permissions": ["manage", "view"]})).await;
    assert_eq!(created["companyId"], "comp-1");
    let endpoint = world.endpoint(json!({"locationId": "loc-1"})).await;
    let foreign = world.endpoint(json!({"locationId": "loc-2"})).await;
    company.get(&path("endpoints", &endpoint)).await.expect(200);
    refused("another world's endpoint", &company.get(&path("endpoints", &foreign)).await, 404, "not-found");
    made(company.clone(), json!({"locationId": "loc-1"})).await.expect(201);
    for owner in
        [json!({"locationId": "loc-2"}), json!({"companyId": "comp-2"}), json!({"appId": "a"}), json!({})]
    {
        refused(&owner.to_string(), &made(company.clone(), owner).await, 404, "not-found");
    }
    let more = json!({"name": "k", "companyId": "comp-1", "permissions": ["publish"]});
    refused("more than its own", &company.post("/v1/api-keys", &more).await, 403, "forbidden");
    let two = json!({"name": "k", "companyId": "comp-1", "appId": "a", "permissions": ["view"]});
    refused("two owners", &world.api.post("/v1/api-keys", &two).await, 422, "invalid-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_was_last_used_is_shown_and_outlives_a_restart() {
    let world = World::start().await;
    let (created, client) = key(&world, json!({"name": "k", "permissions": ["view"]})).await;
    let id = text(&created, "id").to_owned();
    let last_used = async |world: &World| {
        let listed = world.list("/v1/api-keys").await;
        listed.iter().find(|key| key["id"] == id.as_str()).unwrap()["lastUsedAt"].clone()
    };
    assert_eq!(last_used(&world).await, Value::Null);
    world.clock.advance_ms(5_000);
    client.get("/v1/events").await.expect(200);
    let used_at = Value::from(world.now().to_string());
    assert_eq!(last_used(&world).await, used_at);
    let world = world.restart().await;
    assert_eq!(last_used(&world).await, used_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_too_often_is_told_to_wait_and_a_valid_key_passes() {
    let world = World::start().await;
    let wrong = |n: usize| Client::new(world.api.base()).with_key(&format!("hpk_{n:032}"));
    let mut refusals = 0;
    for n in 0..100 {
        let answered = wrong(n).get("/v1/events").await;
        if answered.status.as_u16() == 429 {
            let wait: u64 = answered.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=61).contains(&wait), "{wait}");
            answered.expect_problem(429, "too-many-requests");
            refusals += 1;
        } else {
            answered.expect_problem(401, "unauthorized");
        }
    }
    assert_eq!(refusals, 100 - domain::limits::FAILED_SIGN_INS_PER_ADDRESS);
    world.api.get("/v1/events").await.expect(200);
    world.clock.advance_ms(60_000);
    wrong(0).get("/v1/events").await.expect_problem(401, "unauthorized");
}

/// What a company gives lasts as long as the location is its own, however many hands it went through.
#[tokio::test(flavor = "multi_thread")]
async fn a_company_s_keys_for_a_location_end_when_it_leaves() {
    let world = World::start().await;
    world.api.put("/v1/locations/moving", &json!({"companyId": "co"})).await.expect(200);
    let all = ["manage", "view", "publish"];
    let make = async |by: &Client, whose: Value| {
        let mut body = json!({"name": "k", "permissions": all});
        body.as_object_mut().unwrap().extend(whose.as_object().unwrap().clone());
        let made = by.post("/v1/api-keys", &body).await.expect(201);
        Client::new(world.api.base()).with_key(text(&made, "key"))
    };
    let of_platform = make(&world.api, json!({"locationId": "moving"})).await;
    let of_location = make(&of_platform, json!({"locationId": "moving"})).await;
    let company = make(&world.api, json!({"companyId": "co"})).await;
    let given = make(&company, json!({"locationId": "moving"})).await;
    let given_on = make(&given, json!({"locationId": "moving"})).await;
    let link = given_on.post("/v1/portal-sessions", &json!({"locationId": "moving"})).await.expect(201);
    world.api.put("/v1/locations/moving", &json!({"companyId": "other"})).await.expect(200);
    for ended in [&given, &given_on] {
        ended.get("/v1/endpoints").await.expect_problem(401, "unauthorized");
    }
    for lasting in [&of_platform, &of_location, &company] {
        lasting.get("/v1/endpoints").await.expect(200);
    }
    let sessions = world.api.get("/v1/sessions").await.expect(200);
    assert!(sessions["data"].as_array().unwrap().iter().all(|session| session["id"] != link["sessionId"]));
    let entries = world.api.get("/v1/audit?limit=4").await.expect(200);
    let actions: Vec<_> =
        entries["data"].as_array().unwrap().iter().map(|entry| text(entry, "action")).collect();
    assert_eq!(actions, ["session.revoked", "api-key.deleted", "api-key.deleted", "location.put"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ending_key_makes_ends_with_it() {
    let world = World::start().await;
    let end = world.now().plus_millis(600_000).to_string();
    let (_, client) = key(
        &world,
        json!({"name": "short", "locationId": LOCATION, "permissions": ["manage"], "expiresAt": end}),
    )
    .await;
    let body = json!({"name": "longer", "locationId": LOCATION, "permissions": ["manage"]});
    assert_eq!(client.post("/v1/api-keys", &body).await.expect(201)["expiresAt"], end);
    let later = world.now().plus_millis(600_001).to_string();
    let body =
        json!({"name": "longer", "locationId": LOCATION, "permissions": ["manage"], "expiresAt": later});
    refused("a later end", &client.post("/v1/api-keys", &body).await, 422, "invalid-request");
    let body = json!({"locationId": LOCATION, "permissions": ["manage"]});
    assert_eq!(client.post("/v1/portal-sessions", &body).await.expect(201)["expiresAt"], end);
}

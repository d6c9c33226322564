//! What happens to endpoints is told as it happens, to those who may see it, and to nobody else.

use domain::limits::{STREAM_HEARTBEAT_MS, STREAMS_PER_OWNER_MAX};
use serde_json::{Value, json};
use testkit::{Answer, Block, Client, Sse, eventually};

use crate::authorization::{Location, signed_in};
use crate::world::{KEY, LOCATION, World, contact, is_on_postgres, merge, path, refused, text};

/// A stream, past its first words: what happens from now on is in it.
async fn opened(client: &Client, path: &str) -> Sse {
    client.open(path).await.unwrap_or_else(|answered| panic!("{}", answered.text())).begun().await
}

/// What the stream tells up to the change of an endpoint's description to `marker`.
async fn heard_until(stream: &mut Sse, marker: &str) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    loop {
        let (event, data) = stream.event().await.expect("the stream goes on");
        if data["description"] == marker {
            return events;
        }
        events.push((event, data));
    }
}

async fn key(world: &World, owner: Value) -> Client {
    let mut body = json!({"name": "k", "permissions": ["view"]});
    merge(&mut body, owner);
    let made = world.api.post("/v1/api-keys", &body).await.expect(201);
    Client::new(world.api.base()).with_key(text(&made, "key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_and_changes_are_told_as_the_api_shows_them() {
    let world = World::start().await;
    let mut stream = opened(&world.api, "/v1/stream").await;
    let header = |name: &str| stream.headers[name].to_str().unwrap().to_owned();
    assert_eq!([header("content-type"), header("cache-control")], ["text/event-stream", "no-store"]);
    let endpoint = world.endpoint(json!({})).await;
    let route = path("endpoints", &endpoint);
    assert_eq!(stream.heard("endpoint").await, world.api.get(&route).await.expect(200));

    let event = world.publish_contact().await;
    let told = stream.heard("attempt").await;
    let mut listed = world.list(&format!("/v1/deliveries?eventId={}", text(&event, "id"))).await;
    let last = listed[0].as_object_mut().unwrap().remove("lastAttempt").unwrap();
    assert_eq!(told["delivery"], listed[0]);
    for (name, value) in last.as_object().unwrap() {
        assert_eq!(told["attempt"][name], *value, "{name}");
    }
    assert_eq!((last.as_object().unwrap().len(), &last["statusCode"]), (5, &json!(200)));
    let id = text(&told["delivery"], "id");
    let mut attempt = world.api.get(&format!("/v1/deliveries/{id}")).await.expect(200)["attempts"][0].clone();
    for left_out in ["request", "response"] {
        attempt.as_object_mut().unwrap().remove(left_out);
    }
    assert_eq!((&told["attempt"], told.get("payload")), (&attempt, None));

    world.receiver.usually("/hook", Answer::status(503));
    world.publish_contact().await;
    let told = stream.heard("attempt").await;
    let id = text(&told["delivery"], "id");
    let shown = world.api.get(&format!("/v1/deliveries/{id}")).await.expect(200);
    for member in ["status", "nextAttemptAt", "attemptCount", "completedAt", "endReason"] {
        assert_eq!(told["delivery"][member], shown[member], "{member}");
    }
    world.api.post(&format!("{route}/test"), &json!({})).await.expect(200);
    let told = stream.heard("attempt").await;
    assert_eq!(
        (&told["delivery"]["trigger"], &told["delivery"]["status"]),
        (&json!("test"), &json!("failed"))
    );
    for verb in ["disable", "enable"] {
        let changed = world.api.post(&format!("{route}/{verb}"), &json!({})).await.expect(200);
        assert_eq!(stream.heard("endpoint").await, changed);
    }
    world.api.delete(&route).await.expect(204);
    assert_eq!(stream.heard("endpoint").await, json!({"id": text(&endpoint, "id"), "deleted": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_payloads_the_request_is_told_as_it_was_sent() {
    let world = World::start().await;
    world.receiver.usually("/hook", Answer::status(200).body("thanks"));
    world.endpoint(json!({})).await;
    let mut stream = opened(&world.api, "/v1/stream?payloads=true").await;
    world.publish_contact().await;
    let received = world.receiver.wait_for(1).await.remove(0);
    let told = stream.heard("attempt").await;
    assert_eq!(text(&told, "payload").as_bytes(), received.body);
    let headers = &told["attempt"]["request"]["headers"];
    for name in ["x-wl-signature", "webhook-signature", "webhook-id", "x-wl-delivery"] {
        assert_eq!(text(headers, name), received.expect_header(name));
    }
    assert_eq!(told["attempt"]["response"]["body"], "thanks");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_begins_to_fail_is_told_with_its_health() {
    let world = World::start().await;
    world.receiver.usually("/hook", Answer::status(500));
    world.endpoint(json!({})).await;
    let mut stream = opened(&world.api, "/v1/stream").await;
    for _ in 0..12 {
        world.publish_contact().await;
    }
    let failing = async {
        loop {
            let (event, data) = stream.event().await.unwrap();
            if event == "endpoint" {
                return data;
            }
        }
    };
    assert_eq!(testkit::patiently("the change of health", failing).await["health"]["state"], "failing");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_world_hears_of_its_own_endpoints_alone() {
    let world = World::start().await;
    world.api.put("/v1/locations/loc-1", &json!({"companyId": "comp-1"})).await.expect(200);
    let owners = [
        json!({"locationId": "loc-1"}),
        json!({"locationId": "loc-2"}),
        json!({"companyId": "comp-1"}),
        json!({"appId": "app-1"}),
    ];
    let mut endpoints = Vec::new();
    let mut streams = Vec::new();
    for owner in &owners {
        endpoints.push(world.endpoint(owner.clone()).await);
        streams.push(opened(&key(&world, owner.clone()).await, "/v1/stream?payloads=true").await);
    }
    let mut one = opened(&world.api, &format!("/v1/stream?endpointId={}", text(&endpoints[1], "id"))).await;
    for location in ["loc-1", "loc-2"] {
        world.publish(&contact(location)).await;
    }
    world.receiver.wait_for(3).await;
    for endpoint in &endpoints {
        world.api.post(&format!("{}/test", path("endpoints", endpoint)), &json!({})).await.expect(200);
    }
    // The outcomes are recorded a moment later, and told then.
    eventually("the outcomes", || async {
        (world.list("/v1/deliveries?status=succeeded").await.len() == 7).then_some(())
    })
    .await;
    for endpoint in &endpoints {
        world.api.patch(&path("endpoints", endpoint), &json!({"description": "end"})).await.expect(200);
    }
    let id = |n: usize| text(&endpoints[n], "id");
    // A company hears of its locations too; the marker of its own endpoint comes after that of its location's.
    for (n, seen) in [(0, vec![id(0)]), (1, vec![id(1)]), (2, vec![id(0), id(2)]), (3, vec![id(3)])] {
        let mut events = heard_until(&mut streams[n], "end").await;
        if n == 2 {
            events.extend(heard_until(&mut streams[n], "end").await);
        }
        let mut heard: Vec<_> =
            events.iter().map(|(_, data)| text(&data["delivery"], "endpointId")).collect();
        heard.sort_unstable();
        heard.dedup();
        let mut seen = seen;
        seen.sort_unstable();
        assert_eq!(heard, seen, "{}", owners[n]);
    }
    let events = heard_until(&mut one, "end").await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|(_, data)| text(&data["delivery"], "endpointId") == id(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_left_and_says_when_it_cannot() {
    let world = World::start().await;
    // One for each change that nobody hears at once: a node may tell of two of one endpoint with what followed.
    let [endpoint, other] = [world.endpoint(json!({})).await, world.endpoint(json!({})).await];
    let mut stream = opened(&world.api, "/v1/stream").await;
    let change = async |endpoint: &Value, description: &str| {
        let body = json!({"description": description});
        world.api.patch(&path("endpoints", endpoint), &body).await.expect(200);
    };
    change(&endpoint, "1").await;
    assert_eq!(stream.heard("endpoint").await["description"], "1");
    let left_at = stream.last_id.clone();
    drop(stream);
    change(&endpoint, "2").await;
    change(&other, "3").await;
    let resumed = |id: &str| world.api.clone().with_header("last-event-id", id);
    let mut stream = opened(&resumed(&left_at), "/v1/stream").await;
    for description in ["2", "3"] {
        assert_eq!(stream.heard("endpoint").await["description"], description);
    }
    let (node, _) = left_at.split_once('-').unwrap();
    for unknown in [
        "",
        "1",
        "x-y",
        &format!("{node}-"),
        &format!("{node}-99999"),
        &format!("{node}-0"),
        "0000000000000000-1",
    ] {
        let mut stream = resumed(unknown).open("/v1/stream").await.unwrap();
        assert_eq!(stream.heard("reset").await, json!({}), "{unknown}");
        change(&endpoint, "4").await;
        assert_eq!(stream.heard("endpoint").await["description"], "4", "{unknown}");
    }
    let left_at = stream.last_id.clone();
    let world = world.restart().await;
    let resumed = world.api.clone().with_header("last-event-id", &left_at);
    let mut stream = resumed.open("/v1/stream").await.unwrap();
    if is_on_postgres() {
        // What is told there outlives the process.
        assert_eq!(stream.heard("endpoint").await["description"], "4");
    } else {
        stream.heard("reset").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_or_session_ends_its_streams_and_no_other() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let by_key = key(&world, json!({"locationId": LOCATION})).await;
    let by_session =
        Client::new(world.api.base()).with_key(&signed_in(&world, Location(LOCATION), &["view"]).await);
    let mut stays = opened(&world.api, "/v1/stream").await;
    let mut ends = [opened(&by_key, "/v1/stream").await, opened(&by_session, "/v1/stream").await];
    let of_location = |collection: &'static str| {
        let world = &world;
        async move {
            let all = world.list(&format!("/v1/{collection}")).await;
            all.into_iter().find(|one| one["locationId"] == LOCATION).unwrap()
        }
    };
    for collection in ["api-keys", "sessions"] {
        let route = path(collection, &of_location(collection).await);
        world.api.delete(&route).await.expect(204);
    }
    for stream in &mut ends {
        assert_eq!(stream.event().await, None);
    }
    world.api.patch(&path("endpoints", &endpoint), &json!({"description": "x"})).await.expect(200);
    stays.heard("endpoint").await;
    world.stop().await;
    assert_eq!(stays.event().await, None, "the server's stop ends it in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_told_what_it_missed_and_holds_nobody_up() {
    let world = World::start().await;
    world.endpoint(json!({})).await;
    let mut slow = opened(&world.api, "/v1/stream?payloads=true").await;
    let mut payload = contact(LOCATION);
    payload["source"] = "x".repeat(240 * 1024).into();
    // Together more than is kept, and than sockets hold.
    let events: Vec<_> = (0..60).map(|_| payload.clone()).collect();
    for batch in 1..=4 {
        world.api.post("/v1/events/batch", &json!({"events": events})).await.expect(200);
        world.receiver.wait_for(60 * batch).await;
    }
    eventually("the outcomes", || async {
        (world.list("/v1/deliveries?status=succeeded&limit=200").await.len() == 240).then_some(())
    })
    .await;
    let mut told = 0;
    while let Some((event, _)) = slow.event().await {
        if event == "reset" {
            break;
        }
        told += 1;
    }
    assert!((1..240).contains(&told), "{told} events before the loss was told");
    world.publish_contact().await;
    slow.heard("attempt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_shows_that_it_lives_and_each_owner_has_so_many() {
    let world = World::start().await;
    let mut first = opened(&world.api, "/v1/stream").await;
    world.clock.advance_ms(STREAM_HEARTBEAT_MS);
    let Some(Block::Comment(beat)) = first.block().await else { panic!("no heartbeat") };
    assert!(beat.contains("still here"), "{beat}");
    let mut others = Vec::new();
    for _ in 1..STREAMS_PER_OWNER_MAX {
        others.push(opened(&world.api, "/v1/stream").await);
    }
    let answered = world.api.open("/v1/stream").await.expect_err("one too many");
    refused("one too many", &answered, 429, "too-many-requests");
    opened(&key(&world, json!({"locationId": LOCATION})).await, "/v1/stream").await;
    drop(first);
    eventually("a free place", || async { world.api.open("/v1/stream").await.ok() }).await;
    for (query, status, code) in [
        ("payloads=1", 422, "invalid-request"),
        ("endpointId=ep_1", 422, "invalid-request"),
        ("endpointId=ep_00000000000000000000000000", 404, "not-found"),
        ("x=1", 422, "invalid-request"),
    ] {
        let answered = world.api.open(&format!("/v1/stream?{query}")).await.expect_err(query);
        refused(query, &answered, status, code);
    }
    let nobody = Client::new(world.api.base()).with_key(&KEY.replace("it", "no"));
    refused("nobody", &nobody.open("/v1/stream").await.expect_err("no key"), 401, "unauthorized");
}

//! The master key is rotated while the server serves.

use std::os::unix::fs::PermissionsExt;

use hoopoe::config::{MASTER_KEY_PREVIOUS_VARIABLE, MASTER_KEY_VARIABLE};
use serde_json::{Value, json};

use crate::world::{World, path, text, verify};

const ROUTE: &str = "/v1/system/master-key/rotate";

fn key_file(world: &World) -> String {
    std::fs::read_to_string(world.data_dir().join("master.key")).unwrap()
}

async fn rotate(world: &World) -> Value {
    world.api.post(ROUTE, &json!({})).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_makes_a_new_key_and_everything_opens_with_it_alone() {
    let world = World::start_on_files().await;
    let endpoint = world.endpoint(json!({"headers": {"x-token": "hidden"}})).await;
    let route = path("endpoints", &endpoint);
    world.api.post(&format!("{route}/secret/rotate"), &json!({})).await.expect(200);
    let secrets = world.api.get(&format!("{route}/secret")).await.expect(200);
    let before = key_file(&world);
    // Both secrets and the headers of the endpoint, and the proof of the key.
    assert_eq!(rotate(&world).await, json!({"state": "rotated", "resealed": 4}));
    let after = key_file(&world);
    assert_ne!(before, after);
    assert_eq!(after.lines().count(), 1, "the old key is not kept");
    let mode = std::fs::metadata(world.data_dir().join("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!world.data_dir().join("master.key.new").exists());
    let world = world.restart().await;
    assert_eq!(world.api.get(&format!("{route}/secret")).await.expect(200), secrets);
    world.publish_contact().await;
    let request = world.receiver.wait_for(1).await.remove(0);
    assert_eq!(request.expect_header("x-token"), "hidden");
    let again = rotate(&world).await;
    assert_eq!(again["resealed"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_before_during_and_after_a_rotation_are_signed_alike() {
    let world = World::start_on_files().await;
    let endpoint = world.endpoint(json!({})).await;
    let publishing = async {
        for _ in 0..50 {
            world.publish_contact().await;
        }
    };
    let rotating = async {
        for _ in 0..5 {
            rotate(&world).await;
        }
    };
    tokio::join!(publishing, rotating);
    for request in world.receiver.wait_for(50).await {
        verify(&request, text(&endpoint, "secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rotations_at_once_the_second_is_refused() {
    let world = World::start_on_files().await;
    for n in 0..40 {
        world.endpoint(json!({"locationId": format!("loc-{n}")})).await;
    }
    let rotations = (0..8).map(async |_| world.api.post(ROUTE, &json!({})).await);
    let mut statuses = Vec::new();
    for answered in futures::future::join_all(rotations).await {
        statuses.push(answered.status.as_u16());
        if answered.status.as_u16() != 200 {
            answered.expect_problem(409, "rotation-in-progress");
        }
    }
    assert!(statuses.contains(&200) && statuses.contains(&409), "{statuses:?}");
    rotate(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_platform_s_managers_rotate_the_master_key() {
    let world = World::start_on_files().await;
    let before = key_file(&world);
    let of = async |body: Value| {
        let key = world.api.post("/v1/api-keys", &body).await.expect(201);
        world.api.clone().with_key(text(&key, "key"))
    };
    let viewer = of(json!({"name": "v", "permissions": ["view", "publish"]})).await;
    viewer.post(ROUTE, &json!({})).await.expect_problem(403, "forbidden");
    let nobody = world.api.clone().without_header("authorization");
    nobody.post(ROUTE, &json!({})).await.expect_problem(401, "unauthorized");
    world.api.post(ROUTE, &json!({"key": "mine"})).await.expect_problem(422, "unknown-field");
    assert_eq!(key_file(&world), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_with_its_idempotency_key_rotates_once() {
    let world = World::start_on_files().await;
    let api = world.api.clone().with_header("idempotency-key", "once");
    let first = api.post(ROUTE, &json!({})).await.expect(200);
    let key = key_file(&world);
    let second = api.post(ROUTE, &json!({})).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(second.expect(200), first);
    assert_eq!(key_file(&world), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_the_environment_is_changed_by_a_restart_with_both() {
    let [old, new] = ["a7", "5b"].map(|byte| byte.repeat(32));
    let world = World::start_in(|_| {}, &[(MASTER_KEY_VARIABLE, &old)]).await;
    let endpoint = world.endpoint(json!({})).await;
    let problem = world.api.post(ROUTE, &json!({})).await.expect_problem(409, "external-master-key");
    assert!(text(&problem, "detail").contains(MASTER_KEY_PREVIOUS_VARIABLE));
    assert!(!world.data_dir().join("master.key").exists());
    let world = world.restart_in(&[(MASTER_KEY_VARIABLE, &new), (MASTER_KEY_PREVIOUS_VARIABLE, &old)]).await;
    world.api.post(ROUTE, &json!({})).await.expect_problem(409, "external-master-key");
    let world = world.restart_in(&[(MASTER_KEY_VARIABLE, &new)]).await;
    world.publish_contact().await;
    verify(&world.receiver.wait_for(1).await.remove(0), text(&endpoint, "secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_outlives_a_rotation_until_the_next_start() {
    let world = World::start_on_files().await;
    for _ in 0..2 {
        world.endpoint(json!({})).await;
    }
    let page = world.api.get("/v1/endpoints?limit=1").await.expect(200);
    let next = format!("/v1/endpoints?limit=1&cursor={}", text(&page, "nextCursor"));
    rotate(&world).await;
    world.api.get(&next).await.expect(200);
    let world = world.restart().await;
    world.api.get(&next).await.expect_problem(400, "invalid-cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_could_not_write_its_file_changes_nothing_and_can_be_repeated() {
    let world = World::start_on_files().await;
    let endpoint = world.endpoint(json!({})).await;
    let before = key_file(&world);
    // A directory in the place where the new file is written.
    let blocked = world.data_dir().join("master.key.new");
    std::fs::create_dir(&blocked).unwrap();
    world.api.post(ROUTE, &json!({})).await.expect_problem(500, "internal-error");
    assert_eq!(key_file(&world), before);
    std::fs::remove_dir(&blocked).unwrap();
    rotate(&world).await;
    let world = world.restart().await;
    world.publish_contact().await;
    verify(&world.receiver.wait_for(1).await.remove(0), text(&endpoint, "secret"));
}

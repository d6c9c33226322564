//! Secrets change without a gap: during the grace both are good.

use hoopoe_webhooks::{Headers, Secret, Window, verify_standard, verify_x_wl};
use serde_json::{Value, json};
use testkit::Received;

use crate::world::{World, path, refused, text, time};

/// Which of the secrets accept the request: `(x-wl-signature, webhook-signature)` of each.
fn accepted(request: &Received, secrets: &[&str]) -> Vec<(bool, bool)> {
    let window = Window::at(request.expect_header("webhook-timestamp").parse().unwrap());
    let headers = Headers::from_lookup(|name| request.header(name));
    let judge = |secret: &&str| {
        let secret: [Secret; 1] = [secret.parse().unwrap()];
        let platform = verify_x_wl(&secret, request.header("x-wl-signature"), &request.body);
        (platform.is_ok(), verify_standard(&secret, &headers, &request.body, window).is_ok())
    };
    secrets.iter().map(judge).collect()
}

struct Rotated {
    world: World,
    route: String,
    old: String,
    new: String,
}

impl Rotated {
    async fn start(body: Value) -> Self {
        let world = World::start().await;
        let endpoint = world.endpoint(json!({})).await;
        let route = path("endpoints", &endpoint);
        world.api.post(&format!("{route}/secret/rotate"), &body).await.expect(200);
        let shown = world.api.get(&format!("{route}/secret")).await.expect(200);
        let (old, new) = (text(&endpoint, "secret").to_owned(), text(&shown, "secret").to_owned());
        assert_ne!(old, new);
        Self { world, route, old, new }
    }

    /// What the next delivery is signed with: `[old, new]`.
    async fn signed(&self) -> Vec<(bool, bool)> {
        let count = self.world.receiver.count();
        self.world.publish_contact().await;
        let request = self.world.receiver.wait_for(count + 1).await.remove(count);
        accepted(&request, &[&self.old, &self.new])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_grace_both_secrets_verify_and_afterwards_the_new_one() {
    let rotated = Rotated::start(json!({"graceSeconds": 3600})).await;
    let shown = rotated.world.api.get(&format!("{}/secret", rotated.route)).await.expect(200);
    assert_eq!(shown["previousSecret"], rotated.old.as_str());
    assert_eq!(time(&shown, "graceUntil").since(rotated.world.now()), 3_600_000);
    assert_eq!(rotated.signed().await, [(true, true), (false, true)]);
    let request = rotated.world.receiver.received().remove(0);
    let entries = request.expect_header("webhook-signature").split(' ').count();
    assert_eq!(entries, 2);
    let newest = request.expect_header("webhook-signature").split(' ').next().unwrap().to_owned();
    let first_alone = Received {
        headers: request
            .headers
            .iter()
            .map(|(name, value)| match name.as_str() {
                "webhook-signature" => (name.clone(), newest.clone()),
                _ => (name.clone(), value.clone()),
            })
            .collect(),
        ..request
    };
    assert_eq!(
        accepted(&first_alone, &[&rotated.old, &rotated.new])[1],
        (false, true),
        "the new one comes first"
    );

    rotated.world.clock.advance_ms(3_600_000);
    assert_eq!(rotated.signed().await, [(false, false), (true, true)]);
    let shown = rotated.world.api.get(&format!("{}/secret", rotated.route)).await.expect(200);
    assert_eq!(shown, json!({"secret": rotated.new, "previousSecret": null, "graceUntil": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_ends_the_grace_and_needs_one() {
    let rotated = Rotated::start(json!({})).await;
    let api = &rotated.world.api;
    refused(
        "a second rotation",
        &api.post(&format!("{}/secret/rotate", rotated.route), &json!({})).await,
        409,
        "rotation-in-progress",
    );
    api.post(&format!("{}/secret/promote", rotated.route), &json!({})).await.expect(200);
    assert_eq!(rotated.signed().await, [(false, false), (true, true)]);
    refused(
        "a second promotion",
        &api.post(&format!("{}/secret/promote", rotated.route), &json!({})).await,
        409,
        "no-rotation",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_grace_switches_at_once_and_the_default_is_a_day() {
    let rotated = Rotated::start(json!({"graceSeconds": 0})).await;
    assert_eq!(rotated.signed().await, [(false, false), (true, true)]);
    let rotated = Rotated::start(json!({})).await;
    let shown = rotated.world.api.get(&format!("{}/secret", rotated.route)).await.expect(200);
    assert_eq!(time(&shown, "graceUntil").since(rotated.world.now()), 86_400_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_is_0_to_604800_seconds() {
    let world = World::start().await;
    let route = path("endpoints", &world.endpoint(json!({})).await);
    for grace in [json!(-1), json!(604_801), json!("1"), json!(1.5)] {
        let answered =
            world.api.post(&format!("{route}/secret/rotate"), &json!({"graceSeconds": grace})).await;
        assert_eq!(answered.status.as_u16(), 422, "{}", answered.text());
    }
}

//! A signature that does not match is explained, with the secret as it was copied or with the endpoint's own.

use serde_json::{Value, json};
use testkit::{Client, Received};

use crate::authorization::{Location, signed_in};
use crate::world::{LOCATION, World, path, pointers, refused, text};

const ROUTE: &str = "/v1/signatures/explain";

/// A received request as somebody pastes it, to be checked with a secret.
fn pasted(request: &Received, with: Value) -> Value {
    let headers: serde_json::Map<_, _> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_uppercase(), Value::from(value.as_str())))
        .collect();
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let mut pasted = json!({"body": body, "headers": headers});
    crate::world::merge(&mut pasted, with);
    pasted
}

fn judged(report: &Value) -> Vec<(&str, bool)> {
    let signatures = report["signatures"].as_array().unwrap().iter();
    signatures.map(|one| (text(one, "header"), one["valid"].as_bool().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_right_with_the_endpoints_secret_and_a_slip_is_named() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    world.publish_contact().await;
    let request = world.receiver.wait_for(1).await.remove(0);
    let (id, secret) = (text(&endpoint, "id"), text(&endpoint, "secret"));
    for with in [json!({"endpointId": id}), json!({"secret": secret})] {
        let report = world.api.post(ROUTE, &pasted(&request, with)).await.expect(200);
        assert_eq!(report["valid"], true, "{report}");
        assert_eq!(judged(&report), [("x-wl-signature", true), ("webhook-signature", true)]);
    }
    let spaced = json!({"secret": format!(" {secret}\n")});
    let report = world.api.post(ROUTE, &pasted(&request, spaced)).await.expect(200);
    assert_eq!(judged(&report), [("x-wl-signature", false), ("webhook-signature", false)]);
    let explanation = text(&report["signatures"][0], "explanation");
    assert!(explanation.contains("white space"), "{explanation}");
    assert!(!report.to_string().contains(secret));
    let none = world.api.post(ROUTE, &json!({"body": "", "headers": {}, "secret": secret})).await.expect(200);
    assert_eq!((none["valid"].as_bool(), judged(&none).len()), (Some(false), 2));
    assert!(text(&none["signatures"][1], "explanation").starts_with("No signature was given."), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_grace_both_secrets_of_the_endpoint_explain() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let with = json!({"endpointId": text(&endpoint, "id")});
    world.publish_contact().await;
    let before = world.receiver.wait_for(1).await.remove(0);
    let rotate = format!("{}/secret/rotate", path("endpoints", &endpoint));
    world.api.post(&rotate, &json!({"graceSeconds": 60})).await.expect(200);
    let report = world.api.post(ROUTE, &pasted(&before, with.clone())).await.expect(200);
    assert_eq!(report["valid"], true, "{report}");
    world.clock.advance_ms(60_000);
    let report = world.api.post(ROUTE, &pasted(&before, with)).await.expect(200);
    assert_eq!(judged(&report), [("x-wl-signature", false), ("webhook-signature", false)]);
    // To look at a secret is audited; this shows none.
    let audit = world.list("/v1/audit?action=secret.read").await;
    assert!(audit.is_empty(), "{audit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_secret_is_asked_for_and_an_endpoints_own_needs_manage() {
    let world = World::start().await;
    let endpoint = world.endpoint(json!({})).await;
    let id = text(&endpoint, "id");
    for (body, pointed) in [
        (json!({"body": "", "headers": {}}), vec!["/secret"]),
        (json!({"body": "", "headers": {}, "secret": null}), vec!["/secret"]),
        (json!({"body": "", "headers": {}, "secret": "s", "endpointId": id}), vec!["/endpointId"]),
        (json!({"body": "", "headers": {}, "endpointId": "ep_1"}), vec!["/endpointId"]),
        (json!({"body": 1, "headers": {"a": []}, "secret": "s"}), vec!["/body", "/headers/a"]),
        (json!({}), vec!["/body", "/headers", "/secret"]),
    ] {
        let problem = refused(&body.to_string(), &world.api.post(ROUTE, &body).await, 422, "invalid-request");
        assert_eq!(pointers(&problem), pointed, "{body}");
    }
    let token = signed_in(&world, Location(LOCATION), &["view"]).await;
    let viewer = Client::new(world.api.base()).with_key(&token);
    let with_own = json!({"body": "", "headers": {}, "secret": "s"});
    viewer.post(ROUTE, &with_own).await.expect(200);
    let with_its = json!({"body": "", "headers": {}, "endpointId": id});
    refused("no manage", &viewer.post(ROUTE, &with_its).await, 403, "forbidden");
    let large = json!({"body": "x".repeat(256 * 1024), "headers": {}, "secret": "s"});
    refused("too large", &world.api.post(ROUTE, &large).await, 413, "payload-too-large");
}

//! All the catalogue's types: their examples are delivered byte for byte and accepted by other people's verifiers.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::Received;

use crate::world::{World, text, verify};

/// One type as the server shows it, with the endpoint that subscribed to it.
struct Sample {
    name: String,
    body: String,
    secret: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_delivered_byte_for_byte_and_verified_by_all() {
    let world = World::start_with(|args| args.endpoints_per_owner = Some(58)).await;
    let samples = samples(&world).await;
    assert_eq!(samples.len(), 58);
    for sample in &samples {
        let event = world.api.send(http::Method::POST, "/v1/events", sample.body.clone()).await.expect(202);
        assert_eq!(
            (&event["type"], &event["deliveries"]),
            (&sample.name.as_str().into(), &1.into()),
            "{event}"
        );
    }
    let received = world.receiver.wait_for(samples.len()).await;
    let by_type: HashMap<_, _> = received.iter().map(|one| (one.expect_header("x-wl-event"), one)).collect();
    let mut requests = Vec::new();
    for sample in &samples {
        let request = by_type[sample.name.as_str()];
        assert_eq!(request.body, sample.body.as_bytes(), "{}", sample.name);
        verify(request, &sample.secret);
        requests.push(question(request, &sample.secret));
    }
    ask_others(&requests);
}

/// Each type with an endpoint of the owner that its example belongs to, all at one receiver.
async fn samples(world: &World) -> Vec<Sample> {
    let types = world.list("/v1/event-types?limit=200").await;
    let mut samples = Vec::new();
    for event_type in types {
        let name = text(&event_type, "type").to_owned();
        let shown = world.api.get(&format!("/v1/event-types/{name}")).await.expect(200);
        let scope_id = format!("{}Id", text(&shown, "scope"));
        let mut owner = json!({"eventTypes": [&name]});
        owner[&scope_id] = shown["example"][&scope_id].clone();
        let endpoint = world.endpoint(owner).await;
        let body = format!(" {}\n", shown["example"]);
        samples.push(Sample { name, body, secret: text(&endpoint, "secret").to_owned() });
    }
    samples
}

fn question(request: &Received, secret: &str) -> Value {
    let headers: serde_json::Map<_, _> =
        request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str().into())).collect();
    json!({"secret": secret, "raw": false, "body": str::from_utf8(&request.body).unwrap(), "headers": headers})
}

/// Node's `crypto` and package, Python's `hmac` and package: installed by `scripts/independent-verifiers`.
fn ask_others(requests: &[Value]) {
    let mut node = Command::new("node");
    node.env("NODE_PATH", installed("node/node_modules")).arg(source("verify.cjs"));
    let mut python = Command::new(installed("venv/bin/python"));
    python.arg(source("verify.py"));
    for mut verifier in [node, python] {
        let mut running = verifier.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let question = json!({"fixed": [], "requests": requests}).to_string();
        running.stdin.take().unwrap().write_all(question.as_bytes()).unwrap();
        let output = running.wait_with_output().unwrap();
        assert!(output.status.success(), "{verifier:?} failed, see above");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let accepted = answer["accepted"].as_array().unwrap();
        assert_eq!(accepted.len(), requests.len());
        for (accepted, request) in accepted.iter().zip(requests) {
            assert_eq!(*accepted, json!({"platform": true, "standard": true}), "{verifier:?}: {request}");
        }
    }
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../libs/hoopoe-webhooks/tests/independent").join(file)
}

fn installed(path: &str) -> PathBuf {
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../independent").join(path);
    assert!(found.exists(), "{} is missing: run scripts/independent-verifiers", found.display());
    found
}

//! What this library signs, other people's verifiers accept: the Rust, npm and PyPI packages `standardwebhooks`,
//! Node's `crypto` as the platform documents it, and Python's `hmac`.
//!
//! The packages come from `scripts/independent-verifiers`. Those libraries read the real clock, so requests are
//! signed with it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use hoopoe_webhooks::{Secret, Signer, standard_header};
use serde_json::{Value, json};

const STRANGER: &str = "whsec_c3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXI=";

/// A signed request, one secret to check it with, and what the verifiers of each family have to answer.
struct Case {
    request: Value,
    platform: bool,
    standard: bool,
}

fn vectors() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../sdks/vectors/signatures.json")).unwrap();
    all["sign"].as_array().unwrap().clone()
}

fn secrets(vector: &Value) -> Vec<Secret> {
    vector["secrets"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().parse().unwrap()).collect()
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// Each vector's body signed now, checked with each of its secrets, with a stranger's, and after tampering.
fn cases() -> Vec<Case> {
    vectors().iter().flat_map(cases_of).collect()
}

fn cases_of(vector: &Value) -> Vec<Case> {
    let (id, body) = (vector["id"].as_str().unwrap(), vector["body"].as_str().unwrap());
    let secrets = secrets(vector);
    let signers: Vec<_> = secrets.iter().map(Signer::new).collect();
    let timestamp = now_seconds();
    let all: Vec<_> = signers.iter().collect();
    let headers = json!({
        "x-wl-signature": signers.last().unwrap().x_wl_signature(body.as_bytes()),
        "webhook-id": id,
        "webhook-timestamp": timestamp.to_string(),
        "webhook-signature": standard_header(&all, id, timestamp, body.as_bytes()),
    });
    let case = |secret: &Secret, body: &str, platform: bool, standard: bool| Case {
        request: json!({"secret": secret.expose(), "raw": secret.is_raw(), "body": body, "headers": headers}),
        platform,
        standard,
    };
    let oldest = secrets.len() - 1;
    let mut cases: Vec<_> =
        secrets.iter().enumerate().map(|(i, secret)| case(secret, body, i == oldest, true)).collect();
    cases.push(case(&STRANGER.parse().unwrap(), body, false, false));
    cases.push(case(&secrets[oldest], &format!("{body} "), false, false));
    cases
}

#[test]
fn the_rust_package_accepts_what_was_signed_and_nothing_else() {
    for Case { request, standard, .. } in cases() {
        let secret: Secret = request["secret"].as_str().unwrap().parse().unwrap();
        let webhook = if secret.is_raw() {
            standardwebhooks::Webhook::from_bytes(secret.expose().into()).unwrap()
        } else {
            standardwebhooks::Webhook::new(secret.expose()).unwrap()
        };
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, request["headers"][name].as_str().unwrap().parse().unwrap());
        }
        let accepted = webhook.verify(request["body"].as_str().unwrap().as_bytes(), &headers);
        assert_eq!(accepted.is_ok(), standard, "{request}: {accepted:?}");
    }
}

#[test]
fn node_and_its_package_accept_what_was_signed_and_nothing_else() {
    let mut node = Command::new("node");
    node.env("NODE_PATH", installed("node/node_modules")).arg(source("verify.cjs"));
    check(node);
}

#[test]
fn python_and_its_package_accept_what_was_signed_and_nothing_else() {
    let mut python = Command::new(installed("venv/bin/python"));
    python.arg(source("verify.py"));
    check(python);
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent").join(file)
}

fn installed(path: &str) -> PathBuf {
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../independent").join(path);
    assert!(
        found.exists(),
        "{} is missing: run scripts/independent-verifiers (it needs Node.js 18 or newer with npm, and Python 3.9 or \
         newer with venv)",
        found.display()
    );
    found
}

/// Gives the vectors and the cases to a verifier in another language and compares its answers.
fn check(verifier: Command) {
    let (cases, vectors) = (cases(), vectors());
    let fixed = vectors.iter().map(|vector| {
        let newest = &secrets(vector)[0];
        json!({
            "secret": newest.expose(), "raw": newest.is_raw(),
            "id": vector["id"], "timestamp": vector["timestamp"], "body": vector["body"],
        })
    });
    let requests: Vec<_> = cases.iter().map(|case| &case.request).collect();
    let answer = ask(verifier, &json!({"fixed": fixed.collect::<Vec<_>>(), "requests": requests}));

    for (vector, signed) in vectors.iter().zip(answer["signed"].as_array().unwrap()) {
        let ours = vector["webhookSignature"].as_str().unwrap().split(' ').next();
        assert_eq!(signed.as_str(), ours, "{}", vector["name"]);
    }
    let accepted = answer["accepted"].as_array().unwrap();
    assert_eq!(accepted.len(), cases.len());
    for (case, accepted) in cases.iter().zip(accepted) {
        let expected = json!({"platform": case.platform, "standard": case.standard});
        assert_eq!(*accepted, expected, "{}", case.request);
    }
}

fn ask(mut verifier: Command, question: &Value) -> Value {
    let running = verifier.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut running =
        running.unwrap_or_else(|error| panic!("{verifier:?} does not start, install it: {error}"));
    running.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{verifier:?} failed, see above");
    serde_json::from_slice(&output.stdout).unwrap()
}

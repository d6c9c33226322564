//! The test vectors that all of Hoopoe's libraries share, against this one.
//!
//! They were made by another program; nothing here computes what is expected.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use hoopoe_webhooks::{Headers, Secret, Signer, Window, standard_header, verify_standard, verify_x_wl};
use serde_json::Value;

fn vectors(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../sdks/vectors/signatures.json")).unwrap();
    let part = all[part].as_array().unwrap().clone();
    assert!(!part.is_empty());
    part
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} in {case}"))
}

fn secrets(case: &Value) -> Vec<Secret> {
    let texts = case["secrets"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().parse().unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_secret_parses_to_its_two_keys_or_to_its_error() {
    for case in vectors("secrets") {
        let name = text(&case, "name");
        match Secret::parse(text(&case, "secret")) {
            Ok(secret) => {
                assert_eq!(hex(secret.platform_key()), text(&case, "platformKeyHex"), "{name}");
                assert_eq!(hex(secret.standard_key()), text(&case, "standardKeyHex"), "{name}");
                assert_eq!(secret.expose(), text(&case, "secret"), "{name}");
            }
            Err(error) => assert_eq!(error.code(), text(&case, "error"), "{name}"),
        }
    }
}

#[test]
fn every_signature_is_the_one_that_another_program_made() {
    for case in vectors("sign") {
        let (name, body) = (text(&case, "name"), text(&case, "body").as_bytes());
        let signers: Vec<_> = secrets(&case).iter().map(Signer::new).collect();
        let signers: Vec<_> = signers.iter().collect();
        let timestamp = case["timestamp"].as_i64().unwrap();
        let header = standard_header(&signers, text(&case, "id"), timestamp, body);
        assert_eq!(header, text(&case, "webhookSignature"), "{name}");
        let oldest = signers.last().unwrap();
        assert_eq!(oldest.x_wl_signature(body), text(&case, "xWlSignature"), "{name}");
    }
}

#[test]
fn every_request_is_accepted_or_refused_for_the_right_reason() {
    for case in vectors("verify") {
        let (name, body) = (text(&case, "name"), text(&case, "body").as_bytes());
        let secrets = secrets(&case);
        let headers = Headers::from_lookup(|name| case["headers"][name].as_str());
        let code =
            |result: Result<(), hoopoe_webhooks::VerifyError>| result.map_or_else(|e| e.code(), |()| "ok");

        let x_wl = verify_x_wl(&secrets, headers.x_wl_signature, body);
        assert_eq!(code(x_wl), text(&case, "xWl"), "{name}");
        let window = Window::at(case["now"].as_i64().unwrap());
        let standard = verify_standard(&secrets, &headers, body, window);
        assert_eq!(code(standard), text(&case, "standard"), "{name}");
    }
}

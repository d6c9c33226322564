//! Every usual mistake is named: the table makes the mistake, the explanation has to find it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use hoopoe_webhooks::FindingCode::{self, *};
use hoopoe_webhooks::{Explanation, Headers, explain};
use sha2::Sha256;

const NOW: i64 = 1_700_000_000;
const TIME: &str = "1700000000";
const ID: &str = "evt_1";
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const ENCODED: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const DECODED: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const RAW: &str = "c2VjcmV0IHNlY3JldA==";
const BODY: &str = r#"{"type":"NoteCreate","body":"Zo\u00eb / <b>","tags":["x"]}"#;

fn mac(key: &str, content: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(content.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `x-wl-signature` made with any key over anything.
fn x_wl(key: &str, content: &str) -> String {
    hex(&mac(key, content))
}

/// `webhook-signature` likewise.
fn v1(key: &str, content: &str) -> String {
    format!("v1,{}", STANDARD.encode(mac(key, content)))
}

/// What `webhook-signature` signs.
fn content(body: &str) -> String {
    format!("{ID}.{TIME}.{body}")
}

fn codes(explanation: &Explanation) -> Vec<FindingCode> {
    explanation.findings.iter().map(|finding| finding.code).collect()
}

fn of_x_wl(secret: &str, signature: &str, body: &str) -> Explanation {
    let headers = Headers {
        x_wl_signature: Some(signature),
        webhook_id: Some(ID),
        webhook_timestamp: Some(TIME),
        webhook_signature: None,
    };
    explain(&[secret], &headers, body.as_bytes(), NOW)
}

fn of_standard(secret: &str, signature: &str, body: &str) -> Explanation {
    let headers = Headers {
        webhook_signature: Some(signature),
        webhook_id: Some(ID),
        webhook_timestamp: Some(TIME),
        x_wl_signature: None,
    };
    explain(&[secret], &headers, body.as_bytes(), NOW)
}

/// The explanation names exactly these, is valid exactly if they say so, and shows nothing secret.
fn check(explanation: &Explanation, expected: &[FindingCode]) {
    assert_eq!(codes(explanation), expected, "{explanation:#?}");
    assert_eq!(explanation.valid, expected == [Valid], "{explanation:#?}");
    for finding in &explanation.findings {
        let sentence = &finding.sentence;
        for hole in ["{header}", "{other}", "{detail}"] {
            assert!(!sentence.contains(hole), "{sentence}");
        }
        assert!(sentence.ends_with(['.', ')']) && !sentence.contains('\n'), "{sentence}");
        for secret in [SECRET, ENCODED, DECODED, OTHER, RAW] {
            assert!(!sentence.contains(secret), "{sentence}");
        }
    }
}

#[test]
fn a_right_signature_is_called_right() {
    check(&of_x_wl(SECRET, &x_wl(SECRET, BODY), BODY), &[Valid]);
    check(&of_standard(SECRET, &v1(DECODED, &content(BODY)), BODY), &[Valid]);
    check(&of_x_wl(RAW, &x_wl(RAW, BODY), BODY), &[Valid]);
    check(&of_standard(RAW, &v1(RAW, &content(BODY)), BODY), &[Valid]);
}

#[test]
fn a_slip_in_the_key_is_named() {
    for (secret, key, expected) in [
        (SECRET, DECODED, KeyDecoded),
        (SECRET, ENCODED, SignedWithoutPrefix),
        (SECRET, &format!("{SECRET}\n"), SignedWithSurroundings),
        (SECRET, "", PlaceholderSecret),
        (SECRET, "undefined", PlaceholderSecret),
        (ENCODED, SECRET, SecretWithoutPrefix),
        (&format!("{SECRET}\n"), SECRET, SecretSurrounded),
        (&format!("\"{SECRET}\""), SECRET, SecretSurrounded),
        (&format!(" {SECRET}"), &format!(" {SECRET}"), SignedWithSurroundings),
        ("3031323334353637383961626364656630313233343536373839616263646566", DECODED, KeyHexDecoded),
        (SECRET, OTHER, WrongSecretOrBody),
    ] {
        let explanation = of_x_wl(secret, &x_wl(key, BODY), BODY);
        assert!(codes(&explanation).contains(&expected), "{expected:?}: {explanation:#?}");
        assert!(!explanation.valid);
    }
    for (secret, key, expected) in [
        (SECRET, SECRET, KeyNotDecoded),
        (SECRET, ENCODED, KeyNotDecoded),
        (ENCODED, DECODED, SecretWithoutPrefix),
        (RAW, "secret secret", RawModeMissing),
        (&format!("{SECRET} "), DECODED, SecretSurrounded),
        (SECRET, OTHER, WrongSecretOrBody),
    ] {
        check(&of_standard(secret, &v1(key, &content(BODY)), BODY), &[expected]);
    }
}

#[test]
fn a_slip_in_the_spelling_is_named() {
    let right = x_wl(SECRET, BODY);
    let base64 = STANDARD.encode(mac(SECRET, BODY));
    for (value, expected) in [
        (right.to_uppercase(), UpperCaseHex),
        (format!("sha256={right}"), Sha256Prefix),
        (format!("x-wl-signature: {right}"), HeaderNameInValue),
        (format!(" {right}"), SignatureSurrounded),
        (format!("'{right}'"), SignatureSurrounded),
        (base64.clone(), Base64InsteadOfHex),
        (format!("v1,{base64}"), Base64InsteadOfHex),
        (STANDARD.encode(&right), Base64OfHex),
        (right[..40].to_owned(), SignatureCutShort),
        ("Bearer xyz".to_owned(), MalformedSignature),
    ] {
        check(&of_x_wl(SECRET, &value, BODY), &[expected]);
    }
    let digest = mac(DECODED, &content(BODY));
    let right = STANDARD.encode(&digest);
    for (value, expected) in [
        (right.clone(), V1Missing),
        (format!("v1={right}"), V1Missing),
        (format!("v1,{}", hex(&digest)), HexInsteadOfBase64),
        (format!("v1,{}", right.trim_end_matches('=')), Base64UrlSafe),
        (format!("v1,{}", URL_SAFE.encode(&digest).trim_end_matches('=')), Base64UrlSafe),
        (format!("v1,{}", STANDARD.encode(hex(&digest))), Base64OfHex),
        (format!("v1,{}", &right[..20]), SignatureCutShort),
        ("v1a,AAAA".to_owned(), Ed25519Only),
    ] {
        check(&of_standard(SECRET, &value, BODY), &[expected]);
    }
}

#[test]
fn the_other_familys_signature_and_content_are_recognised() {
    check(&of_x_wl(SECRET, &v1(DECODED, &content(BODY)), BODY), &[SignatureOfOtherFamily]);
    check(&of_standard(SECRET, &x_wl(SECRET, BODY), BODY), &[SignatureOfOtherFamily]);
    check(&of_standard(SECRET, &v1(DECODED, BODY), BODY), &[SignedBodyOnly]);
    check(&of_x_wl(SECRET, &x_wl(SECRET, &content(BODY)), BODY), &[SignedIdAndTimestamp]);
    let two_slips = of_x_wl(SECRET, &format!("sha256={}", x_wl(DECODED, BODY).to_uppercase()), BODY);
    check(&two_slips, &[KeyDecoded, Sha256Prefix, UpperCaseHex]);
}

#[test]
fn a_changed_body_is_recognised() {
    let compact = r#"{"type":"NoteCreate","body":"Zoë / <b>","tags":["x"]}"#;
    let unquoted = format!("{compact}\n");
    for (given, signed, expected) in [
        (format!("{compact}\n"), compact, &[BodyEnd][..]),
        (compact.to_owned(), &unquoted, &[BodyEnd]),
        (
            compact.to_owned(),
            r#"{"type": "NoteCreate", "body": "Zoë / <b>", "tags": ["x"]}"#,
            &[BodyReformatted],
        ),
        (compact.to_owned(), BODY, &[BodyEscapes]),
        (BODY.to_owned(), compact, &[BodyEscapes]),
        (
            compact.to_owned(),
            r#"{"type":"NoteCreate","body":"Zo\u00eb \/ <b>","tags":["x"]}"#,
            &[BodyEscapes],
        ),
        (compact.to_owned(), r#"{"type":"NoteCreate","body":"Zoë \/ <b>","tags":["x"]}"#, &[BodyEscapes]),
        (
            compact.to_owned(),
            r#"{"type":"NoteCreate","body":"Zoë / \u003cb\u003e","tags":["x"]}"#,
            &[BodyEscapes],
        ),
        (
            compact.to_owned(),
            r#"{"type":"NoteCreate","body":"Zo\u00EB / \u003Cb\u003E","tags":["x"]}"#,
            &[BodyEscapes],
        ),
        (
            compact.to_owned(),
            "{\n  \"type\": \"NoteCreate\",\n  \"body\": \"Zoë / <b>\",\n  \"tags\": [\n    \"x\"\n  ]\n}",
            &[BodyReformatted],
        ),
        (
            compact.to_owned(),
            "{\n    \"body\": \"Zo\\u00eb / <b>\",\n    \"tags\": [\n        \"x\"\n    ],\n    \"type\": \"NoteCreate\"\n}\n",
            &[BodyReformatted, BodyKeyOrder, BodyEscapes, BodyEnd],
        ),
        ("{\r\n}".to_owned(), "{\n}", &[BodyLineEndings]),
        ("[\n1]".to_owned(), "[\r\n1]", &[BodyLineEndings]),
        (format!("\u{feff}{compact}"), compact, &[BodyByteOrderMark]),
        (compact.to_owned(), &format!("\u{feff}{compact}"), &[BodyByteOrderMark]),
        (compact.replace('ë', "Ã«"), compact, &[BodyCharset]),
        (r#""{\"a\":\"b\\n\"}""#.to_owned(), r#"{"a":"b\n"}"#, &[BodyJsonString]),
        (STANDARD.encode(compact), compact, &[BodyBase64]),
        (compact.to_owned(), "", &[EmptyBodySigned]),
    ] {
        check(&of_x_wl(SECRET, &x_wl(SECRET, signed), &given), expected);
        check(&of_standard(SECRET, &v1(DECODED, &content(signed)), &given), expected);
    }
}

#[test]
fn a_changed_body_and_a_wrong_key_are_both_named() {
    let explanation = of_x_wl(SECRET, &x_wl(DECODED, r#"{"a": 1}"#), r#"{"a":1}"#);
    check(&explanation, &[KeyDecoded, BodyReformatted]);
}

#[test]
fn a_body_that_cannot_be_right_is_said_to_be_so() {
    let signature = x_wl(SECRET, BODY);
    check(&of_x_wl(SECRET, &signature, ""), &[BodyEmpty, WrongSecretOrBody]);
    check(&of_x_wl(SECRET, &signature, "[object Object]"), &[BodyIsObjectObject, WrongSecretOrBody]);
    check(&of_x_wl(SECRET, &signature, "{'a': 1}"), &[BodyNotJson, WrongSecretOrBody]);
    check(&of_x_wl(SECRET, &signature, r#"{"a":1}"#), &[WrongSecretOrBody]);
}

#[test]
fn a_slip_in_the_timestamp_is_named() {
    let explain_at = |timestamp: &str, signed: &str, now: i64| {
        let signature = v1(DECODED, &format!("{ID}.{signed}.{BODY}"));
        let headers = Headers {
            webhook_signature: Some(&signature),
            webhook_id: Some(ID),
            webhook_timestamp: Some(timestamp),
            x_wl_signature: None,
        };
        explain(&[SECRET], &headers, BODY.as_bytes(), now)
    };
    for (timestamp, signed, now, expected) in [
        (TIME, TIME, NOW + 301, &[Valid, TimestampTooOld][..]),
        (TIME, TIME, NOW - 301, &[Valid, TimestampTooNew]),
        ("1700000000123", TIME, NOW, &[TimestampInMilliseconds]),
        ("1700000000123", "1700000000123", NOW, &[Valid, TimestampInMilliseconds]),
        (TIME, "1700000000000", NOW, &[SignedMilliseconds]),
        ("2023-11-14T22:13:20Z", TIME, NOW, &[WrongSecretOrBody, MalformedTimestamp]),
    ] {
        check(&explain_at(timestamp, signed, now), expected);
    }
    let hours = explain_at(TIME, TIME, NOW + 3 * 3_600);
    assert!(hours.findings[1].sentence.contains("3 hours old"), "{hours:#?}");
}

#[test]
fn what_is_missing_is_named() {
    let x_wl_alone = |value| Headers { x_wl_signature: value, ..Headers::default() };
    check(&explain(&[SECRET], &x_wl_alone(None), b"{}", NOW), &[NoSignature]);
    check(&explain(&[SECRET], &x_wl_alone(Some("")), b"{}", NOW), &[NoSignature]);
    check(&explain(&[], &x_wl_alone(Some("00")), b"{}", NOW), &[NoSecret]);
    check(&explain(&[], &x_wl_alone(None), b"{}", NOW), &[NoSignature, NoSecret]);
    let signature = v1(DECODED, &content(BODY));
    let standard_alone = Headers { webhook_signature: Some(&signature), ..Headers::default() };
    check(&explain(&[SECRET], &standard_alone, BODY.as_bytes(), NOW), &[MissingHeader, MissingHeader]);
    let short = explain(&["short"], &x_wl_alone(Some(&x_wl(SECRET, BODY))), BODY.as_bytes(), NOW);
    check(&short, &[SecretMalformed, WrongSecretOrBody]);
}

#[test]
fn both_headers_together_tell_more_than_each_alone() {
    let both = |x_wl: &str, standard: &str, secrets: &[&str]| {
        let headers = Headers {
            x_wl_signature: Some(x_wl),
            webhook_id: Some(ID),
            webhook_timestamp: Some(TIME),
            webhook_signature: Some(standard),
        };
        explain(secrets, &headers, BODY.as_bytes(), NOW)
    };
    let (x_wl_now, standard_now) = (x_wl(SECRET, BODY), v1(DECODED, &content(BODY)));
    let valid = both(&x_wl_now, &standard_now, &[OTHER, SECRET]);
    assert!(valid.valid && codes(&valid) == [Valid, Valid], "{valid:#?}");
    assert!(valid.findings[0].sentence.contains("secret 2 of 2"), "{valid:#?}");
    check(&both(&x_wl(OTHER, BODY), &standard_now, &[SECRET]), &[PreviousSecret, Valid]);
    let other_attempt = v1(DECODED, &format!("{ID}.1699999990.{BODY}"));
    check(&both(&x_wl_now, &other_attempt, &[SECRET]), &[Valid, IdOrTimestampMismatch]);
    check(&both(&standard_now, &x_wl_now, &[SECRET]), &[SignatureOfOtherFamily, SignatureOfOtherFamily]);
}

#[test]
fn a_very_long_body_ends_the_search_and_says_so() {
    let body = format!("[\"{}\"]", "x".repeat(4 << 20));
    let explanation = of_x_wl(SECRET, &x_wl(OTHER, &body), &body);
    check(&explanation, &[WrongSecretOrBody, SearchCutShort]);
    check(&of_x_wl(SECRET, &x_wl(DECODED, &body), &body), &[KeyDecoded]);
}

#[test]
fn every_finding_has_a_name_of_its_own_in_kebab_case() {
    let mut names: Vec<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert!(
        names
            .iter()
            .all(|name| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'))
    );
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_findings_named_on_the_page_for_receivers_exist() {
    let page = include_str!("../../../docs/receivers/authentication.md");
    let (_, table) = page.split_once("| what the finding is called |").unwrap();
    let cells = table.lines().filter_map(|line| line.rsplit('|').nth(1));
    let named: Vec<_> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(FindingCode::ALL.iter().any(|code| code.as_str() == name), "{name}");
    }
}

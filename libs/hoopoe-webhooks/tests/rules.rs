//! What the library promises beside the shared vectors: nothing shown, nothing panics, no falling back.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use hoopoe_webhooks::{
    Headers, Secret, Signer, VerifyError, Window, explain, verify, verify_standard, verify_x_wl,
};
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = b"{}";

fn secret(byte: u8) -> Secret {
    Secret::from_random_bytes([byte; 32])
}

#[test]
fn a_new_secret_parses_to_itself_and_holds_32_bytes() {
    let new = secret(7);
    let parsed = Secret::parse(new.expose()).unwrap();
    assert_eq!(parsed.standard_key(), [7; 32]);
    assert_eq!(parsed.platform_key(), new.expose().as_bytes());
    assert!(!parsed.is_raw());
}

#[test]
fn neither_secret_nor_signer_shows_its_key() {
    let secret = Secret::parse("a raw secret of some length").unwrap();
    assert_eq!(format!("{secret:?} {:?}", Signer::new(&secret)), "Secret(…) Signer(…)");
}

/// A request with both families, signed by the one or the other secret.
fn request(x_wl: &Secret, standard: &Secret) -> [(&'static str, String); 4] {
    [
        ("x-wl-signature", Signer::new(x_wl).x_wl_signature(BODY)),
        ("webhook-id", "evt_1".into()),
        ("webhook-timestamp", NOW.to_string()),
        ("webhook-signature", Signer::new(standard).standard("evt_1", NOW, BODY)),
    ]
}

fn check(request: &[(&'static str, String)], now_seconds: i64) -> Result<(), VerifyError> {
    let find = |name: &str| request.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
    verify(&[secret(1)], find, BODY, Window::at(now_seconds))
}

#[test]
fn either_family_is_accepted_alone() {
    let both = request(&secret(1), &secret(1));
    assert_eq!(check(&both, NOW), Ok(()));
    assert_eq!(check(&both[..1], NOW), Ok(()));
    assert_eq!(check(&both[1..], NOW), Ok(()));
}

#[test]
fn a_wrong_or_stale_webhook_signature_is_not_saved_by_the_other_one() {
    let mixed = request(&secret(1), &secret(2));
    assert_eq!(check(&mixed, NOW), Err(VerifyError::Mismatch { name: "webhook-signature" }));
    let stale = check(&request(&secret(1), &secret(1)), NOW + 900);
    assert_eq!(stale, Err(VerifyError::TimestampTooOld { age_seconds: 900 }));
}

/// As `explain` has it too, so that the two never disagree.
#[test]
fn an_empty_webhook_signature_counts_as_not_sent() {
    for empty in ["", " "] {
        let mut emptied = request(&secret(1), &secret(1));
        emptied[3].1 = empty.into();
        assert_eq!(check(&emptied, NOW), Ok(()));
        emptied[0].1 = Signer::new(&secret(2)).x_wl_signature(BODY);
        assert_eq!(check(&emptied, NOW), Err(VerifyError::Mismatch { name: "x-wl-signature" }));
    }
}

#[test]
fn a_request_without_any_signature_lacks_the_standard_one() {
    assert_eq!(check(&[], NOW), Err(VerifyError::MissingHeader { name: "webhook-signature" }));
}

#[test]
fn a_wider_window_accepts_what_the_usual_one_does_not() {
    let request = request(&secret(1), &secret(1));
    let headers = Headers::from_lookup(|name| {
        request.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    });
    let check = |tolerance_seconds| {
        let window = Window { now_seconds: NOW + 3_600, tolerance_seconds };
        verify_standard(&[secret(1)], &headers, BODY, window)
    };
    assert_eq!(check(3_600), Ok(()));
    assert_eq!(check(3_599), Err(VerifyError::TimestampTooOld { age_seconds: 3_600 }));
}

#[test]
fn a_signature_without_a_name_is_taken_for_the_family_it_looks_like() {
    let signature = Signer::new(&secret(1)).standard("evt_1", NOW, BODY);
    assert_eq!(Headers::from_signature(&signature).webhook_signature, Some(signature.as_str()));
    assert_eq!(Headers::from_signature("00ff").x_wl_signature, Some("00ff"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_signed_verifies_and_nothing_else_does(
        raw in "[ -~]{16,80}", body in proptest::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(),
    ) {
        let Ok(secret) = Secret::parse(&raw) else { return Ok(()) };
        let signature = Signer::new(&secret).x_wl_signature(&body);
        let secrets = [secret];
        prop_assert_eq!(verify_x_wl(&secrets, Some(&signature), &body), Ok(()));
        let mut tampered = body.clone();
        tampered.push(0);
        let at = flip.index(tampered.len());
        tampered[at] ^= 1;
        let expected = Err(VerifyError::Mismatch { name: "x-wl-signature" });
        prop_assert_eq!(verify_x_wl(&secrets, Some(&signature), &tampered), expected);
    }

    #[test]
    fn no_input_makes_anything_panic_or_pass(
        texts in proptest::array::uniform4(proptest::option::of("\\PC{0,70}")), text in "\\PC{0,80}", now in any::<i64>(),
    ) {
        let headers = Headers {
            x_wl_signature: texts[0].as_deref(),
            webhook_id: texts[1].as_deref(),
            webhook_timestamp: texts[2].as_deref(),
            webhook_signature: texts[3].as_deref(),
        };
        let _ = Secret::parse(&text);
        prop_assert!(verify_x_wl(&[secret(1)], headers.x_wl_signature, text.as_bytes()).is_err());
        prop_assert!(verify_standard(&[secret(1)], &headers, text.as_bytes(), Window::at(now)).is_err());
        let explanation = explain(&[&text], &headers, text.as_bytes(), now);
        prop_assert!(!explanation.valid);
        prop_assert!(!explanation.findings.is_empty());
    }
}

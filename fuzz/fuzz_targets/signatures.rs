//! Signature headers as strangers send them, and what was really signed: it verifies, with one bit changed it does not, and
//! no other header does. The first 40 bytes make secret, time and what to change; the rest is text and body.
#![no_main]

use hoopoe_webhooks::{
    Headers, Secret, Signer, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, Window, X_WL_SIGNATURE,
    explain, verify, verify_standard, verify_x_wl,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<40>() else { return };
    let [key @ .., a, b, c, d, at, bit, split, _] = *head;
    let key: [u8; 32] = key;
    let secret = Secret::from_random_bytes(key);
    let timestamp = i64::from(u32::from_be_bytes([a, b, c, d]));
    let (text, body) = rest.split_at(rest.len().min(usize::from(split)));
    signed_verifies(&secret, timestamp, body, (usize::from(at), bit % 8));
    if let Ok(text) = std::str::from_utf8(text) {
        strange_headers_do_not(&secret, timestamp, text, body);
        if let Ok(secret) = text.parse::<Secret>() {
            assert_eq!(secret.expose(), text);
            assert!(!format!("{secret:?}").contains(text));
            signed_verifies(&secret, timestamp, body, (usize::from(at), bit % 8));
        }
    }
});

fn signed_verifies(secret: &Secret, timestamp: i64, body: &[u8], (at, bit): (usize, u8)) {
    let signer = Signer::new(secret);
    let (hex, standard) = (signer.x_wl_signature(body), signer.standard("evt_1", timestamp, body));
    let secrets = std::slice::from_ref(secret);
    let stamp = timestamp.to_string();
    let window = Window::at(timestamp);
    let judge = |id: &str, standard: &str, body: &[u8]| {
        let headers = Headers {
            webhook_id: Some(id),
            webhook_timestamp: Some(&stamp),
            webhook_signature: Some(standard),
            ..Headers::default()
        };
        verify_standard(secrets, &headers, body, window)
    };
    assert_eq!(verify_x_wl(secrets, Some(&hex), body), Ok(()));
    assert_eq!(judge("evt_1", &standard, body), Ok(()));
    assert!(judge("evt_2", &standard, body).is_err());

    let mut other = body.to_vec();
    match other.len() {
        0 => other.push(bit),
        length => other[at % length] ^= 1 << bit,
    }
    assert!(verify_x_wl(secrets, Some(&hex), &other).is_err());
    assert!(judge("evt_1", &standard, &other).is_err());
    assert!(verify_x_wl(secrets, Some(&flipped(&hex, at)), body).is_err());
    assert!(judge("evt_1", &flipped(&standard, at), body).is_err());
}

/// Another character in one place.
fn flipped(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let place = at % bytes.len();
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("ASCII")
}

fn strange_headers_do_not(secret: &Secret, timestamp: i64, text: &str, body: &[u8]) {
    let mut values = text.split('\n');
    let [x_wl, id, stamp, standard] = std::array::from_fn(|_| values.next());
    let headers = Headers {
        x_wl_signature: x_wl,
        webhook_id: id,
        webhook_timestamp: stamp,
        webhook_signature: standard,
    };
    let secrets = std::slice::from_ref(secret);
    let window = Window::at(timestamp);
    let lookup = |name: &str| match name {
        X_WL_SIGNATURE => x_wl,
        WEBHOOK_ID => id,
        WEBHOOK_TIMESTAMP => stamp,
        WEBHOOK_SIGNATURE => standard,
        _ => None,
    };
    let either = verify(secrets, lookup, body, window);
    let signer = Signer::new(secret);
    if either.is_ok() {
        let time = stamp.and_then(|stamp| stamp.parse().ok()).unwrap_or_default();
        let by_standard = standard
            .is_some_and(|given| given.contains(&signer.standard(id.unwrap_or_default(), time, body)));
        assert!(by_standard || x_wl == Some(&*signer.x_wl_signature(body)), "{headers:?} verifies");
    }
    for secrets in [[secret.expose(), secret.expose()], [secret.expose(), text]] {
        let explained = explain(&secrets, &headers, body, timestamp);
        assert!(!explained.findings.is_empty());
        assert!(!explained.valid || either.is_ok(), "{headers:?} is called valid: {explained:?}");
        for finding in &explained.findings {
            assert!(
                !finding.sentence.contains(secret.expose()) && !finding.sentence.contains('\n'),
                "{finding:?}"
            );
        }
    }
}

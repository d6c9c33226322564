//! `Idempotency-Key` as clients send it: accepted is exactly what has 1 to 255 printable ASCII characters, as it stands.
#![no_main]

use domain::idempotency_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let fits = (1..=255).contains(&bytes.len()) && bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    match idempotency_key::judge(bytes) {
        Ok(key) => assert!(fits && key.as_bytes() == bytes),
        Err(_) => assert!(!fits),
    }
    // The edges, which random lengths seldom meet.
    for length in [0, 1, 254, 255, 256] {
        let filled: Vec<u8> = bytes.iter().copied().cycle().take(length).collect();
        let fits =
            !filled.is_empty() && length <= 255 && filled.iter().all(|byte| (b' '..=b'~').contains(byte));
        assert_eq!(idempotency_key::judge(&filled).is_ok(), fits, "{length}");
    }
});

//! What a client may send as `Idempotency-Key`. The text alone; what the key stands for is the store's.

use crate::limits::IDEMPOTENCY_KEY_LENGTH_MAX;

/// Why a value is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key is 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters")]
pub struct IdempotencyKeyFault;

/// The key as it stands in the header's value: printable ASCII, a space included.
pub fn judge(value: &[u8]) -> Result<&str, IdempotencyKeyFault> {
    let fits = (1..=IDEMPOTENCY_KEY_LENGTH_MAX).contains(&value.len());
    let printable = value.iter().all(|byte| (b' '..=b'~').contains(byte));
    match std::str::from_utf8(value) {
        Ok(text) if fits && printable => Ok(text),
        _ => Err(IdempotencyKeyFault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_printable_ascii_characters() {
        let [longest, too_long] = [255, 256].map(|length| "x".repeat(length));
        for good in ["a", " ~", "3f2b0e0a-8f5e-4c39-9f0a-2f6c2e6a1d11", &longest] {
            assert_eq!(judge(good.as_bytes()), Ok(good));
        }
        for bad in ["", "a\tb", "a\u{7f}", "schlüssel", &too_long] {
            assert_eq!(judge(bad.as_bytes()), Err(IdempotencyKeyFault), "{bad:?}");
        }
        assert_eq!(judge(b"\xff"), Err(IdempotencyKeyFault));
    }
}

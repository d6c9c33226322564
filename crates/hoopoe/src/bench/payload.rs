//! The benchmark's event: about 1 KB of JSON that the catalogue accepts as a `ContactCreate`, with a sequence number at a
//! fixed place, so that the receiver finds it without parsing JSON. Every payload has the same length.

/// What comes before the sequence number.
const START: &[u8] = br#"{"type":"ContactCreate","id":""#;
const SEQUENCE_DIGITS: usize = 16;
const OWNER_DIGITS: usize = 8;
const LOCATION_START: &str = "bench-";
/// Names of people and towns by turns, all of one length, so that payloads differ as real ones do.
const NAMES: [&str; 8] = ["Ada", "Ben", "Eva", "Ida", "Jan", "Leo", "Mia", "Tom"];

/// Appends event `sequence` of location number `owner`.
pub(super) fn append(out: &mut Vec<u8>, sequence: u64, owner: u64) {
    let name = NAMES[(sequence % NAMES.len() as u64) as usize].as_bytes();
    out.extend_from_slice(START);
    push_digits(out, sequence, SEQUENCE_DIGITS);
    out.extend_from_slice(br#"","locationId":""#);
    out.extend_from_slice(LOCATION_START.as_bytes());
    push_digits(out, owner, OWNER_DIGITS);
    out.extend_from_slice(br#"","firstName":""#);
    out.extend_from_slice(name);
    out.extend_from_slice(br#"","lastName":"Lovelace","name":""#);
    out.extend_from_slice(name);
    out.extend_from_slice(br#" Lovelace","email":""#);
    out.extend_from_slice(name);
    push_digits(out, sequence, SEQUENCE_DIGITS);
    out.extend_from_slice(REST.as_bytes());
}

const REST: &str = r#"@example.com","phone":"+15125550142","address1":"1200 Congress Avenue, Suite 400","city":"Austin","state":"TX","postalCode":"78701","country":"US","companyName":"Analytical Engines Incorporated","website":"https://engines.example.com/about","source":"public api","dateAdded":"2026-03-14T09:26:53.589Z","dateOfBirth":"1985-12-10T00:00:00.000Z","dnd":false,"tags":["newsletter","spring campaign","vip","second contact"],"assignedTo":"kUq7hDkzTnSHwGPkK2bA","attachments":[],"customFields":[{"id":"MgobCB14YMVKuE4Ka8p1","value":"prefers to be called in the afternoon"},{"id":"Yp0uGsbQ1hLmkXeDw4Rz","value":["blue","green"]},{"id":"f8TqVw3nJcEo5aSzMx2L","value":42},{"id":"Qe7RbKd9UyNi6tHgPv1C","value":"https://engines.example.com/files/quote-2026-03.pdf"}]}"#;

/// The sequence number in a payload that [`append`] made; `None` for any other body.
pub(super) fn sequence(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(START)?.get(..SEQUENCE_DIGITS)?;
    let mut value = 0;
    for digit in digits {
        value = value * 10 + u64::from(digit.wrapping_sub(b'0').min(10));
        if !digit.is_ascii_digit() {
            return None;
        }
    }
    Some(value)
}

/// The id of location number `owner`.
pub(super) fn location(owner: u64) -> String {
    format!("{LOCATION_START}{owner:0width$}", width = OWNER_DIGITS)
}

/// Length of every payload, bytes.
pub(super) fn length() -> usize {
    let mut one = Vec::new();
    append(&mut one, 0, 0);
    one.len()
}

/// Appends the last `width` decimal digits of `value`.
pub(super) fn push_digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(sequence: u64, owner: u64) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, sequence, owner);
        out
    }

    #[test]
    fn a_payload_is_what_the_catalogue_calls_a_contact() {
        let catalogue = catalogue::Catalogue::builtin();
        let inspected = catalogue.inspect(&built(7, 42), catalogue::Validate::Reject);
        assert!(inspected.is_ok(), "{:?}", inspected.err());
    }

    #[test]
    fn every_payload_has_about_1_kb_and_the_same_length() {
        assert!((950..1_100).contains(&length()), "{}", length());
        for (sequence, owner) in [(1, 0), (9_999_999_999_999_999, 99_999_999), (8, 10_000)] {
            assert_eq!(built(sequence, owner).len(), length());
        }
    }

    #[test]
    fn the_sequence_number_is_found_again_and_only_in_payloads_of_ours() {
        for number in [0, 1, 1_234_567_890, 9_999_999_999_999_999] {
            assert_eq!(sequence(&built(number, 3)), Some(number));
        }
        for body in [&b""[..], b"{}", START, br#"{"type":"ContactCreate","id":"00000000000000x1""#] {
            assert_eq!(sequence(body), None);
        }
        assert!(String::from_utf8(built(1, 42)).unwrap().contains(&location(42)));
    }
}

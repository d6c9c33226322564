//! The headers that an endpoint's owner adds to every request to the receiver.
//!
//! They may authenticate Hoopoe to the receiver; they may not replace what Hoopoe itself says, change how the request
//! is framed, or pretend that it came from elsewhere. Values are secrets: no fault repeats one.

use crate::limits::{
    FAULTS_MAX, HEADER_BYTES_MAX, HEADER_NAME_LENGTH_MAX, HEADER_VALUE_LENGTH_MAX, HEADERS_MAX,
};

/// What is wrong with one header; an empty name means all of them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFault {
    /// As given, cut to [`HEADER_NAME_LENGTH_MAX`] characters.
    pub name: String,
    /// One sentence that names the fault and what to do.
    pub sentence: String,
}

/// Judges an endpoint's own headers and gives them back in the same order, names in lower case. Otherwise all faults,
/// at most [`FAULTS_MAX`].
pub fn judge<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<(String, String)>, Vec<HeaderFault>> {
    let mut accepted: Vec<(String, String)> = Vec::new();
    let mut faults = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for (name, value) in headers {
        count += 1;
        bytes += name.len() + value.len();
        let lower = name.to_ascii_lowercase();
        let repeated = accepted.iter().any(|(earlier, _)| *earlier == lower).then_some(REPEATED);
        let found = fault_of_name(&lower).into_iter().chain(fault_of_value(value)).chain(repeated);
        faults.extend(found.map(|sentence| fault(name, sentence)));
        if count <= HEADERS_MAX {
            accepted.push((lower, value.to_owned()));
        }
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    faults.extend(faults_of_all(count, bytes));
    faults.truncate(FAULTS_MAX);
    if faults.is_empty() { Ok(accepted) } else { Err(faults) }
}

fn fault(name: &str, sentence: &str) -> HeaderFault {
    let name = name.chars().take(HEADER_NAME_LENGTH_MAX).collect();
    HeaderFault { name, sentence: sentence.to_owned() }
}

fn faults_of_all(count: usize, bytes: usize) -> impl Iterator<Item = HeaderFault> {
    let many = count > HEADERS_MAX;
    let large = bytes > HEADER_BYTES_MAX;
    let many = many.then(|| format!("an endpoint has at most {HEADERS_MAX} headers of its own: remove some"));
    let large = large.then(|| {
        format!("the headers hold more than {HEADER_BYTES_MAX} octets of names and values: shorten them")
    });
    many.into_iter().chain(large).map(|sentence| fault("", &sentence))
}

const REPEATED: &str = "this header is given more than once (upper and lower case are the same): keep one, with its values joined";

fn fault_of_name(lower: &str) -> Option<&'static str> {
    if lower.is_empty() {
        return Some("the name is empty: give the header a name");
    }
    if lower.len() > HEADER_NAME_LENGTH_MAX {
        return Some("the name is longer than 64 characters: shorten it");
    }
    if !lower.bytes().all(is_token_octet) {
        return Some("the name is not a header name: use letters, digits and !#$%&'*+-.^_`|~ only");
    }
    FORBIDDEN.iter().find(|(names, _)| names.iter().any(|pattern| is_named(lower, pattern))).map(|row| row.1)
}

/// A pattern is a name, or the beginning of names where it ends with `*`.
fn is_named(lower: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => lower.starts_with(beginning),
        None => lower == pattern,
    }
}

/// RFC 9110 §5.6.2.
fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// RFC 9110 §5.5 without obs-text; no blanks at the edges, which HTTP/2 forbids (RFC 9113 §8.2.1).
fn fault_of_value(value: &str) -> Option<&'static str> {
    if value.len() > HEADER_VALUE_LENGTH_MAX {
        return Some("the value is longer than 1,024 octets: shorten it");
    }
    if !value.bytes().all(|octet| matches!(octet, b'\t' | b' '..=b'~')) {
        return Some(
            "the value holds a line break, a control or a non-ASCII character: use printable ASCII only",
        );
    }
    if value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
        return Some("the value begins or ends with a blank: remove it");
    }
    None
}

/// Names that an endpoint may not set, with the reason and the remedy.
const FORBIDDEN: [(&[&str], &str); 6] = [
    (
        &["content-type", "content-encoding", "user-agent", "x-wl-*", "webhook-*"],
        "Hoopoe sets this header itself, and receivers rely on it: choose another name",
    ),
    (
        &[
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "upgrade",
            "http2-settings",
            "proxy-*",
            "expect",
        ],
        "this header frames the request or steers its connection: remove it",
    ),
    (
        &[
            "x-forwarded",
            "x-forwarded-*",
            "forwarded",
            "x-real-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "true-client-ip",
            "cf-connecting-ip",
            "fastly-client-ip",
            "via",
        ],
        "this header tells a receiver where a request came from, which only proxies may say: choose another name",
    ),
    (&["accept-encoding"], "answers are read as they come, never compressed: remove this header"),
    (
        &["cookie", "cookie2"],
        "cookies belong to browsers: authenticate with `authorization` or a header of your own",
    ),
    (&["set-cookie", "set-cookie2"], "this header belongs to answers, not to requests: remove it"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Each fault as `name: first words of the sentence`.
    fn faults(headers: &[(&str, &str)]) -> Vec<String> {
        let faults = judge(headers.iter().copied()).expect_err("a fault");
        faults.iter().map(|fault| format!("{}: {}", fault.name, &fault.sentence[..24])).collect()
    }

    #[test]
    fn ordinary_headers_come_back_in_order_with_names_in_lower_case() {
        let given =
            [("X-Team", "crm"), ("Authorization", "Bearer a b\tc"), ("x-empty", ""), ("X_9.z~", "!~")];
        let accepted = judge(given.into_iter()).unwrap();
        let names: Vec<_> = accepted.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-team", "authorization", "x-empty", "x_9.z~"]);
        assert_eq!(accepted[1].1, "Bearer a b\tc");
        assert_eq!(judge(std::iter::empty()), Ok(vec![]));
    }

    #[test]
    fn reserved_names_are_refused_in_any_case() {
        let names = "content-type content-encoding user-agent x-wl-signature x-wl- webhook-id webhook-signature host \
            content-length transfer-encoding connection keep-alive te trailer upgrade http2-settings \
            proxy-authorization proxy-connection expect x-forwarded-for x-forwarded forwarded x-real-ip via \
            x-client-ip x-cluster-client-ip true-client-ip cf-connecting-ip fastly-client-ip accept-encoding cookie \
            cookie2 set-cookie set-cookie2";
        for name in names.split_whitespace() {
            for spelling in [name.to_owned(), name.to_ascii_uppercase()] {
                assert_eq!(faults(&[(&spelling, "x")]).len(), 1, "{spelling}");
            }
        }
    }

    #[test]
    fn names_that_only_resemble_reserved_ones_are_allowed() {
        for name in
            ["hosts", "x-wlan", "webhook", "x-webhook-id", "x-host", "tea", "vian", "proxy", "accept", "date"]
        {
            assert!(judge([(name, "x")].into_iter()).is_ok(), "{name}");
        }
    }

    #[test]
    fn every_octet_of_names_and_values_is_judged() {
        for octet in 0..=127u8 {
            let character = char::from(octet);
            let text = format!("a{character}b");
            let token = character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
            assert_eq!(judge([(text.as_str(), "x")].into_iter()).is_ok(), token, "name with {character:?}");
            let visible = character == '\t' || character == ' ' || character.is_ascii_graphic();
            assert_eq!(
                judge([("a", text.as_str())].into_iter()).is_ok(),
                visible,
                "value with {character:?}"
            );
        }
        assert_eq!(faults(&[("ä", "x"), ("a", "ä"), ("", "x")]).len(), 3);
        assert_eq!(faults(&[("a", " x"), ("b", "x\t"), ("c", " ")]).len(), 3);
    }

    #[test]
    fn every_bound_holds_at_its_edge() {
        let name = "n".repeat(64);
        let value = "v".repeat(1_024);
        assert!(judge([(name.as_str(), value.as_str())].into_iter()).is_ok());
        assert_eq!(faults(&[(&"n".repeat(65), "x")]), [format!("{name}: the name is longer than ")]);
        assert_eq!(faults(&[("a", &"v".repeat(1_025))]), ["a: the value is longer than"]);

        let names: Vec<String> = (0..21).map(|i| format!("h-{i:02}")).collect();
        let of_size =
            |count: usize, value: &'static str| names[..count].iter().map(move |name| (name.as_str(), value));
        assert!(judge(of_size(20, "x")).is_ok());
        assert_eq!(judge(of_size(21, "x")).unwrap_err().len(), 1);
        // 8 × (4 + 1,020) octets are exactly 8 KiB.
        let large: &'static str = "v".repeat(1_020).leak();
        assert!(judge(of_size(8, large)).is_ok());
        assert_eq!(judge(of_size(8, large).chain([("z", "")])).unwrap_err()[0].name, "");
    }

    #[test]
    fn all_faults_are_told_and_no_value_is_repeated() {
        let told = faults(&[("Host", "s3cret\r\n"), ("a", "1"), ("A", "2"), ("b c", "s3cret")]);
        assert_eq!(
            told,
            [
                "Host: this header frames the r",
                "Host: the value holds a line b",
                "A: this header is given mor",
                "b c: the name is not a header",
            ]
        );
        let many = judge(std::iter::repeat_n(("host", "s3cret\n"), 1_000)).unwrap_err();
        assert_eq!(many.len(), FAULTS_MAX);
        assert!(many.iter().all(|fault| !fault.sentence.contains("s3cret")));
    }

    #[test]
    fn the_sentences_state_the_bounds_that_hold() {
        assert!(fault_of_name(&"n".repeat(65)).unwrap().contains(&HEADER_NAME_LENGTH_MAX.to_string()));
        assert_eq!(HEADER_VALUE_LENGTH_MAX, 1_024);
    }
}

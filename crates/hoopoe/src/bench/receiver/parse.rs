//! As much of HTTP/1.1 as the receiver needs: where a request ends, which kind of path it asks for, where its body is.

use memchr::memmem;

use crate::bench::wire::content_length;

const HEAD_END: &[u8] = b"\r\n\r\n";
const HEAD_BYTES_MAX: usize = 64 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Ok,
    Fail,
    Hang,
    Slow,
    /// As the benchmark last said.
    Switch,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    Incomplete,
    Malformed,
    Request { class: Class, body: &'a [u8], length: usize },
}

/// The request at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some(head_end) = memmem::find(bytes, HEAD_END) else {
        return if bytes.len() > HEAD_BYTES_MAX { Parsed::Malformed } else { Parsed::Incomplete };
    };
    let head = &bytes[..head_end];
    let Some(class) = class(head) else { return Parsed::Malformed };
    let body_at = head_end + HEAD_END.len();
    let Some(body_length) = content_length(head).filter(|length| *length <= BODY_BYTES_MAX) else {
        return Parsed::Malformed;
    };
    let length = body_at + body_length;
    match bytes.get(body_at..length) {
        Some(body) => Parsed::Request { class, body, length },
        None => Parsed::Incomplete,
    }
}

/// By the path's first word; what follows it tells endpoints apart.
fn class(head: &[u8]) -> Option<Class> {
    let path = head.strip_prefix(b"POST /")?;
    let classes: [(&[u8], Class); 5] = [
        (b"ok", Class::Ok),
        (b"fail", Class::Fail),
        (b"hang", Class::Hang),
        (b"slow", Class::Slow),
        (b"switch", Class::Switch),
    ];
    classes.iter().find(|(word, _)| path.starts_with(word)).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn several_requests_in_one_read_are_taken_one_by_one() {
        let bytes = [request("/ok/1", "abc"), request("/hang", ""), request("/switch/2", "d")].concat();
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        while let Parsed::Request { class, body, length } = parse(rest) {
            seen.push((class, body.to_vec()));
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        assert_eq!(
            seen,
            [(Class::Ok, b"abc".to_vec()), (Class::Hang, Vec::new()), (Class::Switch, b"d".to_vec())]
        );
    }

    #[test]
    fn a_request_is_incomplete_at_every_byte_but_the_last() {
        let bytes = request("/slow/9", "body");
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Parsed::Incomplete, "{end}");
        }
        assert!(matches!(parse(&bytes), Parsed::Request { class: Class::Slow, body: b"body", .. }));
    }

    #[test]
    fn what_the_product_never_sends_is_malformed() {
        let unframed = b"POST /ok HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        let get = b"GET /ok HTTP/1.1\r\ncontent-length: 0\r\n\r\n".to_vec();
        for bad in [unframed, get, request("/other", ""), vec![b'x'; HEAD_BYTES_MAX + 1]] {
            assert_eq!(parse(&bad), Parsed::Malformed);
        }
    }
}

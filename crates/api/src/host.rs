//! The header `host`: given once, and plain where a link is built from it.

use std::net::Ipv6Addr;

use http::{HeaderMap, Version, header};

use crate::problem::{Code, Problem};

/// Characters of a name in the DNS.
const NAME_LENGTH_MAX: usize = 253;

/// RFC 9112 §3.2: exactly one from HTTP/1.1 on, and never two. Programs on the way would each believe another one.
///
/// # Errors
/// `invalid-host`.
pub(crate) fn judge(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => Ok(()),
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (None, _) => Err(invalid("the request has no header `host`: send it once")),
        (Some(_), Some(_)) => Err(invalid("the header `host` is given more than once: send it once")),
    }
}

/// For a link that people follow.
///
/// # Errors
/// `invalid-host` where it is anything but a name or an address, with or without a port.
pub(crate) fn plain(headers: &HeaderMap) -> Result<&str, Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match is_plain(host) {
        true => Ok(host),
        false => Err(Problem::new(
            Code::InvalidHost,
            "the header `host`, of which the link would be built, is no plain name and port: send it, or let the \
             operator set --public-url",
        )),
    }
}

fn is_plain(host: &str) -> bool {
    let is_port = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let is_rest = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
    if let Some(bracketed) = host.strip_prefix('[') {
        let parts = bracketed.split_once(']');
        return parts.is_some_and(|(ip, rest)| ip.parse::<Ipv6Addr>().is_ok() && is_rest(rest));
    }
    let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_of_name) && is_rest(rest)
}

/// What follows on the connection may be meant for another host.
fn invalid(detail: &'static str) -> Problem {
    Problem::new(Code::InvalidHost, detail).ending_connection()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_host_is_a_name_or_an_address_with_or_without_a_port() {
        for good in
            ["hooks.example.com", "localhost:8080", "10.0.0.1:80", "[::1]", "[2001:db8::1]:443", "a_b-c"]
        {
            assert!(is_plain(good), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "", ":80", "a:", "a:0", "a:65536", "a:+1", "a:8o", "a:1:2", "a/b", "a@b", "a?b", "a#b", "a b",
            "a\\b", "[::1", "[a]", "[::1]a", "[::1]:", "::1", "é", "a%2fb", &long,
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}

//! Which receiver URLs may be registered, judged on the text alone.
//!
//! The WHATWG parser forgives much (`https:\\127.1`, tabs, fullwidth digits, hexadecimal addresses), so the raw text is
//! judged before it parses, and what it parses to afterwards. This module must not resolve a name or open a socket:
//! what a name leads to is judged by `address_rules` at every connection.

mod fault;
mod host;

use std::fmt;

use url::{Position, Url};

pub use fault::UrlFault;
pub use host::Host;

use crate::address_rules::AddressPolicy;
use crate::limits::URL_LENGTH_MAX;

/// How strictly to judge. `--dev` loosens scheme and address rules and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlPolicy {
    /// `https`, and a host on the public Internet.
    Strict,
    /// Also `http`, loopback and private addresses, single-label and special-use names.
    Dev,
}

impl UrlPolicy {
    /// The addresses that go with it, before an operator opens more.
    pub fn addresses(self) -> AddressPolicy {
        match self {
            Self::Strict => AddressPolicy::strict(),
            Self::Dev => AddressPolicy::dev(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Https,
    Http,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// Judges `text` as the URL of an endpoint. The first fault found is told; there is no order to rely on.
pub fn judge(text: &str, policy: UrlPolicy) -> Result<EndpointUrl, UrlFault> {
    judge_with(text, policy, &policy.addresses())
}

/// As [`judge`], where an operator opened addresses or names beyond those of `policy`. The scheme is not theirs to open.
pub fn judge_with(text: &str, policy: UrlPolicy, addresses: &AddressPolicy) -> Result<EndpointUrl, UrlFault> {
    let url = dissect(text, policy)?;
    host::judge(url.host(), policy, addresses)?;
    Ok(url)
}

/// Takes apart a URL that was judged when it was saved. Only its form is judged again: what may be called may have
/// changed since, and is judged at each connection.
pub fn reread(text: &str) -> Result<EndpointUrl, UrlFault> {
    dissect(text, UrlPolicy::Dev)
}

fn dissect(text: &str, policy: UrlPolicy) -> Result<EndpointUrl, UrlFault> {
    judge_characters(text)?;
    let (scheme, rest) = split_scheme(text, policy)?;
    let raw_host = judge_authority(rest)?;
    let url = Url::parse(text).map_err(fault::of_parser)?;
    judge_port(url.port_or_known_default())?;
    let host = host::read(raw_host, url.host())?;
    if url.as_str().len() > URL_LENGTH_MAX {
        return Err(UrlFault::TooLong);
    }
    Ok(EndpointUrl { url, scheme, host })
}

fn judge_characters(text: &str) -> Result<(), UrlFault> {
    if text.chars().nth(URL_LENGTH_MAX).is_some() {
        return Err(UrlFault::TooLong);
    }
    // Beside the controls, Unicode's White_Space is exactly Zs, Zl and Zp.
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(UrlFault::ControlOrSpace);
    }
    if text.contains('\\') {
        return Err(UrlFault::Backslash);
    }
    if text.contains('#') {
        return Err(UrlFault::Fragment);
    }
    Ok(())
}

/// The scheme and what follows `//`. The parser would take `https:host` and `https:///host` as well.
fn split_scheme(text: &str, policy: UrlPolicy) -> Result<(Scheme, &str), UrlFault> {
    let (scheme, rest) = text.split_once(':').ok_or(UrlFault::Scheme(policy))?;
    let scheme = if scheme.eq_ignore_ascii_case("https") {
        Scheme::Https
    } else if scheme.eq_ignore_ascii_case("http") && policy == UrlPolicy::Dev {
        Scheme::Http
    } else {
        return Err(UrlFault::Scheme(policy));
    };
    rest.strip_prefix("//").map(|rest| (scheme, rest)).ok_or(UrlFault::Malformed)
}

/// The host as written, out of `host[:port][/…][?…]`.
fn judge_authority(rest: &str) -> Result<&str, UrlFault> {
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        return Err(UrlFault::Userinfo);
    }
    let port_at = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    match authority.split_at(port_at) {
        ("", _) => Err(UrlFault::NoHost),
        (host, port) if is_port(port) => Ok(host),
        // IPv6 without brackets
        (_, port) if port.matches(':').count() > 1 => Err(UrlFault::AddressMalformed),
        _ => Err(UrlFault::PortMalformed),
    }
}

/// Nothing, or a colon and digits; `https://host:` is valid and means the default port (RFC 3986 §3.2.3).
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn judge_port(port: Option<u16>) -> Result<(), UrlFault> {
    match port {
        None => Err(UrlFault::Malformed),
        Some(0) => Err(UrlFault::PortRefused(0)),
        Some(port) if PORTS_BLOCKED.binary_search(&port).is_ok() => Err(UrlFault::PortRefused(port)),
        Some(_) => Ok(()),
    }
}

/// The Fetch standard's bad ports (<https://fetch.spec.whatwg.org/#port-blocking>): other protocols listen there, and
/// some of them can be spoken to with an HTTP request.
const PORTS_BLOCKED: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// A URL that was judged, in normal form. [`Display`](fmt::Display) and [`as_str`](Self::as_str) give what is stored
/// and shown; judging it again gives the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    url: Url,
    scheme: Scheme,
    host: Host,
}

impl EndpointUrl {
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
    pub fn host(&self) -> &Host {
        &self.host
    }
    /// The port to dial: the scheme's own where the URL names none.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().expect("https and http have a default port")
    }
    /// `host` or `host:port`, as in the `Host` header: without the scheme's own port, IPv6 in brackets.
    pub fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }
    /// As in the request line; begins with `/`.
    pub fn path_and_query(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

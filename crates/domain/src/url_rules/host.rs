//! The host of a receiver URL: a dotted public name, or a public address written plainly.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::{UrlFault, UrlPolicy};
use crate::address_rules::{AddressPolicy, judge_literal};

/// Octets of a name and of one of its labels (RFC 1035 §2.3.4; a name in text form, without the root's dot).
const NAME_LENGTH_MAX: usize = 253;
const LABEL_LENGTH_MAX: usize = 63;

/// Names that mean a private or no network wherever they are resolved: RFC 6761, RFC 6762 (`local`), RFC 7686
/// (`onion`), RFC 8375 (`home.arpa`), RFC 9476 (`alt`), ICANN's `internal`, and what hosts files and
/// Kubernetes use. The longer name first.
const NAMES_RESERVED: [&str; 12] = [
    "localhost",
    "localdomain",
    "localdomain6",
    "cluster.local",
    "local",
    "internal",
    "home.arpa",
    "onion",
    "invalid",
    "test",
    "alt",
    "svc",
];

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An ASCII name in lower case, without a dot at its end.
    Name(String),
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

/// `raw` is the host as written, `parsed` what the parser made of it.
pub(super) fn judge(raw: &str, parsed: Option<url::Host<&str>>, policy: UrlPolicy) -> Result<Host, UrlFault> {
    if raw.contains('%') {
        return Err(UrlFault::NameMalformed);
    }
    match parsed {
        Some(url::Host::Domain(name)) => judge_name(name, policy).map(|()| Host::Name(name.to_owned())),
        Some(url::Host::Ipv4(ip)) => judge_ipv4(raw, ip, policy),
        Some(url::Host::Ipv6(ip)) => judge_address(IpAddr::V6(ip), policy),
        None => Err(UrlFault::NoHost),
    }
}

/// The parser also takes octal, hexadecimal, short and fullwidth spellings; another program may read them otherwise.
fn judge_ipv4(raw: &str, ip: Ipv4Addr, policy: UrlPolicy) -> Result<Host, UrlFault> {
    if raw.parse() != Ok(ip) {
        return Err(UrlFault::AddressMalformed);
    }
    judge_address(IpAddr::V4(ip), policy)
}

fn judge_address(ip: IpAddr, policy: UrlPolicy) -> Result<Host, UrlFault> {
    let addresses = match policy {
        UrlPolicy::Strict => AddressPolicy::strict(),
        UrlPolicy::Dev => AddressPolicy::dev(),
    };
    judge_literal(ip, &addresses).map_err(UrlFault::AddressNotPublic)?;
    Ok(Host::Ip(ip))
}

/// `name` has gone through IDNA: lower-case ASCII.
fn judge_name(name: &str, policy: UrlPolicy) -> Result<(), UrlFault> {
    if name.ends_with('.') {
        return Err(UrlFault::NameTrailingDot);
    }
    if name.len() > NAME_LENGTH_MAX || name.split('.').any(|label| label.len() > LABEL_LENGTH_MAX) {
        return Err(UrlFault::NameTooLong);
    }
    if !name.split('.').all(is_label) {
        return Err(UrlFault::NameMalformed);
    }
    match policy {
        UrlPolicy::Strict => judge_public_name(name),
        UrlPolicy::Dev => Ok(()),
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn judge_public_name(name: &str) -> Result<(), UrlFault> {
    if let Some(reserved) = NAMES_RESERVED.into_iter().find(|reserved| is_under(name, reserved)) {
        return Err(UrlFault::NameReserved(reserved));
    }
    if name.contains('.') { Ok(()) } else { Err(UrlFault::NameSingleLabel) }
}

/// Equal to, or a name below.
fn is_under(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

//! The host of a receiver URL: a dotted public name, or a public address written plainly.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::{UrlFault, UrlPolicy};
use crate::address_rules::{AddressPolicy, judge_literal, judge_name};
use crate::name_rules::{self, LABEL_LENGTH_MAX, NAME_LENGTH_MAX, is_label};

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

/// The host by its form alone. `raw` is the host as written, `parsed` what the parser made of it.
pub(super) fn read(raw: &str, parsed: Option<url::Host<&str>>) -> Result<Host, UrlFault> {
    if raw.contains('%') {
        return Err(UrlFault::NameMalformed);
    }
    match parsed {
        Some(url::Host::Domain(name)) => judge_form(name).map(|()| Host::Name(name.to_owned())),
        Some(url::Host::Ipv4(ip)) => read_ipv4(raw, ip),
        Some(url::Host::Ipv6(ip)) => Ok(Host::Ip(IpAddr::V6(ip))),
        None => Err(UrlFault::NoHost),
    }
}

/// Whether the host may be registered, whatever a look-up may say.
pub(super) fn judge(host: &Host, policy: UrlPolicy, addresses: &AddressPolicy) -> Result<(), UrlFault> {
    match host {
        Host::Ip(ip) => judge_literal(*ip, addresses).map_err(UrlFault::AddressNotPublic),
        Host::Name(name) => {
            if policy == UrlPolicy::Strict && !addresses.allows_name(name) {
                judge_public_name(name)?;
            }
            judge_name(name, addresses).map_err(|_| UrlFault::NameOfMetadata)
        }
    }
}

/// The parser also takes octal, hexadecimal, short and fullwidth spellings; another program may read them otherwise.
fn read_ipv4(raw: &str, ip: Ipv4Addr) -> Result<Host, UrlFault> {
    if raw.parse() == Ok(ip) { Ok(Host::Ip(IpAddr::V4(ip))) } else { Err(UrlFault::AddressMalformed) }
}

/// `name` has gone through IDNA: lower-case ASCII.
fn judge_form(name: &str) -> Result<(), UrlFault> {
    if name.ends_with('.') {
        return Err(UrlFault::NameTrailingDot);
    }
    if name.len() > NAME_LENGTH_MAX || name.split('.').any(|label| label.len() > LABEL_LENGTH_MAX) {
        return Err(UrlFault::NameTooLong);
    }
    if name.split('.').all(is_label) { Ok(()) } else { Err(UrlFault::NameMalformed) }
}

fn judge_public_name(name: &str) -> Result<(), UrlFault> {
    if let Some(reserved) = name_rules::reserved(name) {
        return Err(UrlFault::NameReserved(reserved));
    }
    if name.contains('.') { Ok(()) } else { Err(UrlFault::NameSingleLabel) }
}

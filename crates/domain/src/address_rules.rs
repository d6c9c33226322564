//! Which addresses may be dialled: public unicast and nothing else, unless the operator opened more.
//!
//! One function judges what DNS answered ([`judge_answer`]), one what a customer wrote into a URL ([`judge_literal`]);
//! both read the table in `registry`. A third ([`judge_name`]) refuses the names of metadata services. This module must not resolve names, open sockets, or show an address to a
//! customer: an [`AddressFault`] says which row refused, for the operator's log.
//!
//! What a table cannot know: the network-specific translation prefixes of RFC 6052 (a site's own NAT64), and
//! ordinary public addresses that a site uses inside. A firewall is the place for those.

mod cidr;
mod registry;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use cidr::{Cidr, CidrFault};
pub use registry::Kind;
use registry::Row;

use crate::name_rules::{MetadataName, NamePattern, metadata_name};

/// Judges a name before it is looked up, a URL's as well as any other. It is ASCII in lower case.
pub fn judge_name(name: &str, policy: &AddressPolicy) -> Result<(), MetadataName> {
    match metadata_name(name) {
        Some(fault) if !policy.names.iter().any(|allowed| allowed.is_exactly(name)) => Err(fault),
        _ => Ok(()),
    }
}

/// Judges one address that a name resolved to. IPv4-mapped and `64:ff9b::/96` answers are what a resolver on an
/// IPv6-only or translating network gives for an ordinary IPv4 receiver, so the IPv4 address inside decides.
pub fn judge_answer(ip: IpAddr, policy: &AddressPolicy) -> Result<(), AddressFault> {
    judge_literal(carried(ip).map_or(ip, IpAddr::V4), policy)
}

/// Judges an address as written in a URL. Spellings that carry an IPv4 address are refused whatever they carry:
/// a person who means an IPv4 address writes one.
pub fn judge_literal(ip: IpAddr, policy: &AddressPolicy) -> Result<(), AddressFault> {
    match registry::row_of(ip) {
        Some(row) if !policy.opens(row, ip) => Err(AddressFault { row }),
        _ => Ok(()),
    }
}

/// The IPv4 address that a translator or the socket layer would really reach (RFC 4291 §2.5.5.2, RFC 6052 §2.1).
fn carried(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let [a, b, c, d, e, f, high, low] = ip.segments();
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

/// What may be dialled beyond public unicast addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPolicy {
    reach: Reach,
    allowed: Vec<Cidr>,
    names: Vec<NamePattern>,
}

/// Each reaches what the one before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Reach {
    Public,
    Local,
    Special,
}

impl AddressPolicy {
    /// Public unicast addresses only.
    pub fn strict() -> Self {
        Self { reach: Reach::Public, allowed: Vec::new(), names: Vec::new() }
    }

    /// `serve --dev`: also loopback and private addresses (RFC 1918, unique local). Link-local and metadata
    /// addresses, multicast, the unspecified address and every other special block stay refused.
    pub fn dev() -> Self {
        Self { reach: Reach::Local, allowed: Vec::new(), names: Vec::new() }
    }

    /// Further opens what the operator named. A block opens neither the unspecified address, multicast, nor forms that
    /// hide another address; it opens link-local and metadata addresses only where it is that one address (`/32`,
    /// `/128`), so that a generous block does not open them by accident.
    #[must_use]
    pub fn with_allowed(mut self, allowed: impl IntoIterator<Item = Cidr>) -> Self {
        self.allowed.extend(allowed);
        self
    }

    /// Further opens what the operator trusts by name: what such a name resolves to may be private or special, never a
    /// metadata address or a form that hides another, unless `with_allowed` opens that. A metadata service's own name is
    /// opened only by itself, not by a `*`.
    #[must_use]
    pub fn with_allowed_names(mut self, names: impl IntoIterator<Item = NamePattern>) -> Self {
        self.names.extend(names);
        self
    }

    /// The policy for what `name` resolves to.
    pub fn for_answers_of(&self, name: &str) -> Cow<'_, Self> {
        if self.allows_name(name) {
            Cow::Owned(Self { reach: Reach::Special, ..self.clone() })
        } else {
            Cow::Borrowed(self)
        }
    }

    /// Whether the operator opened the name, so that it need not be a public one.
    pub fn allows_name(&self, name: &str) -> bool {
        self.names.iter().any(|allowed| allowed.covers(name))
    }

    fn opens(&self, row: &Row, ip: IpAddr) -> bool {
        let allowed = || self.allowed.iter().any(|block| block.contains(ip));
        match row.kind {
            Kind::Local => self.reach >= Reach::Local || allowed(),
            Kind::Special => self.reach >= Reach::Special || allowed(),
            Kind::HostAgent => self.allowed.contains(&Cidr::single(ip)),
            Kind::Never => false,
        }
    }
}

/// Why an address may not be dialled: the row that holds it, for the log (a row of one address shows that address).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressFault {
    row: &'static Row,
}

impl AddressFault {
    /// The registry's name of the block, such as `private use`.
    pub fn name(self) -> &'static str {
        self.row.name
    }
    /// What might have opened it.
    pub fn kind(self) -> Kind {
        self.row.kind
    }
    /// The block; `None` where the rule is not a block (ISATAP).
    pub fn block(self) -> Option<Cidr> {
        self.row.block
    }
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, source, block, .. } = self.row;
        match block {
            Some(block) => write!(f, "{name} ({block}, {source})"),
            None => write!(f, "{name} ({source})"),
        }
    }
}

impl std::error::Error for AddressFault {}

/// An ISATAP interface identifier (RFC 5214 §6.1), under any prefix.
fn is_isatap(ip: Ipv6Addr) -> bool {
    let [.., high, low, _, _] = ip.segments();
    matches!(high, 0 | 0x0200) && low == 0x5efe
}

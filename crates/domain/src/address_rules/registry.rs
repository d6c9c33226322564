//! The blocks that are not public unicast, most specific first. A table and its lookup: no policy here.
//!
//! Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, as of 2025-10), IANA IPv6 Address Space,
//! and the cloud providers' documents for addresses at which a host answers for its provider. Rows that the registries
//! call globally reachable (protocol anycast, AS112, AMT) are refused as well: no receiver lives there.

use std::net::IpAddr;

use super::{Cidr, is_isatap};

/// What may open a row; see `AddressPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Loopback and private use: `--dev`, or an operator's block.
    Local,
    /// Special by registry: an operator's block.
    Special,
    /// Metadata services and host agents, and the link-local blocks in which most of them live: an operator who
    /// names that one address.
    HostAgent,
    /// Nothing: names no single host, or hides another address from the judge.
    Never,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) block: Option<Cidr>,
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) kind: Kind,
}

/// The first row that holds `ip`; `None` is a public unicast address.
pub(super) fn row_of(ip: IpAddr) -> Option<&'static Row> {
    let rows = match ip {
        IpAddr::V4(_) => V4,
        IpAddr::V6(ip) if is_isatap(ip) => return Some(&ISATAP),
        IpAddr::V6(_) => V6,
    };
    rows.iter().find(|row| row.block.is_some_and(|block| block.contains(ip)))
}

const fn v4(octets: [u8; 4], prefix: u8, kind: Kind, name: &'static str, source: &'static str) -> Row {
    Row { block: Some(Cidr::v4(octets, prefix)), name, source, kind }
}

/// `head` is the first half of the network's address; every block but those of `v6_tail` ends there.
const fn v6(head: u64, prefix: u8, kind: Kind, name: &'static str, source: &'static str) -> Row {
    Row { block: Some(Cidr::v6(head, 0, prefix)), name, source, kind }
}

const fn v6_tail(
    halves: (u64, u64),
    prefix: u8,
    kind: Kind,
    name: &'static str,
    source: &'static str,
) -> Row {
    Row { block: Some(Cidr::v6(halves.0, halves.1, prefix)), name, source, kind }
}

use Kind::{HostAgent, Local, Never, Special};

static V4: &[Row] = &[
    v4([168, 63, 129, 16], 32, HostAgent, "Azure host agent", "Microsoft Azure documentation"),
    v4([100, 100, 100, 200], 32, HostAgent, "Alibaba Cloud metadata", "Alibaba Cloud documentation"),
    v4([100, 96, 0, 96], 32, HostAgent, "Volcengine and BytePlus metadata", "BytePlus ECS documentation"),
    v4([192, 0, 0, 192], 32, HostAgent, "Oracle Cloud metadata", "Oracle Cloud documentation"),
    v4(
        [169, 254, 169, 254],
        32,
        HostAgent,
        "cloud metadata",
        "documentation of AWS, Google Cloud, Azure and others",
    ),
    v4([169, 254, 170, 2], 32, HostAgent, "AWS container credentials", "Amazon ECS documentation"),
    v4([0, 0, 0, 0], 8, Never, "this network", "RFC 791 section 3.2"),
    v4([10, 0, 0, 0], 8, Local, "private use", "RFC 1918"),
    v4([100, 64, 0, 0], 10, Special, "shared address space", "RFC 6598"),
    v4([127, 0, 0, 0], 8, Local, "loopback", "RFC 1122 section 3.2.1.3"),
    v4([169, 254, 0, 0], 16, HostAgent, "link-local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, Local, "private use", "RFC 1918"),
    v4([192, 0, 0, 0], 29, Special, "IPv4 service continuity prefix", "RFC 7335"),
    v4([192, 0, 0, 8], 32, Special, "IPv4 dummy address", "RFC 7600"),
    v4([192, 0, 0, 9], 32, Special, "port control protocol anycast", "RFC 7723"),
    v4([192, 0, 0, 10], 32, Special, "TURN anycast", "RFC 8155"),
    v4([192, 0, 0, 170], 31, Special, "NAT64/DNS64 discovery", "RFC 8880"),
    v4([192, 0, 0, 0], 24, Special, "IETF protocol assignments", "RFC 6890 section 2.1"),
    v4([192, 0, 2, 0], 24, Special, "documentation (TEST-NET-1)", "RFC 5737"),
    v4([192, 31, 196, 0], 24, Special, "AS112-v4", "RFC 7535"),
    v4([192, 52, 193, 0], 24, Special, "automatic multicast tunnelling", "RFC 7450"),
    v4([192, 88, 99, 2], 32, Special, "6a44 relay anycast", "RFC 6751"),
    v4([192, 88, 99, 0], 24, Special, "6to4 relay anycast, deprecated", "RFC 7526"),
    v4([192, 168, 0, 0], 16, Local, "private use", "RFC 1918"),
    v4([192, 175, 48, 0], 24, Special, "direct delegation AS112 service", "RFC 7534"),
    v4([198, 18, 0, 0], 15, Special, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, Special, "documentation (TEST-NET-2)", "RFC 5737"),
    v4([203, 0, 113, 0], 24, Special, "documentation (TEST-NET-3)", "RFC 5737"),
    v4([224, 0, 0, 0], 4, Never, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, Never, "limited broadcast", "RFC 919 section 7"),
    v4([240, 0, 0, 0], 4, Special, "reserved for future use", "RFC 1112 section 4"),
];

static V6: &[Row] = &[
    v6_tail((0, 0), 128, Never, "unspecified address", "RFC 4291 section 2.5.2"),
    v6_tail((0, 1), 128, Local, "loopback", "RFC 4291 section 2.5.3"),
    v6_tail((0, 0xffff_0000_0000), 96, Never, "IPv4-mapped address", "RFC 4291 section 2.5.5.2"),
    v6_tail((0, 0xffff_0000_0000_0000), 96, Never, "IPv4-translated address (SIIT)", "RFC 2765"),
    v6_tail((0, 0), 96, Never, "IPv4-compatible address, deprecated", "RFC 4291 section 2.5.5.1"),
    v6_tail((0x0064_ff9b_0000_0000, 0), 96, Never, "IPv4-IPv6 translation", "RFC 6052"),
    // Prefix lengths inside are the site's choice, so what an address carries cannot be judged: it may be metadata.
    v6(0x0064_ff9b_0001_0000, 48, Never, "local-use IPv4-IPv6 translation", "RFC 8215"),
    v6(0x0100_0000_0000_0000, 64, Special, "discard-only", "RFC 6666"),
    v6(0x0100_0000_0000_0001, 64, Special, "dummy prefix", "RFC 9780"),
    v6(0x2001_0000_0000_0000, 32, Never, "Teredo", "RFC 4380"),
    v6_tail((0x2001_0001_0000_0000, 1), 128, Special, "port control protocol anycast", "RFC 7723"),
    v6_tail((0x2001_0001_0000_0000, 2), 128, Special, "TURN anycast", "RFC 8155"),
    v6_tail((0x2001_0001_0000_0000, 3), 128, Special, "DNS-SD SRP anycast", "RFC 9665"),
    v6(0x2001_0002_0000_0000, 48, Special, "benchmarking", "RFC 5180"),
    v6(0x2001_0003_0000_0000, 32, Special, "automatic multicast tunnelling", "RFC 7450"),
    v6(0x2001_0004_0112_0000, 48, Special, "AS112-v6", "RFC 7535"),
    v6(0x2001_0010_0000_0000, 28, Special, "ORCHID, deprecated", "RFC 4843"),
    v6(0x2001_0020_0000_0000, 28, Special, "ORCHIDv2", "RFC 7343"),
    v6(0x2001_0030_0000_0000, 28, Special, "drone remote id", "RFC 9374"),
    v6(0x2001_0000_0000_0000, 23, Special, "IETF protocol assignments", "RFC 2928"),
    v6(0x2001_0db8_0000_0000, 32, Special, "documentation", "RFC 3849"),
    v6(0x2002_0000_0000_0000, 16, Never, "6to4", "RFC 3056"),
    v6(0x2620_004f_8000_0000, 48, Special, "direct delegation AS112 service", "RFC 7534"),
    v6(0x3fff_0000_0000_0000, 20, Special, "documentation", "RFC 9637"),
    v6(0x5f00_0000_0000_0000, 16, Special, "segment routing (SRv6) SIDs", "RFC 9602"),
    v6(0xfd00_0ec2_0000_0000, 32, HostAgent, "AWS metadata and host services", "Amazon EC2 documentation"),
    v6_tail(
        (0xfd20_00ce_0000_0000, 0x254),
        128,
        HostAgent,
        "Google Cloud metadata",
        "Google Cloud documentation",
    ),
    v6_tail((0xfd00_0042_0000_0000, 0x42), 128, HostAgent, "Scaleway metadata", "Scaleway documentation"),
    v6_tail(
        (0xfd00_00c1_0000_0000, 0xa9fe_a9fe),
        128,
        HostAgent,
        "Oracle Cloud metadata",
        "Oracle Cloud documentation",
    ),
    v6_tail((0xfd00_a9fe_a9fe_0000, 1), 128, HostAgent, "Linode metadata", "Linode documentation"),
    v6_tail(
        (0xfd00_0100_0000_0000, 0x0100_0200),
        128,
        HostAgent,
        "Alibaba Cloud metadata",
        "Alibaba Cloud documentation",
    ),
    v6(0xfc00_0000_0000_0000, 7, Local, "unique local", "RFC 4193"),
    v6(0xfe80_0000_0000_0000, 10, HostAgent, "link-local", "RFC 4291 section 2.5.6"),
    v6(0xfec0_0000_0000_0000, 10, Special, "site-local, deprecated", "RFC 3879"),
    v6(0xff00_0000_0000_0000, 8, Never, "multicast", "RFC 4291 section 2.7"),
    // Together everything but 2000::/3, the only block from which public addresses are assigned.
    v6(0x0000_0000_0000_0000, 3, Special, "not global unicast", "RFC 4291 section 2.4"),
    v6(0x4000_0000_0000_0000, 2, Special, "not global unicast", "RFC 4291 section 2.4"),
    v6(0x8000_0000_0000_0000, 1, Special, "not global unicast", "RFC 4291 section 2.4"),
];

static ISATAP: Row =
    Row { block: None, name: "ISATAP interface identifier", source: "RFC 5214 section 6.1", kind: Never };

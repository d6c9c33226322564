//! An address block. Only what the rules need: parse, print, contain; no arithmetic, no iteration.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address block such as `10.0.0.0/8`; the bits behind the prefix are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// The block of exactly one address.
    pub fn single(ip: IpAddr) -> Self {
        Self { network: ip, prefix: width(ip) }
    }

    pub fn contains(self, ip: IpAddr) -> bool {
        width(self.network) == width(ip) && (top_bits(self.network) ^ top_bits(ip)) & mask(self.prefix) == 0
    }

    /// For the table, where a wrong row does not compile.
    pub(super) const fn v4(octets: [u8; 4], prefix: u8) -> Self {
        let network = Ipv4Addr::from_octets(octets);
        assert!(prefix <= 32 && ((network.to_bits() as u128) << 96) & !mask(prefix) == 0);
        Self { network: IpAddr::V4(network), prefix }
    }

    /// `head` is the first 64 bits, `tail` the last.
    pub(super) const fn v6(head: u64, tail: u64, prefix: u8) -> Self {
        let bits = (head as u128) << 64 | tail as u128;
        assert!(prefix <= 128 && bits & !mask(prefix) == 0);
        Self { network: IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix }
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn top_bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

const fn mask(prefix: u8) -> u128 {
    match u128::MAX.checked_shr(prefix as u32) {
        Some(rest) => !rest,
        None => u128::MAX,
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network {
            // std prints `::ffff:0:0` as `::ffff:0.0.0.0`, which is not how the registry writes the block.
            IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some_and(|inner| inner.is_unspecified()) => {
                write!(f, "::ffff:0:0/{}", self.prefix)
            }
            ip => write!(f, "{ip}/{}", self.prefix),
        }
    }
}

/// Why a text is not an address block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CidrFault {
    #[error("not an address block: write `10.1.0.0/16`, `fd12::/16` or one address")]
    Malformed,
    #[error("the prefix length is a number from 0 to {0} without sign or leading zero")]
    Prefix(u8),
    #[error("the address has bits behind its prefix: write the block as {0}")]
    HostBits(Cidr),
    #[error("addresses of this form are judged by the IPv4 address inside: write the IPv4 block")]
    CarriesIpv4,
}

impl FromStr for Cidr {
    type Err = CidrFault;

    /// An address is the block of that one address.
    fn from_str(text: &str) -> Result<Self, CidrFault> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let ip: IpAddr = address.parse().map_err(|_| CidrFault::Malformed)?;
        if super::carried(ip).is_some() {
            return Err(CidrFault::CarriesIpv4);
        }
        let prefix = prefix.map_or(Ok(width(ip)), |prefix| prefix_length(prefix, width(ip)))?;
        let block = Self { network: network_of(ip, prefix), prefix };
        if block.network == ip { Ok(block) } else { Err(CidrFault::HostBits(block)) }
    }
}

fn prefix_length(text: &str, most: u8) -> Result<u8, CidrFault> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let prefix = if plain { text.parse().ok() } else { None };
    prefix.filter(|prefix| *prefix <= most).ok_or(CidrFault::Prefix(most))
}

fn network_of(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (mask(prefix) >> 96) as u32)),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask(prefix))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_parsed_and_printed_as_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "192.168.1.7/32", "::/0", "fd00::/8", "2001:db8::1/128"] {
            assert_eq!(text.parse::<Cidr>().map(|block| block.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("10.1.2.3".parse::<Cidr>().unwrap().to_string(), "10.1.2.3/32");
    }

    #[test]
    fn what_is_not_a_block_is_refused_with_a_reason() {
        let fault = |text: &str| text.parse::<Cidr>().unwrap_err();
        for text in ["", "/8", "ten", "10.0.0.0.0/8", "010.0.0.0/8", "fe80::1%eth0/64", "[::1]/128", "10/8"] {
            assert_eq!(fault(text), CidrFault::Malformed, "{text}");
        }
        for text in ["10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/999"]
        {
            assert_eq!(fault(text), CidrFault::Prefix(32), "{text}");
        }
        assert_eq!(fault("::/129"), CidrFault::Prefix(128));
        assert_eq!(fault("10.0.0.1/8"), CidrFault::HostBits("10.0.0.0/8".parse().unwrap()));
        assert_eq!(fault("fd12::1/16"), CidrFault::HostBits("fd12::/16".parse().unwrap()));
        assert_eq!(fault("::ffff:10.0.0.0/104"), CidrFault::CarriesIpv4);
        assert_eq!(fault("64:ff9b::a00:0/104"), CidrFault::CarriesIpv4);
    }

    #[test]
    fn a_block_contains_its_edges_and_not_their_neighbours() {
        let holds = |block: &str, ip: &str| block.parse::<Cidr>().unwrap().contains(ip.parse().unwrap());
        assert!(holds("10.64.0.0/10", "10.64.0.0") && holds("10.64.0.0/10", "10.127.255.255"));
        assert!(!holds("10.64.0.0/10", "10.63.255.255") && !holds("10.64.0.0/10", "10.128.0.0"));
        assert!(
            holds("0.0.0.0/0", "255.255.255.255") && holds("::/0", "ffff::") && !holds("::/0", "1.2.3.4")
        );
        assert!(holds("fd12::1/128", "fd12::1") && !holds("fd12::1/128", "fd12::2"));
    }
}

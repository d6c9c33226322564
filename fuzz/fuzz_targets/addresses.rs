//! Which addresses may be dialled, against a predicate written apart from the product's table; and the texts with which an
//! operator opens more. The first byte picks the policy, the next 16 are an address, the rest is text.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::address_rules::{AddressPolicy, Cidr, judge_answer, judge_literal};
use domain::name_rules::NamePattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, text)) = bytes.split_first_chunk::<17>() else { return };
    let [pick, address @ ..] = *head;
    let v6 = Ipv6Addr::from(address);
    let v4 = Ipv4Addr::from([address[0], address[1], address[2], address[3]]);
    judge(pick, IpAddr::V6(v6));
    judge(pick, IpAddr::V4(v4));
    judge(pick, IpAddr::V6(v4.to_ipv6_mapped()));
    judge(pick, IpAddr::V6(translated(v4)));
    // Random octets seldom begin as a special block does.
    let [a, b] = BEGINNINGS[usize::from(pick) % BEGINNINGS.len()];
    judge(pick, IpAddr::V4(Ipv4Addr::new(a, b, address[2], address[3])));
    if let Ok(text) = std::str::from_utf8(text) {
        parse(text, [v4.into(), v6.into()]);
    }
});

/// First two octets of blocks, of their last addresses, and of single addresses.
const BEGINNINGS: [[u8; 2]; 24] = [
    [0, 0],
    [0, 255],
    [10, 0],
    [10, 255],
    [100, 64],
    [100, 96],
    [100, 100],
    [100, 127],
    [127, 0],
    [127, 255],
    [168, 63],
    [169, 254],
    [172, 16],
    [172, 31],
    [192, 0],
    [192, 88],
    [192, 168],
    [198, 18],
    [198, 19],
    [198, 51],
    [203, 0],
    [224, 0],
    [239, 255],
    [255, 255],
];

fn judge(pick: u8, ip: IpAddr) {
    let strict = AddressPolicy::strict();
    let answer = judge_answer(ip, &strict);
    assert!(answer.is_err() || !is_private(ip), "{ip} is allowed");
    assert!(judge_literal(ip, &strict).is_err() || answer.is_ok(), "{ip}: as a literal, not as an answer");
    if is_metadata(ip) || is_never(ip) {
        let everything = ["0.0.0.0/0", "::/0"].map(|block| block.parse::<Cidr>().expect("a block"));
        let names = ["a.internal".parse().expect("a name")];
        let open = if pick & 1 == 0 { AddressPolicy::strict() } else { AddressPolicy::dev() };
        let open = open.with_allowed(everything).with_allowed_names(names);
        assert!(judge_answer(ip, &open.for_answers_of("a.internal")).is_err(), "{ip} is opened by accident");
    }
    if answer.is_ok() {
        assert!(judge_answer(ip, &AddressPolicy::dev()).is_ok(), "{ip}: --dev refuses more");
    }
}

/// What a block or a name prints reads as the same, and a block holds what its numbers say.
fn parse(text: &str, ips: [IpAddr; 2]) {
    if let Ok(block) = text.parse::<Cidr>() {
        let printed = block.to_string();
        assert_eq!(printed.parse(), Ok(block));
        for ip in ips {
            assert_eq!(block.contains(ip), holds(&printed, ip), "{printed} {ip}");
        }
    }
    if let Ok(pattern) = text.parse::<NamePattern>() {
        let printed = pattern.to_string();
        assert_eq!(printed.parse(), Ok(pattern.clone()));
        match printed.strip_prefix("*.") {
            Some(parent) => assert!(pattern.covers(&format!("a.{parent}")) && !pattern.covers(parent)),
            None => assert!(pattern.covers(&printed) && !pattern.covers(&format!("a.{printed}"))),
        }
    }
}

fn holds(block: &str, ip: IpAddr) -> bool {
    let (network, prefix) = block.split_once('/').expect("printed with its prefix");
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => format!("{:032b}", ip.to_bits()),
        IpAddr::V6(ip) => format!("{:0128b}", ip.to_bits()),
    };
    let network = bits(network.parse().expect("an address"));
    let prefix: usize = prefix.parse().expect("a number");
    network.len() == bits(ip).len() && network[..prefix] == bits(ip)[..prefix]
}

fn translated(ip: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = ip.octets().map(u16::from);
    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d)
}

/// The IPv4 address that a packet to a mapped or translated address would reach.
fn inside(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => {
            let last = Ipv4Addr::from_bits(ip.to_bits() as u32);
            ip.to_ipv4_mapped().or_else(|| (translated(last) == ip).then_some(last))
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    if is_metadata(ip) || is_never(ip) {
        return true;
    }
    match (inside(ip), ip) {
        (Some(ip), _) => {
            let [a, b, c, _] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_documentation()
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18)
                || (a, b, c) == (192, 0, 0)
                || (a, b, c) == (192, 88, 99)
        }
        (None, IpAddr::V6(ip)) => {
            let [a, b, ..] = ip.segments();
            // Outside global unicast, or in 2001::/23, documentation, or SRv6.
            a >> 13 != 1 || (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a == 0x3fff && b < 0x1000)
        }
        (None, IpAddr::V4(_)) => unreachable!("an IPv4 address is inside itself"),
    }
}

fn is_metadata(ip: IpAddr) -> bool {
    match (inside(ip), ip) {
        (Some(ip), _) => {
            let named = [[168, 63, 129, 16], [100, 100, 100, 200], [100, 96, 0, 96], [192, 0, 0, 192]];
            ip.is_link_local() || named.contains(&ip.octets())
        }
        (None, IpAddr::V6(ip)) => ip.is_unicast_link_local() || ip.segments()[..2] == [0xfd00, 0xec2],
        (None, IpAddr::V4(_)) => unreachable!("an IPv4 address is inside itself"),
    }
}

fn is_never(ip: IpAddr) -> bool {
    match (inside(ip), ip) {
        (Some(ip), _) => ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast(),
        (None, IpAddr::V6(ip)) => {
            let s = ip.segments();
            let isatap = (s[4] == 0 || s[4] == 0x200) && s[5] == 0x5efe;
            let compatible = s[..6] == [0; 6] && ip != Ipv6Addr::LOCALHOST;
            let siit = s[..6] == [0, 0, 0, 0, 0xffff, 0];
            ip.is_multicast() || isatap || compatible || siit || s[0] == 0x2002 || s[..2] == [0x2001, 0]
        }
        (None, IpAddr::V4(_)) => unreachable!("an IPv4 address is inside itself"),
    }
}

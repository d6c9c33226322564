//! What may be dialled, from a table of cases and properties that hold for every address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hoopoe_domain::address_rules::{
    AddressFault, AddressPolicy, Cidr, judge_answer, judge_literal, judge_name,
};
use proptest::prelude::*;

#[test]
fn the_table_of_addresses_holds() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in
        include_str!("addresses.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [address, answer, literal, dev, _, ..] = cells[..] else {
            panic!("a row without a reason: {line}")
        };
        let ip: IpAddr = address.parse().expect(address);
        let literal = if literal == "=" { answer } else { literal };
        let found = [
            verdict(judge_answer(ip, &AddressPolicy::strict())),
            verdict(judge_literal(ip, &AddressPolicy::strict())),
            verdict(judge_answer(ip, &AddressPolicy::dev())),
        ];
        if found != [answer, literal, dev] {
            wrong.push(format!("{address}: expected {answer} {literal} {dev}, found {found:?}"));
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows >= 200, "only {rows} rows were read");
}

fn verdict(judged: Result<(), AddressFault>) -> String {
    match judged.map_err(AddressFault::block) {
        Ok(()) => "ok".into(),
        Err(Some(block)) => block.to_string(),
        Err(None) => "isatap".into(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn block(text: &str) -> Cidr {
    text.parse().expect(text)
}

#[test]
fn an_operator_opens_a_block_and_nothing_beside_it() {
    let policy = AddressPolicy::strict().with_allowed([block("10.1.0.0/16"), block("fd12::/16")]);
    for open in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::1", "8.8.8.8"] {
        assert_eq!(judge_answer(ip(open), &policy), Ok(()), "{open}");
    }
    for shut in ["10.0.255.255", "10.2.0.0", "::ffff:10.2.0.0", "fd13::1", "127.0.0.1", "169.254.169.254"] {
        assert!(judge_answer(ip(shut), &policy).is_err(), "{shut}");
    }
    assert!(judge_literal(ip("::ffff:10.1.2.3"), &policy).is_err());
}

#[test]
fn a_generous_block_opens_neither_metadata_nor_what_names_no_host() {
    let policy = AddressPolicy::dev().with_allowed([block("0.0.0.0/0"), block("::/0")]);
    for open in ["10.0.0.1", "127.0.0.1", "100.64.0.1", "203.0.113.1", "240.0.0.1", "2001:db8::1", "fec0::1"]
    {
        assert_eq!(judge_answer(ip(open), &policy), Ok(()), "{open}");
    }
    let shut = "0.0.0.0 169.254.1.1 169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192 \
        224.0.0.1 255.255.255.255 :: ::8.8.8.8 ::ffff:0:8.8.8.8 2001::1 2002:808:808::1 2606:4700::5efe:8.8.8.8 \
        ff02::1 fe80::1 fd00:ec2::254 ::ffff:169.254.169.254";
    for shut in shut.split_whitespace() {
        assert!(judge_answer(ip(shut), &policy).is_err(), "{shut}");
    }
}

#[test]
fn a_metadata_address_is_opened_only_by_its_own_name() {
    let policy = AddressPolicy::strict().with_allowed([block("169.254.169.254"), block("fe80::/64")]);
    assert_eq!(judge_answer(ip("169.254.169.254"), &policy), Ok(()));
    assert!(judge_answer(ip("169.254.170.2"), &policy).is_err());
    assert!(judge_answer(ip("fe80::1"), &policy).is_err());
}

#[test]
fn an_allowed_name_leads_to_private_and_special_addresses_and_to_no_metadata() {
    let policy = AddressPolicy::strict()
        .with_allowed([block("100.100.100.200")])
        .with_allowed_names(["hooks.internal", "*.corp.example"].map(|name| name.parse().unwrap()));
    let judged = |name: &str, text: &str| judge_answer(ip(text), &policy.for_answers_of(name));
    let open = "8.8.8.8 10.0.0.1 127.0.0.1 ::1 fd12::1 100.64.0.1 203.0.113.1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 \
        100.100.100.200";
    for open in open.split_whitespace() {
        assert_eq!(judged("hooks.internal", open), Ok(()), "{open}");
        assert_eq!(judged("a.corp.example", open), Ok(()), "{open}");
    }
    let shut = "169.254.169.254 168.63.129.16 100.96.0.96 169.254.1.1 fe80::1 fd00:ec2::254 0.0.0.0 224.0.0.1 :: \
        2002:a00:1::1 2001::1 ::10.0.0.1 fd12::5efe:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe";
    for shut in shut.split_whitespace() {
        assert!(judged("hooks.internal", shut).is_err(), "{shut}");
    }
    for name in ["other.internal", "a.hooks.internal", "corp.example"] {
        assert!(judged(name, "10.0.0.1").is_err(), "{name}");
        assert!(judged(name, "8.8.8.8").is_ok(), "{name}");
    }
}

#[test]
fn a_metadata_services_name_is_refused_before_it_is_looked_up_also_under_dev() {
    for policy in [AddressPolicy::strict(), AddressPolicy::dev()] {
        assert!(judge_name("metadata.goog", &policy).is_err());
        assert!(judge_name("metadata.google.internal", &policy).is_err());
        assert_eq!(judge_name("hooks.example.com", &policy), Ok(()));
    }
}

#[test]
fn a_fault_names_the_row_with_its_source() {
    let told = |text: &str| judge_answer(ip(text), &AddressPolicy::strict()).unwrap_err().to_string();
    assert_eq!(told("10.20.30.40"), "private use (10.0.0.0/8, RFC 1918)");
    assert_eq!(told("168.63.129.16"), "Azure host agent (168.63.129.16/32, Microsoft Azure documentation)");
    assert_eq!(told("2606:4700::5efe:1.2.3.4"), "ISATAP interface identifier (RFC 5214 section 6.1)");
}

/// Random bits rarely meet a special block, so half of the addresses begin as one.
fn any_ipv4() -> impl Strategy<Value = Ipv4Addr> {
    let first = prop::sample::select(vec![0u8, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224, 255]);
    prop_oneof![any::<u32>(), (first, any::<u32>()).prop_map(|(a, rest)| u32::from(a) << 24 | rest >> 8)]
        .prop_map(Ipv4Addr::from_bits)
}

proptest! {
    #[test]
    fn an_answer_that_carries_ipv4_is_judged_as_that_ipv4(inner in any_ipv4()) {
        let translated = Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(inner.to_bits()));
        for policy in [AddressPolicy::strict(), AddressPolicy::dev()] {
            let plain = judge_answer(inner.into(), &policy);
            prop_assert_eq!(judge_answer(inner.to_ipv6_mapped().into(), &policy), plain);
            prop_assert_eq!(judge_answer(translated.into(), &policy), plain);
            prop_assert!(judge_literal(inner.to_ipv6_mapped().into(), &policy).is_err());
            prop_assert!(judge_literal(translated.into(), &policy).is_err());
            prop_assert_eq!(judge_literal(inner.into(), &policy), plain);
        }
    }

    #[test]
    fn what_std_knows_as_not_public_is_refused(inner in any_ipv4()) {
        let special = inner.is_private() || inner.is_loopback() || inner.is_link_local() || inner.is_multicast()
            || inner.is_broadcast() || inner.is_documentation() || inner.is_unspecified();
        prop_assert!(!special || judge_answer(inner.into(), &AddressPolicy::strict()).is_err());
    }

    #[test]
    fn public_ipv6_lies_in_global_unicast_and_dev_only_adds(bits in any::<u128>()) {
        let ip = Ipv6Addr::from_bits(bits);
        if judge_literal(ip.into(), &AddressPolicy::strict()).is_ok() {
            prop_assert_eq!(bits >> 125, 1, "{} is outside 2000::/3", ip);
            prop_assert!(judge_literal(ip.into(), &AddressPolicy::dev()).is_ok());
        }
    }
}

#[test]
fn the_independent_list_of_forbidden_and_legitimate_addresses_passes_whole() {
    let verdict = |judged: Result<(), AddressFault>| if judged.is_ok() { "allowed" } else { "forbidden" };
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for line in include_str!("verdicts.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [address, answer, literal, _, ..] = cells[..] else { panic!("a row without a reason: {line}") };
        let found = [
            judge_answer(ip(address), &AddressPolicy::strict()),
            judge_literal(ip(address), &AddressPolicy::strict()),
        ];
        if found.map(verdict) != [answer, literal] {
            wrong.push(line);
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows >= 200, "only {rows} rows were read");
}

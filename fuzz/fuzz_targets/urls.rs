//! What a customer may write as the URL of a receiver. What is accepted means the same when it is read again, and names
//! no host that a list kept apart from the product's calls private.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use domain::address_rules::AddressPolicy;
use domain::url_rules::{EndpointUrl, Host, Scheme, UrlPolicy, judge, judge_with, reread};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let dev = judge(text, UrlPolicy::Dev);
    if let Ok(url) = &dev {
        says_the_same_again(url, UrlPolicy::Dev);
    }
    let Ok(url) = judge(text, UrlPolicy::Strict) else {
        return may_open_names_but_not_schemes(text);
    };
    assert_eq!(dev, Ok(url.clone()), "--dev refuses what is accepted otherwise");
    says_the_same_again(&url, UrlPolicy::Strict);
    assert_eq!(url.scheme(), Scheme::Https);
    match url.host() {
        Host::Name(name) => is_a_public_name(name),
        Host::Ip(ip) => is_a_public_address(text, *ip),
    }
});

fn says_the_same_again(url: &EndpointUrl, policy: UrlPolicy) {
    assert_eq!(judge(url.as_str(), policy).as_ref(), Ok(url));
    assert_eq!(reread(url.as_str()).as_ref(), Ok(url));
    let parsed = url::Url::parse(url.as_str()).expect("an accepted URL parses");
    assert_eq!(parsed.as_str(), url.as_str());
    assert_eq!(parsed.host_str(), Some(url.host().to_string().as_str()));
    assert_eq!(parsed.port_or_known_default(), Some(url.port()));
    assert!(parsed.username().is_empty() && parsed.password().is_none() && parsed.fragment().is_none());
    assert!(url.port() != 0 && url.as_str().len() <= 2_048);
    assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(url.path_and_query().starts_with('/'));
    assert_eq!(
        url.as_str(),
        format!("{}://{}{}", url.scheme().as_str(), url.authority(), url.path_and_query())
    );
}

fn is_a_public_name(name: &str) {
    let labels: Vec<&str> = name.split('.').collect();
    assert!(labels.len() >= 2 && labels.iter().all(|label| (1..=63).contains(&label.len())), "{name}");
    assert!(name.len() <= 253 && !name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name}");
    assert!(name.parse::<IpAddr>().is_err(), "{name}");
    for private in
        ["localhost", "local", "internal", "onion", "test", "invalid", "svc", "home.arpa", "metadata.goog"]
    {
        assert!(name != private && !name.ends_with(&format!(".{private}")), "{name}");
    }
}

fn is_a_public_address(text: &str, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            assert!(is_public_ipv4(ip), "{ip}");
            assert!(text.contains(&ip.to_string()), "{ip} was written in another way");
        }
        IpAddr::V6(ip) => {
            let head = ip.segments();
            assert_eq!(head[0] >> 13, 1, "{ip} is outside 2000::/3");
            assert!(head[0] != 0x2002 && head[..2] != [0x2001, 0] && head[..2] != [0x2001, 0xdb8], "{ip}");
        }
    }
}

fn is_public_ipv4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_unspecified()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18);
    !special
}

fn may_open_names_but_not_schemes(text: &str) {
    let names = ["hooks.internal", "*.local"].map(|name| name.parse().expect("a name"));
    let opened = AddressPolicy::strict().with_allowed_names(names);
    if let Ok(url) = judge_with(text, UrlPolicy::Strict, &opened) {
        assert_eq!(url.scheme(), Scheme::Https);
        let host = url.host().to_string();
        assert!(host == "hooks.internal" || host.ends_with(".local"), "{host} was not opened");
    }
}

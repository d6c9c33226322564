//! What may be registered, from a table of cases and properties that hold for every text.

use hoopoe_domain::address_rules::{AddressPolicy, judge_literal};
use hoopoe_domain::url_rules::{EndpointUrl, Host, Scheme, UrlFault, UrlPolicy, judge, judge_with, reread};
use proptest::prelude::*;

#[test]
fn the_table_of_urls_holds() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in include_str!("urls.txt").lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let Some((rest, dev)) = line.rsplit_once(" | ") else { continue };
        let (url, strict) = rest.rsplit_once(" | ").expect(line);
        let dev = if dev == "same" { strict } else { dev };
        let text = expanded(url);
        for (policy, expected) in [(UrlPolicy::Strict, strict), (UrlPolicy::Dev, dev)] {
            let expected = expanded(expected).replace("ok =", &format!("ok {text}"));
            let found = verdict(judge(&text, policy));
            if found != expected {
                wrong.push(format!("{url} {policy:?}: expected {expected}, found {found}"));
            }
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows >= 120, "only {rows} rows were read");
}

fn verdict(judged: Result<EndpointUrl, UrlFault>) -> String {
    judged.map_or_else(|fault| fault.code().to_owned(), |url| format!("ok {url}"))
}

/// `\u{5c}` and `{3*x}` spelled out.
fn expanded(text: &str) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').expect(text);
    let (before, middle) = match (before.strip_suffix("\\u"), inside.split_once('*')) {
        (Some(before), _) => (before, character(inside).to_string()),
        (None, Some((times, what))) => (before, what.repeat(times.parse().expect(text))),
        (None, None) => panic!("neither a character nor a repetition: {text}"),
    };
    before.to_owned() + &middle + &expanded(after)
}

fn character(hexadecimal: &str) -> char {
    u32::from_str_radix(hexadecimal, 16).ok().and_then(char::from_u32).expect(hexadecimal)
}

#[test]
fn an_accepted_url_says_where_to_dial() {
    let url = judge("https://Hooks.Example.com:8443?a=b", UrlPolicy::Strict).unwrap();
    assert_eq!((url.scheme(), url.port()), (Scheme::Https, 8443));
    assert_eq!(url.host(), &Host::Name("hooks.example.com".into()));
    assert_eq!((url.authority(), url.path_and_query()), ("hooks.example.com:8443", "/?a=b"));

    let url = judge("http://[::1]/a/b?", UrlPolicy::Dev).unwrap();
    assert_eq!((url.scheme(), url.port()), (Scheme::Http, 80));
    assert_eq!(url.host(), &Host::Ip("::1".parse().unwrap()));
    assert_eq!((url.authority(), url.path_and_query()), ("[::1]", "/a/b?"));
    assert_eq!(url.host().to_string(), "[::1]");
}

#[test]
fn every_blocked_port_is_refused_and_its_neighbours_are_not() {
    // Kept apart from the implementation's list: https://fetch.spec.whatwg.org/#port-blocking, as ranges.
    let blocked = "0-1 7 9 11 13 15 17 19-23 25 37 42-43 53 69 77 79 87 95 101-104 109-111 113 115 117 119 123 135 137 \
        139 143 161 179 389 427 465 512-515 526 530-532 540 548 554 556 563 587 601 636 989-990 993 995 1719-1720 1723 \
        2049 3659 4045 4190 5060-5061 6000 6566 6665-6669 6679 6697 10080";
    let ranges: Vec<(u16, u16)> = blocked
        .split_whitespace()
        .map(|range| range.split_once('-').unwrap_or((range, range)))
        .map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()))
        .collect();
    for port in 0..=u16::MAX {
        let expected = ranges.iter().any(|(first, last)| (*first..=*last).contains(&port));
        let refused = judge(&format!("https://example.com:{port}/"), UrlPolicy::Strict);
        assert_eq!(refused == Err(UrlFault::PortRefused(port)), expected, "{port}");
        assert_eq!(refused.is_err(), expected, "{port}");
    }
}

#[test]
fn a_sentence_says_what_to_do_and_never_repeats_the_url() {
    let told = |text: &str| judge(text, UrlPolicy::Strict).unwrap_err().to_string();
    assert_eq!(
        told("http://example.com/s3cret"),
        "only https URLs are accepted: begin the URL with https://"
    );
    assert_eq!(
        told("https://10.0.0.1/s3cret"),
        "the address is not public unicast but private use (10.0.0.0/8, RFC 1918): use a host name or an address on the public Internet"
    );
    assert_eq!(
        told("https://a.svc.cluster.local/s3cret"),
        "host names in `cluster.local` do not exist on the public Internet: use a public host name"
    );
    for text in ["https://s3cret@x.example/", "https://s3cret", "https://x.example/#s3cret", "s3cret"] {
        assert!(!told(text).contains("s3cret"), "{text}");
    }
}

/// Pieces that URLs are made of, and what attackers put between them.
fn url_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "https:",
        "http:",
        "//",
        "/",
        "\\",
        "?",
        "#",
        "@",
        ":",
        ".",
        "..",
        "[",
        "]",
        "::",
        "%",
        "%2e",
        "%00",
        "0x7f",
        "0177",
        "127",
        "10",
        "8",
        "8.8.8.8",
        "127.0.0.1",
        "443",
        "25",
        "65536",
        "localhost",
        "example",
        "com",
        "internal",
        "xn--",
        "xn--mnchen-3ya",
        "ü",
        "。",
        "１",
        "ｌ",
        "\u{ad}",
        "\u{200d}",
        "\u{feff}",
        " ",
        "\t",
        "\n",
        "ffff:",
        "2606:4700::1",
        "64:ff9b::",
        "-",
        "_",
        "*",
        "|",
        "é",
        "💩",
    ]);
    let tail = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    prop_oneof![
        tail.clone().prop_map(|tail| format!("https://{tail}")),
        tail.clone().prop_map(|tail| format!("https://{tail}.com/")),
        tail
    ]
}

fn holds_for(text: &str) -> Result<(), TestCaseError> {
    let dev = judge(text, UrlPolicy::Dev);
    if let Ok(url) = &dev {
        prop_assert_eq!(&judge(url.as_str(), UrlPolicy::Dev), &dev, "judged again: {:?}", text);
        prop_assert!(url.path_and_query().starts_with('/'));
        prop_assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic()), "{}", url);
    }
    let Ok(url) = judge(text, UrlPolicy::Strict) else { return Ok(()) };
    prop_assert_eq!(&dev, &Ok(url.clone()), "--dev refuses what is accepted otherwise: {:?}", text);
    prop_assert!(url.scheme() == Scheme::Https && url.as_str().starts_with("https://"));
    match url.host() {
        Host::Name(name) => {
            prop_assert!(name.contains('.') && name.split('.').all(|label| !label.is_empty()), "{}", name);
            let last = name.rsplit('.').next().unwrap_or_default();
            prop_assert!(!is_number(last), "{}", name);
        }
        Host::Ip(ip) => prop_assert_eq!(judge_literal(*ip, &AddressPolicy::strict()), Ok(())),
    }
    Ok(())
}

/// What ends in a number is an address (URL Standard, "ends in a number"). `0x7flocalhost` is none.
fn is_number(label: &str) -> bool {
    let digits = |text: &str, is_digit: fn(&u8) -> bool| text.as_bytes().iter().all(is_digit);
    digits(label, u8::is_ascii_digit)
        || label.strip_prefix("0x").is_some_and(|hex| digits(hex, u8::is_ascii_hexdigit))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_judged_without_a_panic(text in any::<String>()) {
        holds_for(&text)?;
        holds_for(&format!("https://{text}"))?;
        holds_for(&format!("https://example.com/{text}"))?;
    }

    #[test]
    fn what_looks_like_a_url_is_judged_without_a_panic(text in url_like()) {
        holds_for(&text)?;
    }
}

#[test]
fn an_operator_opens_names_and_addresses_for_https_alone() {
    let opened = AddressPolicy::strict()
        .with_allowed(["10.1.0.0/16".parse().unwrap(), "203.0.113.7".parse().unwrap()])
        .with_allowed_names(["hooks.internal", "receiver", "*.corp.local"].map(|name| name.parse().unwrap()));
    let judged = |text: &str| judge_with(text, UrlPolicy::Strict, &opened).map_err(UrlFault::code);
    for open in [
        "https://hooks.internal/in",
        "https://Receiver:8443/",
        "https://a.b.corp.local/",
        "https://10.1.2.3/",
        "https://203.0.113.7/",
        "https://hooks.example.com/",
    ] {
        assert!(judged(open).is_ok(), "{open}");
        let url = judged(open).unwrap();
        assert_eq!(reread(url.as_str()), Ok(url), "{open}");
    }
    for (shut, code) in [
        ("http://hooks.internal/in", "scheme"),
        ("http://10.1.2.3/", "scheme"),
        ("https://other.internal/", "reserved-name"),
        ("https://a.hooks.internal/", "reserved-name"),
        ("https://corp.local/", "reserved-name"),
        ("https://other/", "single-label"),
        ("https://10.2.0.1/", "address-not-public"),
        ("https://203.0.113.8/", "address-not-public"),
        ("https://[::ffff:10.1.2.3]/", "address-not-public"),
        ("https://hooks.internal:25/", "blocked-port"),
    ] {
        assert_eq!(judged(shut).unwrap_err(), code, "{shut}");
    }
}

#[test]
fn a_star_does_not_open_a_metadata_services_name_and_the_name_itself_does() {
    let judged = |allowed: &str| {
        let opened = AddressPolicy::strict().with_allowed_names([allowed.parse().unwrap()]);
        judge_with("https://metadata.google.internal/", UrlPolicy::Strict, &opened).map_err(UrlFault::code)
    };
    assert_eq!(judged("*.internal").unwrap_err(), "metadata-name");
    assert_eq!(judged("*.google.internal").unwrap_err(), "metadata-name");
    assert!(judged("metadata.google.internal").is_ok());
}

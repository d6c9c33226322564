//! The last word before a socket is opened: which of the addresses that a name led to may be dialled.
//!
//! One refused answer refuses the attempt: a name that leads both outside and inside is either misconfigured or an
//! attack that waits for the inner answer to be taken. The refused address goes to the operator's log, never further.

use std::net::IpAddr;

use domain::address_rules::{AddressFault, AddressPolicy, Kind, judge_answer, judge_literal, judge_name};
use domain::outcome::Failure;

use super::progress::Progress;

/// Why no connection was opened, or none was used; what `/metrics` tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Loopback or private use.
    Private,
    /// Special by registry.
    Special,
    /// Link-local, metadata services and host agents.
    Metadata,
    /// An address that names no single host or hides another one.
    Never,
    /// A metadata service's name, whatever it resolves to.
    MetadataName,
    /// The socket led elsewhere than to the address that was judged.
    OtherPeer,
}

impl Refused {
    pub const ALL: [Self; 6] =
        [Self::Private, Self::Special, Self::Metadata, Self::Never, Self::MetadataName, Self::OtherPeer];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Special => "special",
            Self::Metadata => "metadata",
            Self::Never => "never",
            Self::MetadataName => "metadata-name",
            Self::OtherPeer => "other-peer",
        }
    }

    fn of(fault: AddressFault) -> Self {
        match fault.kind() {
            Kind::Local => Self::Private,
            Kind::Special => Self::Special,
            Kind::HostAgent => Self::Metadata,
            Kind::Never => Self::Never,
        }
    }
}

/// Judges an address that the URL itself names; no later attempt can differ.
pub(super) fn literal(
    ip: IpAddr,
    policy: &AddressPolicy,
    progress: &Progress,
) -> Result<Vec<IpAddr>, Failure> {
    judge_literal(ip, policy).map(|()| vec![ip]).map_err(|fault| {
        tracing::warn!(block = fault.name(), "a receiver's URL names an address that may not be called");
        progress.refused(Refused::of(fault));
        Failure::Blocked { for_good: true }
    })
}

/// Judges a URL's name before it is looked up; no later attempt can differ.
pub(super) fn name(name: &str, policy: &AddressPolicy, progress: &Progress) -> Result<(), Failure> {
    judge_name(name, policy).map_err(|fault| {
        tracing::warn!(%fault, "a receiver's URL has the name of a metadata service");
        progress.refused(Refused::MetadataName);
        Failure::Blocked { for_good: true }
    })
}

/// Judges all that a name resolved to; gives the addresses in the order in which they are to be tried, IPv4 first
/// (a machine without IPv6 finds out at no cost only if it does not have to try).
pub(super) fn answers(
    name: &str,
    mut ips: Vec<IpAddr>,
    policy: &AddressPolicy,
    progress: &Progress,
) -> Result<Vec<IpAddr>, Failure> {
    let policy = policy.for_answers_of(name);
    if ips.is_empty() {
        return Err(Failure::Dns("the name has no address".to_owned()));
    }
    for ip in &ips {
        judge_answer(*ip, &policy).map_err(|fault| {
            tracing::warn!(
                name,
                block = fault.name(),
                "a receiver's name leads to an address that may not be called"
            );
            progress.refused(Refused::of(fault));
            Failure::Blocked { for_good: false }
        })?;
    }
    ips.sort_by_key(IpAddr::is_ipv6);
    Ok(ips)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use testkit::ManualClock;

    use super::*;

    fn progress() -> Progress {
        Progress::new(Arc::new(ManualClock::at_real_time()))
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn one_refused_answer_among_good_ones_refuses_all() {
        let strict = AddressPolicy::strict();
        for mixed in
            [&["93.184.215.14", "127.0.0.1"][..], &["10.0.0.1", "93.184.215.14"], &["::ffff:169.254.169.254"]]
        {
            assert_eq!(
                answers("hooks.example.com", ips(mixed), &strict, &progress()),
                Err(Failure::Blocked { for_good: false }),
                "{mixed:?}"
            );
        }
    }

    #[test]
    fn good_answers_are_tried_ipv4_first() {
        let given = ips(&["2606:4700::1111", "93.184.215.14", "93.184.215.15"]);
        let expected = ips(&["93.184.215.14", "93.184.215.15", "2606:4700::1111"]);
        assert_eq!(answers("hooks.example.com", given, &AddressPolicy::strict(), &progress()), Ok(expected));
    }

    #[test]
    fn a_literal_is_refused_for_good_unless_the_policy_opens_it() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(
            literal(loopback, &AddressPolicy::strict(), &progress()),
            Err(Failure::Blocked { for_good: true })
        );
        assert_eq!(literal(loopback, &AddressPolicy::dev(), &progress()), Ok(vec![loopback]));
    }

    #[test]
    fn no_answer_is_a_dns_failure() {
        assert!(matches!(
            answers("a.example", Vec::new(), &AddressPolicy::dev(), &progress()),
            Err(Failure::Dns(_))
        ));
    }
}

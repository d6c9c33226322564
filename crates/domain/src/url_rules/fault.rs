//! What can be wrong with a receiver URL, in the customer's words. Never repeats the URL: it may hold a secret.

use url::ParseError;

use super::UrlPolicy;
use crate::address_rules::AddressFault;
use crate::limits::URL_LENGTH_MAX;

/// Why a URL is refused: a stable [`code`](Self::code), and a sentence that says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    #[error(
        "the URL is longer than {URL_LENGTH_MAX} characters (once normalised): shorten its path or query"
    )]
    TooLong,
    #[error("the URL contains a space or an invisible character: remove it or percent-encode it")]
    ControlOrSpace,
    #[error("the URL contains a backslash: write a slash, or %5C if a backslash is meant")]
    Backslash,
    #[error("the URL contains a fragment: remove `#` and what follows, which is never sent to a receiver")]
    Fragment,
    #[error("{}", scheme_sentence(*.0))]
    Scheme(UrlPolicy),
    #[error("this is not a complete URL: write it as https://host/path")]
    Malformed,
    #[error(
        "the URL contains a user name or password: remove what stands before `@` and use a header instead"
    )]
    Userinfo,
    #[error("the URL has no host: write it as https://host/path")]
    NoHost,
    #[error("the port is not a number from 1 to 65535: correct it, or leave it out")]
    PortMalformed,
    #[error(
        "port {0} belongs to another protocol and is never called: use 443 or another port of your web server"
    )]
    PortRefused(u16),
    #[error(
        "the host is not a well-formed IP address: write IPv4 as four decimal numbers without leading zeros, and IPv6 in brackets without a zone"
    )]
    AddressMalformed,
    #[error(
        "the address is not public unicast but {0}: use a host name or an address on the public Internet"
    )]
    AddressNotPublic(AddressFault),
    #[error(
        "the host name is malformed: use labels of letters, digits, hyphens and underscores between single dots"
    )]
    NameMalformed,
    #[error("the host name ends with a dot: remove the dot")]
    NameTrailingDot,
    #[error("the host name is too long: a label has at most 63 octets and the whole name at most 253")]
    NameTooLong,
    #[error("the host name has one label only: use a full name such as hooks.example.com")]
    NameSingleLabel,
    #[error("host names in `{0}` do not exist on the public Internet: use a public host name")]
    NameReserved(&'static str),
    #[error(
        "this host name belongs to a cloud provider's metadata service, which is never called: use the name of your own server"
    )]
    NameOfMetadata,
}

impl UrlFault {
    /// Stable, for programs and tests; the API's own code for all of them is `invalid-url`.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::ControlOrSpace => "control-or-space",
            Self::Backslash => "backslash",
            Self::Fragment => "fragment",
            Self::Scheme(_) => "scheme",
            Self::Malformed => "malformed",
            Self::Userinfo => "userinfo",
            Self::NoHost => "no-host",
            Self::PortMalformed => "malformed-port",
            Self::PortRefused(_) => "blocked-port",
            Self::AddressMalformed => "malformed-address",
            Self::AddressNotPublic(_) => "address-not-public",
            Self::NameMalformed => "malformed-name",
            Self::NameTrailingDot => "trailing-dot",
            Self::NameTooLong => "name-too-long",
            Self::NameSingleLabel => "single-label",
            Self::NameReserved(_) => "reserved-name",
            Self::NameOfMetadata => "metadata-name",
        }
    }
}

fn scheme_sentence(policy: UrlPolicy) -> &'static str {
    match policy {
        UrlPolicy::Strict => "only https URLs are accepted: begin the URL with https://",
        UrlPolicy::Dev => "only https and http URLs are accepted: begin the URL with https:// or http://",
    }
}

pub(super) fn of_parser(error: ParseError) -> UrlFault {
    match error {
        ParseError::EmptyHost => UrlFault::NoHost,
        ParseError::InvalidPort => UrlFault::PortMalformed,
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => UrlFault::AddressMalformed,
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => UrlFault::NameMalformed,
        _ => UrlFault::Malformed,
    }
}

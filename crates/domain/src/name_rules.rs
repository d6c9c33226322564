//! Names that are judged before anyone looks them up: those that no public receiver has, those of clouds' metadata
//! services, and those that an operator opens. Text alone: this module must not resolve, and judges no address.

use std::fmt;
use std::str::FromStr;

/// Octets of a name and of one of its labels (RFC 1035 §2.3.4; a name in text form, without the root's dot).
pub(crate) const NAME_LENGTH_MAX: usize = 253;
pub(crate) const LABEL_LENGTH_MAX: usize = 63;

/// Names that mean a private or no network wherever they are resolved: RFC 6761, RFC 6762 (`local`), RFC 7686
/// (`onion`), RFC 8375 (`home.arpa`), RFC 9476 (`alt`), ICANN's `internal`, and what hosts files and
/// Kubernetes use. The longer name first.
const NAMES_RESERVED: [&str; 12] = [
    "localhost",
    "localdomain",
    "localdomain6",
    "cluster.local",
    "local",
    "internal",
    "home.arpa",
    "onion",
    "invalid",
    "test",
    "alt",
    "svc",
];

/// Names at which clouds answer for their metadata services, each with the document that names it. Several lie outside
/// `internal`, and what they resolve to is the provider's choice, so they are refused whatever it is.
const NAMES_OF_METADATA: [(&str, &str); 9] = [
    ("metadata.google.internal", "Google Cloud: About VM metadata"),
    ("metadata.goog", "Google Cloud: About VM metadata"),
    ("instance-data.ec2.internal", "Amazon EC2: Retrieve instance metadata"),
    // The same through the search domain of a VPC.
    ("instance-data", "Amazon EC2: Retrieve instance metadata"),
    ("metadata.tencentyun.com", "Tencent Cloud CVM: Querying Instance Metadata"),
    ("api.metadata.cloud.ibm.com", "IBM Cloud VPC: Instance metadata service"),
    ("metadata.platformequinix.com", "Equinix Metal: Metadata"),
    ("metadata.packet.net", "Packet: Metadata, now Equinix Metal"),
    ("metadata.exoscale.com", "Exoscale Compute: Querying instance metadata"),
];

/// A name of a metadata service; shown as it stands in the table, with its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({source_document})")]
pub struct MetadataName {
    name: &'static str,
    source_document: &'static str,
}

/// Whether `name` is a metadata service's, or a name below it. `name` is ASCII in lower case, without a dot at its end.
pub(crate) fn metadata_name(name: &str) -> Option<MetadataName> {
    let known = NAMES_OF_METADATA.into_iter().find(|(known, _)| is_under(name, known));
    known.map(|(name, source_document)| MetadataName { name, source_document })
}

/// The reserved name that `name` is, or is below.
pub(crate) fn reserved(name: &str) -> Option<&'static str> {
    NAMES_RESERVED.into_iter().find(|reserved| is_under(name, reserved))
}

/// Letters, digits, hyphens and underscores.
pub(crate) fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Equal to, or a name below.
fn is_under(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A name that an operator opens, or `*.` and a name: everything below it, not the name itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamePattern {
    name: String,
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reach {
    Exact,
    Below,
}

impl NamePattern {
    /// `name` is ASCII in lower case, without a dot at its end.
    pub fn covers(&self, name: &str) -> bool {
        match self.reach {
            Reach::Exact => name == self.name,
            Reach::Below => name.len() > self.name.len() && is_under(name, &self.name),
        }
    }

    /// It names this one name, and not by accident.
    pub(crate) fn is_exactly(&self, name: &str) -> bool {
        self.reach == Reach::Exact && name == self.name
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reach {
            Reach::Exact => f.write_str(&self.name),
            Reach::Below => write!(f, "*.{}", self.name),
        }
    }
}

/// Why a text opens no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host name: write `hooks.internal`, or `*.corp.example` for every name below `corp.example`")]
pub struct NamePatternFault;

impl FromStr for NamePattern {
    type Err = NamePatternFault;

    /// Upper case and Unicode are taken as a URL's host is. An address is no name, and a bare `*` would open everything.
    fn from_str(text: &str) -> Result<Self, NamePatternFault> {
        let (name, reach) = match text.strip_prefix("*.") {
            Some(name) => (name, Reach::Below),
            None => (text, Reach::Exact),
        };
        let Ok(url::Host::Domain(name)) = url::Host::parse(name) else { return Err(NamePatternFault) };
        let fits = |label: &str| is_label(label) && label.len() <= LABEL_LENGTH_MAX;
        if name.len() > NAME_LENGTH_MAX || !name.split('.').all(fits) {
            return Err(NamePatternFault);
        }
        Ok(Self { name, reach })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        text.parse().expect(text)
    }

    #[test]
    fn a_name_opens_itself_and_a_star_what_is_below() {
        let table = [
            ("hooks.internal", "hooks.internal", true),
            ("hooks.internal", "a.hooks.internal", false),
            ("hooks.internal", "xhooks.internal", false),
            ("hooks.internal", "hooks.internal.example.com", false),
            ("receiver", "receiver", true),
            ("*.corp.example", "a.corp.example", true),
            ("*.corp.example", "a.b.corp.example", true),
            ("*.corp.example", "corp.example", false),
            ("*.corp.example", "acorp.example", false),
        ];
        for (text, name, covers) in table {
            assert_eq!(pattern(text).covers(name), covers, "{text} {name}");
        }
    }

    #[test]
    fn a_pattern_is_normalised_as_a_urls_host_is() {
        assert_eq!(pattern("Hooks.Internal").to_string(), "hooks.internal");
        assert_eq!(pattern("*.Bücher.example").to_string(), "*.xn--bcher-kva.example");
    }

    #[test]
    fn what_opens_too_much_or_nothing_is_refused() {
        let long = "a".repeat(64);
        for text in [
            "",
            "*",
            "*.",
            "*.*",
            "a.*.example",
            "*a.example",
            "10.0.0.1",
            "*.10.0.0.1",
            "0x7f.1",
            "[::1]",
            "a..b",
            "a.example.",
            ".a",
            "a b",
            "a/b",
            "a:443",
            "https://a",
            &long,
        ] {
            assert_eq!(text.parse::<NamePattern>(), Err(NamePatternFault), "{text}");
        }
    }

    #[test]
    fn a_metadata_services_name_is_known_with_its_source() {
        for name in ["metadata.goog", "x.metadata.goog", "metadata.tencentyun.com", "instance-data"] {
            assert!(metadata_name(name).is_some(), "{name}");
        }
        for name in ["metadata.example.com", "notmetadata.goog", "goog", "cloud.ibm.com", "my-instance-data"]
        {
            assert_eq!(metadata_name(name), None, "{name}");
        }
        let told = metadata_name("metadata.goog").unwrap().to_string();
        assert_eq!(told, "metadata.goog (Google Cloud: About VM metadata)");
    }
}

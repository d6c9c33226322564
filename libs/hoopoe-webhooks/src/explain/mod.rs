//! Why a signature does not match, in words for someone who sees webhooks for the first time.
//!
//! For people and their tools, never for deciding whether to trust a request: that is `verify`. No sentence repeats
//! a secret, a signature or a body, and the work is bounded whatever the input.

mod body;
mod claim;
mod json;
mod key;
mod report;
mod search;
mod words;

use crate::Headers;

pub use words::FindingCode;

/// What [`explain`] found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether a receiver that checks every signature header which is there would accept the request now.
    pub valid: bool,
    /// The signature headers that are there, `x-wl-signature` first, and whether each is right.
    pub headers: Vec<(&'static str, bool)>,
    /// In the order of the headers; never empty.
    pub findings: Vec<Finding>,
}

/// One thing that is right or wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    /// The signature header that it is about; `None`: the secret, the body, or the whole.
    pub header: Option<&'static str>,
    /// For a developer: plain text with code in back quotes, no line breaks.
    pub sentence: String,
}

/// The two kinds of signature. Each has its own header, key, content and spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Xwl,
    Standard,
}

impl Family {
    const BOTH: [Self; 2] = [Self::Xwl, Self::Standard];

    fn other(self) -> Self {
        match self {
            Self::Xwl => Self::Standard,
            Self::Standard => Self::Xwl,
        }
    }

    fn header_name(self) -> &'static str {
        match self {
            Self::Xwl => crate::X_WL_SIGNATURE,
            Self::Standard => crate::WEBHOOK_SIGNATURE,
        }
    }

    /// The header's value, where it was sent.
    fn value<'a>(self, headers: &Headers<'a>) -> Option<&'a str> {
        crate::verify::sent(match self {
            Self::Xwl => headers.x_wl_signature,
            Self::Standard => headers.webhook_signature,
        })
    }
}

/// Says whether the signatures match and, if not, what was probably done wrong.
///
/// The secrets are texts as the user typed them, because a slip in the secret is one of the things looked for.
/// `now_seconds` is Unix time; the replay window is the usual ± 5 minutes. At most 128 MiB are hashed, which a search
/// over a long body may use up: then a finding says so. That keeps a processor busy: not for an async task.
pub fn explain(secrets: &[&str], headers: &Headers<'_>, body: &[u8], now_seconds: i64) -> Explanation {
    report::Report::new(secrets, headers, body, now_seconds).write()
}

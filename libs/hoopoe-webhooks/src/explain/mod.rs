//! Why a signature does not match, in words for someone who sees webhooks for the first time.
//!
//! For people and their tools, never for deciding whether to trust a request: that is `verify`.

use crate::Headers;

/// What [`explain`] found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether a receiver that checks every signature header which is there would accept the request now.
    pub valid: bool,
    /// Most useful first; never empty.
    pub findings: Vec<Finding>,
}

/// One thing that is right or wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    pub sentence: String,
}

/// The stable name of a kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingCode {
    Valid,
    WrongSecretOrBody,
}

impl FindingCode {
    /// Kebab-case, for JSON and for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::WrongSecretOrBody => "wrong-secret-or-body",
        }
    }
}

/// Says whether the signatures match and, if not, what was probably done wrong.
///
/// The secrets are texts as the user typed them, because a slip in the secret is one of the things looked for.
/// Work is bounded whatever the input. No sentence repeats a secret.
pub fn explain(secrets: &[&str], headers: &Headers<'_>, body: &[u8], now_seconds: i64) -> Explanation {
    let _ = (secrets, headers, body, now_seconds);
    Explanation { valid: false, findings: Vec::new() }
}

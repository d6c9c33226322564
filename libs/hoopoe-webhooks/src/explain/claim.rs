//! Reading a signature header generously: the 32 bytes it claims, and every slip in how they are spelled.
//!
//! It knows spellings only; whether the bytes are right is for `search`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Family;
use super::words::FindingCode::{self, *};

const DIGEST_BYTES: usize = 32;
/// More entries than any rotation has; the rest is not looked at.
const ENTRIES_MAX: usize = 16;

/// A digest that a header claims to be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) digest: [u8; DIGEST_BYTES],
    /// What is wrong with its spelling for the header in which it stands.
    pub(super) slips: Vec<FindingCode>,
}

/// Every digest that can be read out of the value.
pub(super) fn claims(family: Family, value: &str) -> Vec<Claim> {
    let (value, named) = match strip_name(value) {
        Some(rest) => (rest, true),
        None => (value, false),
    };
    let entries = match family {
        Family::Xwl => vec![value],
        Family::Standard => value.split_ascii_whitespace().take(ENTRIES_MAX).collect(),
    };
    let mut claims: Vec<_> = entries.into_iter().filter_map(|entry| claim(family, entry)).collect();
    if named {
        claims.iter_mut().for_each(|claim| claim.slips.insert(0, HeaderNameInValue));
    }
    claims
}

/// The kindest name for a value out of which no digest can be read.
pub(super) fn why_malformed(value: &str) -> FindingCode {
    let bare = bare(value);
    if bare.split_ascii_whitespace().all(|entry| entry.starts_with("v1a,")) {
        return Ed25519Only;
    }
    let encoded = bare.strip_prefix("sha256=").or(bare.strip_prefix("v1,")).unwrap_or(bare);
    let letters = encoded.trim_end_matches('.').trim_end_matches('…');
    let hex = letters.bytes().all(|c| c.is_ascii_hexdigit());
    let base64 = letters.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=_-".contains(&c));
    let whole = if hex { 2 * DIGEST_BYTES } else { 43 };
    if base64 && letters.len() < whole { SignatureCutShort } else { MalformedSignature }
}

fn strip_name(value: &str) -> Option<&str> {
    let (name, rest) = value.split_once(':')?;
    let name = name.trim();
    let known = Family::BOTH.iter().any(|family| name.eq_ignore_ascii_case(family.header_name()));
    known.then_some(rest.trim_start())
}

fn bare(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'))
}

fn claim(family: Family, entry: &str) -> Option<Claim> {
    let mut slips = Vec::new();
    let mut rest = bare(entry);
    if rest != entry {
        slips.push(SignatureSurrounded);
    }
    if let Some(after) = ["sha256=", "SHA256=", "hmac-sha256="].iter().find_map(|p| rest.strip_prefix(p)) {
        slips.push(Sha256Prefix);
        rest = after;
    }
    let versioned = rest.strip_prefix("v1,");
    if versioned.is_none() && family == Family::Standard {
        slips.push(V1Missing);
    }
    let rest = versioned.or(rest.strip_prefix("v1=")).unwrap_or(rest);
    let digest = decode(family, rest, &mut slips)?;
    Some(Claim { digest, slips })
}

fn decode(family: Family, text: &str, slips: &mut Vec<FindingCode>) -> Option<[u8; DIGEST_BYTES]> {
    if let Some(digest) = unhex(text) {
        match family {
            Family::Standard => slips.push(HexInsteadOfBase64),
            Family::Xwl if text.bytes().any(|c| c.is_ascii_uppercase()) => slips.push(UpperCaseHex),
            Family::Xwl => {}
        }
        return Some(digest);
    }
    let standard = text.replace('-', "+").replace('_', "/");
    let padded = format!("{}{}", standard, "=".repeat((4 - standard.len() % 4) % 4));
    let bytes = STANDARD.decode(&padded).ok()?;
    if let Some(digest) = std::str::from_utf8(&bytes).ok().and_then(unhex) {
        slips.push(Base64OfHex);
        return Some(digest);
    }
    let digest = bytes.try_into().ok()?;
    match family {
        Family::Xwl => slips.push(Base64InsteadOfHex),
        Family::Standard if padded != text => slips.push(Base64UrlSafe),
        Family::Standard => {}
    }
    Some(digest)
}

fn unhex(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    super::key::unhex(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_a_digest_gets_the_kindest_name() {
        for (value, expected) in [
            ("v1a,abc= v1a,def=", Ed25519Only),
            ("0a1b2c", SignatureCutShort),
            ("0a1b2c...", SignatureCutShort),
            ("v1,K5oZ", SignatureCutShort),
            ("sha256=0a", SignatureCutShort),
            ("Bearer abc", MalformedSignature),
            ("•••", MalformedSignature),
        ] {
            assert_eq!(why_malformed(value), expected, "{value}");
        }
    }
}

//! Checking signatures on a receiver: constant time, several secrets, any header whatever.
//!
//! It decides and nothing more; `explain` may take its time to find out why. Nothing here panics on input, and no
//! error repeats a secret or the right signature.

use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use crate::{Headers, Secret, Signer, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_WL_SIGNATURE};

/// How far `webhook-timestamp` may lie from the receiver's clock, in seconds, in either direction: what the stock
/// Standard Webhooks libraries allow.
pub const TOLERANCE_SECONDS_DEFAULT: u32 = 300;

const HEX_LENGTH: usize = 64;
/// `v1,` and base64 of 32 bytes.
const STANDARD_LENGTH: usize = 47;

/// The receiver's clock and its patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Unix time in seconds.
    pub now_seconds: i64,
    pub tolerance_seconds: u32,
}

impl Window {
    /// The usual ± 5 minutes around `now_seconds`.
    pub fn at(now_seconds: i64) -> Self {
        Self { now_seconds, tolerance_seconds: TOLERANCE_SECONDS_DEFAULT }
    }

    /// Judges a time; both edges are inside.
    pub(crate) fn check(self, timestamp_seconds: i64) -> Result<(), VerifyError> {
        let age_seconds = self.now_seconds.saturating_sub(timestamp_seconds);
        if age_seconds.unsigned_abs() <= u64::from(self.tolerance_seconds) {
            return Ok(());
        }
        Err(if age_seconds > 0 {
            VerifyError::TimestampTooOld { age_seconds: age_seconds.unsigned_abs() }
        } else {
            VerifyError::TimestampTooNew { ahead_seconds: age_seconds.unsigned_abs() }
        })
    }
}

/// Why a request is not to be trusted. Answer 401 to all of them but `NoSecret`, which is the receiver's own fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    #[error("there is no secret to verify with; configure at least one")]
    NoSecret,
    #[error("the header `{name}` is missing")]
    MissingHeader { name: &'static str },
    #[error("the header `{name}` holds no signature of the form that belongs there")]
    MalformedSignature { name: &'static str },
    #[error("the header `webhook-timestamp` is not a Unix time in whole seconds")]
    MalformedTimestamp,
    #[error("the request is {age_seconds} s old, too old to be accepted")]
    TimestampTooOld { age_seconds: u64 },
    #[error("the request's timestamp lies {ahead_seconds} s in the future; compare the two clocks")]
    TimestampTooNew { ahead_seconds: u64 },
    #[error("the signature in `{name}` was not made with any of the secrets over this body")]
    Mismatch { name: &'static str },
}

impl VerifyError {
    /// A stable kebab-case name, the same in every language's library.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSecret => "no-secret",
            Self::MissingHeader { .. } => "missing-header",
            Self::MalformedSignature { .. } => "malformed-signature",
            Self::MalformedTimestamp => "malformed-timestamp",
            Self::TimestampTooOld { .. } => "timestamp-too-old",
            Self::TimestampTooNew { .. } => "timestamp-too-new",
            Self::Mismatch { .. } => "mismatch",
        }
    }
}

/// Accepts either family: `webhook-signature` when it was sent, else `x-wl-signature`.
///
/// A present `webhook-signature` must hold; there is no falling back, but an empty header counts as not sent. Since
/// `x-wl-signature` carries no time, a receiver that relies on the replay window calls [`verify_standard`] instead.
///
/// # Errors
/// Those of the family that was chosen; with neither header, `MissingHeader` of `webhook-signature`.
pub fn verify<'a>(
    secrets: &[Secret],
    lookup: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    window: Window,
) -> Result<(), VerifyError> {
    let headers = Headers::from_lookup(lookup);
    match (sent(headers.webhook_signature), headers.x_wl_signature) {
        (None, Some(signature)) => verify_x_wl(secrets, Some(signature), body),
        (None, None) => Err(VerifyError::MissingHeader { name: WEBHOOK_SIGNATURE }),
        _ => verify_standard(secrets, &headers, body, window),
    }
}

/// Checks `x-wl-signature` against the raw body; any of the secrets may have signed.
///
/// # Errors
/// `NoSecret`, `MissingHeader`, `MalformedSignature` (not 64 lower-case hex digits) or `Mismatch`.
pub fn verify_x_wl(secrets: &[Secret], header: Option<&str>, body: &[u8]) -> Result<(), VerifyError> {
    let signature = header.ok_or(VerifyError::MissingHeader { name: X_WL_SIGNATURE })?;
    if signature.len() != HEX_LENGTH || !signature.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(VerifyError::MalformedSignature { name: X_WL_SIGNATURE });
    }
    matches_any(secrets, X_WL_SIGNATURE, |signer| {
        signer.x_wl_signature(body).as_bytes().ct_eq(signature.as_bytes())
    })
}

/// Checks `webhook-signature` over id, timestamp and raw body; any of the secrets may have made any of its entries.
/// Entries of other versions are passed over.
///
/// # Errors
/// In this order: `MissingHeader`, `MalformedTimestamp`, `MalformedSignature` (no well-formed `v1,` entry),
/// `TimestampTooOld` or `TimestampTooNew`, `NoSecret`, `Mismatch`.
pub fn verify_standard(
    secrets: &[Secret],
    headers: &Headers<'_>,
    body: &[u8],
    window: Window,
) -> Result<(), VerifyError> {
    let id = present(headers.webhook_id, WEBHOOK_ID)?;
    let timestamp = present(headers.webhook_timestamp, WEBHOOK_TIMESTAMP)?;
    let signatures = present(headers.webhook_signature, WEBHOOK_SIGNATURE)?;
    let timestamp_seconds = parse_timestamp(timestamp)?;
    let entries: Vec<&str> = signatures.split(' ').filter(|entry| is_well_formed(entry)).collect();
    if entries.is_empty() {
        return Err(VerifyError::MalformedSignature { name: WEBHOOK_SIGNATURE });
    }
    window.check(timestamp_seconds)?;
    matches_any(secrets, WEBHOOK_SIGNATURE, |signer| {
        let expected = signer.standard_text(id, timestamp, body);
        entries.iter().fold(Choice::from(0), |any, entry| any | expected.as_bytes().ct_eq(entry.as_bytes()))
    })
}

/// Digits only: no sign, no space, no fraction.
pub(crate) fn parse_timestamp(text: &str) -> Result<i64, VerifyError> {
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(VerifyError::MalformedTimestamp);
    }
    text.parse().map_err(|_| VerifyError::MalformedTimestamp)
}

/// A signature's header; an empty one counts as not sent.
pub(crate) fn sent(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.trim().is_empty())
}

fn present<'a>(value: Option<&'a str>, name: &'static str) -> Result<&'a str, VerifyError> {
    value.filter(|value| !value.is_empty()).ok_or(VerifyError::MissingHeader { name })
}

fn is_well_formed(entry: &str) -> bool {
    entry.len() == STANDARD_LENGTH && entry.starts_with("v1,")
}

/// Tries every secret, also after a match, so that the time does not tell which one it was.
fn matches_any(
    secrets: &[Secret],
    name: &'static str,
    matches: impl Fn(&Signer) -> Choice,
) -> Result<(), VerifyError> {
    if secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let any = secrets.iter().fold(Choice::from(0), |any, secret| any | matches(&Signer::new(secret)));
    if bool::from(any) { Ok(()) } else { Err(VerifyError::Mismatch { name }) }
}

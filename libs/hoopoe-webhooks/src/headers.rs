//! The names of the headers that carry signatures, and one borrowed view of their values.
//!
//! Only names and values live here; whether a value is right is for `verify` and `explain`.

/// Lower-case hex of HMAC-SHA256 over the raw body (the CRM platform's own signature).
pub const X_WL_SIGNATURE: &str = "x-wl-signature";
/// The event's id; the same on every retry of one event (Standard Webhooks 1.0).
pub const WEBHOOK_ID: &str = "webhook-id";
/// Unix time of the attempt in whole seconds (Standard Webhooks 1.0).
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Space-separated list of `v1,<base64>` (Standard Webhooks 1.0).
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// The values of the four headers, as far as they were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    pub x_wl_signature: Option<&'a str>,
    pub webhook_id: Option<&'a str>,
    pub webhook_timestamp: Option<&'a str>,
    pub webhook_signature: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// Asks `lookup` once for each of the four names, which are all lower case.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self {
            x_wl_signature: lookup(X_WL_SIGNATURE),
            webhook_id: lookup(WEBHOOK_ID),
            webhook_timestamp: lookup(WEBHOOK_TIMESTAMP),
            webhook_signature: lookup(WEBHOOK_SIGNATURE),
        }
    }

    /// For a signature whose header nobody named: a value with a version (`v1,…`, `v1a,…`) is a
    /// `webhook-signature`, anything else an `x-wl-signature`.
    pub fn from_signature(signature: &'a str) -> Self {
        if signature.contains("v1,") || signature.contains("v1a,") {
            Self { webhook_signature: Some(signature), ..Self::default() }
        } else {
            Self { x_wl_signature: Some(signature), ..Self::default() }
        }
    }
}

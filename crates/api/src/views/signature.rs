//! Whether signatures are right, and why not.

use serde::Serialize;
use utoipa::ToSchema;

/// What was found out about a request's signatures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignatureReport {
    /// Whether a receiver that checks every signature header which is there would accept the request now.
    pub(crate) valid: bool,
    /// One entry per signature header that is there, `x-wl-signature` first; where there is none, one for each, which says so.
    pub(crate) signatures: Vec<SignatureView>,
}

/// One signature header.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignatureExplanation)]
pub(crate) struct SignatureView {
    /// `x-wl-signature` or `webhook-signature`.
    #[schema(example = "x-wl-signature")]
    pub(crate) header: &'static str,
    pub(crate) valid: bool,
    /// What is right or wrong, and how to mend it: plain text with code in back quotes. No secret is repeated.
    pub(crate) explanation: String,
}

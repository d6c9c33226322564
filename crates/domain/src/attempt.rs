//! Attempts: one HTTP request of a delivery, and what came back.

use bytes::Bytes;

use crate::id::AttemptId;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Names in lower case, in the order sent or received.
pub type HeaderList = Vec<(String, String)>;

/// A finished attempt as the log keeps it. It holds no usable secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    /// From 1.
    pub number: u32,
    pub started_at: Timestamp,
    pub duration_ms: u32,
    pub outcome: Outcome,
    pub status_code: Option<u16>,
    /// One sentence in the receiver's owner's words; `None` on success.
    pub error: Option<String>,
    /// `address:port` that answered or was dialled; never one that the guard refused.
    pub remote_address: Option<String>,
    pub request_headers: HeaderList,
    pub response: Option<Response>,
    pub timings: Timings,
}

/// What is kept of a receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub headers: HeaderList,
    /// At most `RESPONSE_BYTES_MAX`; any bytes at all, not necessarily text.
    pub body: Bytes,
    pub truncated: bool,
}

/// How long each phase took; `None` for one that did not happen, such as connecting on a kept connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    pub dns_ms: Option<u32>,
    pub connect_ms: Option<u32>,
    pub tls_ms: Option<u32>,
    /// From the request's last byte sent to the status line.
    pub wait_ms: Option<u32>,
}

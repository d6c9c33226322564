//! Endpoint and event make one request: headers, both signatures, and the body as it was published.
//!
//! Pure: no clock, no socket, no store. What does not change between attempts (URL, keyed signers, own headers) is
//! prepared once per endpoint as it stands.

use std::sync::Arc;

use bytes::Bytes;
use domain::attempt::HeaderList;
use domain::endpoint::Endpoint;
use domain::id::{DeliveryId, EventId};
use domain::time::Timestamp;
use hoopoe_webhooks::{Secret, Signer, standard_header};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::egress::Target;

const X_WL_SIGNATURE: HeaderName = HeaderName::from_static("x-wl-signature");
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const X_WL_EVENT: HeaderName = HeaderName::from_static("x-wl-event");
const X_WL_DELIVERY: HeaderName = HeaderName::from_static("x-wl-delivery");
const X_WL_ATTEMPT: HeaderName = HeaderName::from_static("x-wl-attempt");

/// Headers that frame the request. An endpoint's own can set neither these nor those that are sent anyhow.
const FRAMING: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"];

/// Stands for a secret value in the log.
const MASK: &str = "********";

/// One request, ready to be sent.
#[derive(Debug)]
pub struct Outgoing {
    pub target: Arc<Target>,
    /// Without `host` and `content-length`, which the connection adds.
    pub headers: HeaderMap,
    /// The published bytes, shared and never copied.
    pub body: Bytes,
}

/// An endpoint as it stands, made ready to send to.
pub(crate) struct Prepared {
    pub(crate) endpoint: Arc<Endpoint>,
    target: Arc<Target>,
    current: Signer,
    previous: Option<(Signer, Timestamp)>,
    own_headers: Vec<(HeaderName, HeaderValue)>,
}

/// The stored endpoint cannot be sent to: a fault of ours, for nothing of the kind is accepted when it is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored endpoint has an unusable {what}")]
pub(crate) struct Unusable {
    what: &'static str,
}

/// What one attempt is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) event_id: EventId,
    pub(crate) delivery_id: DeliveryId,
    pub(crate) type_name: &'a str,
    /// From 1.
    pub(crate) attempt_number: u32,
    pub(crate) payload: &'a Bytes,
    pub(crate) user_agent: &'a HeaderValue,
}

impl Prepared {
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Result<Self, Unusable> {
        let signer = |text: &str| match Secret::parse(text) {
            Ok(secret) => Ok(Signer::new(&secret)),
            Err(_) => Err(Unusable { what: "secret" }),
        };
        let target = Target::parse(&endpoint.url).ok_or(Unusable { what: "URL" })?;
        let previous = match &endpoint.secrets.previous {
            Some(previous) => Some((signer(previous.secret.expose())?, previous.grace_until)),
            None => None,
        };
        Ok(Self {
            target: Arc::new(target),
            current: signer(endpoint.secrets.current.expose())?,
            previous,
            own_headers: own_headers(&endpoint)?,
            endpoint,
        })
    }

    /// The request of an attempt that starts at `now`.
    pub(crate) fn request(&self, sending: Sending<'_>, now: Timestamp) -> Result<Outgoing, Unusable> {
        let mut headers = HeaderMap::with_capacity(16 + self.own_headers.len());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, sending.user_agent.clone());
        self.sign(&mut headers, sending, now);
        headers.insert(
            X_WL_EVENT,
            HeaderValue::from_str(sending.type_name).map_err(|_| Unusable { what: "event type" })?,
        );
        headers.insert(X_WL_DELIVERY, ascii(sending.delivery_id.to_string()));
        headers.insert(X_WL_ATTEMPT, HeaderValue::from(sending.attempt_number));
        for (name, value) in &self.own_headers {
            headers.append(name, value.clone());
        }
        Ok(Outgoing { target: Arc::clone(&self.target), headers, body: sending.payload.clone() })
    }

    /// Both families. During a rotation's grace the old secret still signs `x-wl-signature`, and both sign
    /// `webhook-signature`, the new one first.
    fn sign(&self, headers: &mut HeaderMap, sending: Sending<'_>, now: Timestamp) {
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until).map(|(signer, _)| signer);
        let id = sending.event_id.to_string();
        let seconds = now.as_seconds();
        let standard = match previous {
            Some(previous) => standard_header(&[&self.current, previous], &id, seconds, sending.payload),
            None => self.current.standard(&id, seconds, sending.payload),
        };
        let platform = previous.unwrap_or(&self.current).x_wl_signature(sending.payload);
        headers.insert(X_WL_SIGNATURE, ascii(platform));
        headers.insert(WEBHOOK_ID, ascii(id));
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(seconds));
        headers.insert(WEBHOOK_SIGNATURE, ascii(standard));
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("endpoint", &self.endpoint.id).finish_non_exhaustive()
    }
}

/// The headers as the log shows them: values of the endpoint's own are secrets and masked; a signature is no secret.
pub(crate) fn logged(headers: &HeaderMap) -> HeaderList {
    let shown = |value: &HeaderValue| match value.is_sensitive() {
        true => MASK.to_owned(),
        false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), shown(value))).collect()
}

fn own_headers(endpoint: &Endpoint) -> Result<Vec<(HeaderName, HeaderValue)>, Unusable> {
    let mut headers = Vec::with_capacity(endpoint.headers.len());
    for (name, value) in &endpoint.headers {
        if is_ours(name) {
            continue;
        }
        let name = HeaderName::try_from(name.as_str()).map_err(|_| Unusable { what: "header name" })?;
        let mut value =
            HeaderValue::from_str(value.expose()).map_err(|_| Unusable { what: "header value" })?;
        value.set_sensitive(true);
        headers.push((name, value));
    }
    Ok(headers)
}

/// Refused when an endpoint is saved; left out here all the same, so that no later slip there lets one be overridden.
fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    FRAMING.contains(&name.as_str())
        || name.starts_with("webhook-")
        || name.starts_with("x-wl-")
        || name == "content-type"
        || name == "user-agent"
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("ids and signatures are printable ASCII")
}

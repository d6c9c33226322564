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
const MASK: &[u8] = b"********";

/// The headers of an endpoint without own ones fit into this.
const LOGGED_BYTES: usize = 512;

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
    let mut list = HeaderList::with_capacity(headers.len(), LOGGED_BYTES);
    for (name, value) in headers {
        let shown = if value.is_sensitive() { MASK } else { value.as_bytes() };
        list.push_bytes(name.as_str(), shown);
    }
    list
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

#[cfg(test)]
mod tests {
    use domain::endpoint::{EndpointState, Subscription};
    use domain::id::IdSource;
    use domain::scope::Owner;
    use domain::secret::{SecretText, Secrets};
    use expect_test::{Expect, expect};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);
    const PAYLOAD: &[u8] = br#"{"type":"ContactCreate","locationId":"loc1"}"#;
    const OLD: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const NEW: &str = "a raw secret of ours";

    fn secret(text: &str) -> SecretText {
        SecretText::new(text.to_owned())
    }

    fn endpoint(secrets: Secrets, headers: &[(&str, &str)]) -> Arc<Endpoint> {
        Arc::new(Endpoint {
            id: IdSource::seeded(1).endpoint(NOW),
            owner: Owner::Location("loc1".parse().unwrap()),
            url: "https://hooks.example.com/in?a=b".into(),
            description: String::new(),
            subscription: Subscription::All,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), secret(value))).collect(),
            retry_schedule: None,
            skip_own_events: false,
            state: EndpointState::Enabled { since: NOW },
            secrets,
            created_at: NOW,
            updated_at: NOW,
        })
    }

    fn built(endpoint: Arc<Endpoint>, now: Timestamp) -> Outgoing {
        let ids = IdSource::seeded(7);
        let payload = Bytes::from_static(PAYLOAD);
        let sending = Sending {
            event_id: ids.event(NOW),
            delivery_id: ids.delivery(NOW),
            type_name: "ContactCreate",
            attempt_number: 3,
            payload: &payload,
            user_agent: &HeaderValue::from_static("Hoopoe/0.1.0"),
        };
        let outgoing = Prepared::new(endpoint).unwrap().request(sending, now).unwrap();
        assert_eq!(outgoing.body.as_ptr(), payload.as_ptr(), "the payload is shared, not copied");
        outgoing
    }

    fn check(headers: &HeaderList, expected: Expect) {
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        expected.assert_eq(&lines.concat());
    }

    fn value<'a>(outgoing: &'a Outgoing, name: &str) -> &'a str {
        outgoing.headers[name].to_str().unwrap()
    }

    #[test]
    fn the_headers_are_these_in_this_order_and_the_log_masks_the_endpoints_own() {
        let own = [("authorization", "Bearer abc"), ("x-team", "crm")];
        let outgoing = built(endpoint(Secrets::new(secret(OLD)), &own), NOW);
        check(
            &logged(&outgoing.headers),
            expect![[r#"
            content-type: application/json
            user-agent: Hoopoe/0.1.0
            x-wl-signature: 6ba0c83cd4d8bbf3db8e004d5fb6dee00e708c280b790f7a4a3f42065e5b9317
            webhook-id: evt_01HF7YATFM90VNRK1WTZT3RSGW
            webhook-timestamp: 1700000000
            webhook-signature: v1,bG7FEWM9YDyHItH/F7rA+P6fG298zdb+NJx5w4R6gKc=
            x-wl-event: ContactCreate
            x-wl-delivery: dlv_01HF7YATFM90VP5620G2XB2AG2
            x-wl-attempt: 3
            authorization: ********
            x-team: ********
        "#]],
        );
        assert_eq!(value(&outgoing, "authorization"), "Bearer abc");
    }

    #[test]
    fn during_a_rotation_the_old_secret_signs_for_the_platform_and_both_sign_the_standard_way() {
        let secrets = Secrets::new(secret(OLD)).rotate(secret(NEW), 60, NOW).unwrap();
        let (old, new) = (Secret::parse(OLD).unwrap(), Secret::parse(NEW).unwrap());
        let (old, new) = (Signer::new(&old), Signer::new(&new));

        let during = built(endpoint(secrets.clone(), &[]), NOW.plus_seconds(59));
        let (id, seconds) = (value(&during, "webhook-id"), NOW.plus_seconds(59).as_seconds());
        assert_eq!(value(&during, "x-wl-signature"), old.x_wl_signature(PAYLOAD));
        let both = format!("{} {}", new.standard(id, seconds, PAYLOAD), old.standard(id, seconds, PAYLOAD));
        assert_eq!(value(&during, "webhook-signature"), both);

        let after = built(endpoint(secrets, &[]), NOW.plus_seconds(60));
        let seconds = NOW.plus_seconds(60).as_seconds();
        assert_eq!(value(&after, "x-wl-signature"), new.x_wl_signature(PAYLOAD));
        assert_eq!(value(&after, "webhook-signature"), new.standard(id, seconds, PAYLOAD));
    }

    #[test]
    fn an_own_header_overrides_nothing() {
        let own = [
            ("X-WL-Signature", "forged"),
            ("webhook-id", "forged"),
            ("user-agent", "forged"),
            ("host", "forged"),
            ("content-length", "1"),
            ("transfer-encoding", "chunked"),
        ];
        let outgoing = built(endpoint(Secrets::new(secret(OLD)), &own), NOW);
        assert_eq!(outgoing.headers, built(endpoint(Secrets::new(secret(OLD)), &[]), NOW).headers);
    }

    #[test]
    fn an_endpoint_that_cannot_be_sent_to_is_told_and_not_a_panic() {
        let bad_secret = endpoint(Secrets::new(secret("short")), &[]);
        let bad_header = endpoint(Secrets::new(secret(OLD)), &[("x-a", "a\nb")]);
        let bad_url =
            Endpoint { url: "nowhere".into(), ..(*endpoint(Secrets::new(secret(OLD)), &[])).clone() };
        for (endpoint, what) in
            [(bad_secret, "secret"), (bad_header, "header value"), (Arc::new(bad_url), "URL")]
        {
            assert_eq!(Prepared::new(endpoint).unwrap_err(), Unusable { what });
        }
    }
}

//! The requests of the load generator, each built anew: a webhook as the product would send it, one event to publish, or a
//! batch of them. Heads are prepared once; nothing here allocates per request but the signatures.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hoopoe_webhooks::{Secret, Signer};

use super::payload;

const ID_DIGITS: usize = 26;
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// What is sent, and to which locations.
#[derive(Clone)]
pub(super) struct Composer {
    head: Vec<u8>,
    what: What,
    /// Locations that events are spread over by turns.
    owners: Owners,
}

/// Location numbers from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) first: u64,
    pub(super) count: u64,
}

#[derive(Clone)]
enum What {
    /// Signed as the product signs.
    Webhook {
        signer: Box<Signer>,
        length: String,
    },
    Event,
    Batch {
        events: u64,
    },
}

impl Composer {
    /// The webhook of the limit loop: the product's headers, in its order, and both signatures.
    pub(super) fn webhook(to: SocketAddr) -> Self {
        let head = format!(
            "POST /ok/0 HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\nuser-agent: Hoopoe/{}\r\n\
             x-wl-event: ContactCreate\r\nx-wl-attempt: 1\r\n",
            env!("CARGO_PKG_VERSION")
        );
        let secret = Secret::parse(SECRET).expect("the secret is well-formed");
        let length = format!("\r\ncontent-length: {}\r\n\r\n", payload::length());
        let what = What::Webhook { signer: Box::new(Signer::new(&secret)), length };
        Self { head: head.into_bytes(), what, owners: Owners { first: 0, count: 1 } }
    }

    /// One event a request.
    pub(super) fn event(to: SocketAddr, key: &str, owners: Owners) -> Self {
        let length = payload::length();
        let head = publish_head(to, key, "/v1/events", "application/json", length);
        Self { head, what: What::Event, owners }
    }

    /// So many events a request, as lines.
    pub(super) fn batch(to: SocketAddr, key: &str, owners: Owners, events: u64) -> Self {
        let length = (payload::length() + 1) * events as usize;
        let head = publish_head(to, key, "/v1/events/batch", "application/x-ndjson", length);
        Self { head, what: What::Batch { events }, owners }
    }

    /// Events in one request.
    pub(super) fn events(&self) -> u64 {
        match self.what {
            What::Webhook { .. } | What::Event => 1,
            What::Batch { events } => events,
        }
    }

    /// Writes the request whose first event is `sequence`.
    pub(super) fn compose(&self, out: &mut Vec<u8>, sequence: u64) {
        out.clear();
        out.extend_from_slice(&self.head);
        match &self.what {
            What::Event => payload::append(out, sequence, self.owner(sequence)),
            What::Batch { events } => {
                for sequence in sequence..sequence + events {
                    payload::append(out, sequence, self.owner(sequence));
                    out.push(b'\n');
                }
            }
            What::Webhook { signer, length } => self.compose_webhook(out, signer, length, sequence),
        }
    }

    /// Whether an answer says that every event of the request was accepted.
    pub(super) fn accepted(&self, status: u16, body: &[u8]) -> bool {
        match self.what {
            What::Webhook { .. } => status == 200,
            What::Event => status == 202,
            What::Batch { events } => {
                status == 200 && memchr::memmem::find_iter(body, br#""status":202"#).count() as u64 == events
            }
        }
    }

    fn owner(&self, sequence: u64) -> u64 {
        self.owners.first + sequence % self.owners.count
    }

    fn compose_webhook(&self, out: &mut Vec<u8>, signer: &Signer, length: &str, sequence: u64) {
        let mut body = Vec::with_capacity(1_200);
        payload::append(&mut body, sequence, self.owner(sequence));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut id = b"evt_".to_vec();
        payload::push_digits(&mut id, sequence, ID_DIGITS);
        let id = std::str::from_utf8(&id).expect("an id is ASCII");
        out.extend_from_slice(b"x-wl-signature: ");
        out.extend_from_slice(signer.x_wl_signature(&body).as_bytes());
        out.extend_from_slice(b"\r\nwebhook-id: ");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b"\r\nwebhook-timestamp: ");
        payload::push_digits(out, seconds, 10);
        out.extend_from_slice(b"\r\nwebhook-signature: ");
        out.extend_from_slice(signer.standard(id, seconds.cast_signed(), &body).as_bytes());
        out.extend_from_slice(b"\r\nx-wl-delivery: dlv_");
        payload::push_digits(out, sequence, ID_DIGITS);
        out.extend_from_slice(length.as_bytes());
        out.extend_from_slice(&body);
    }
}

fn publish_head(to: SocketAddr, key: &str, path: &str, media: &str, length: usize) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {key}\r\ncontent-type: {media}\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::wire::content_length;

    const TO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9000);
    const OWNERS: Owners = Owners { first: 10, count: 3 };

    fn composed(composer: &Composer, sequence: u64) -> (String, Vec<u8>) {
        let mut out = Vec::new();
        composer.compose(&mut out, sequence);
        let at = memchr::memmem::find(&out, b"\r\n\r\n").unwrap();
        (String::from_utf8(out[..at].to_vec()).unwrap(), out[at + 4..].to_vec())
    }

    #[test]
    fn every_request_is_as_long_as_it_says() {
        for composer in [
            Composer::webhook(TO),
            Composer::event(TO, "hpk_x", OWNERS),
            Composer::batch(TO, "hpk_x", OWNERS, 100),
        ] {
            let (head, body) = composed(&composer, 123_456);
            assert_eq!(content_length(head.as_bytes()), Some(body.len()), "{head}");
        }
    }

    #[test]
    fn a_webhook_bears_both_signatures_of_its_body() {
        let (head, body) = composed(&Composer::webhook(TO), 5);
        let value = |name: &str| {
            let line = head.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len() + 2..].to_owned()
        };
        let signer = Signer::new(&Secret::parse(SECRET).unwrap());
        assert_eq!(value("x-wl-signature"), signer.x_wl_signature(&body));
        let seconds = value("webhook-timestamp").parse().unwrap();
        assert_eq!(value("webhook-signature"), signer.standard(&value("webhook-id"), seconds, &body));
        assert!(value("x-wl-delivery").starts_with("dlv_"));
    }

    #[test]
    fn a_batch_holds_consecutive_events_spread_over_the_locations() {
        let (_, body) = composed(&Composer::batch(TO, "hpk_x", OWNERS, 4), 20);
        let lines: Vec<_> = body.split_inclusive(|byte| *byte == b'\n').collect();
        let numbers: Vec<_> = lines.iter().map(|line| payload::sequence(line)).collect();
        assert_eq!(numbers, [Some(20), Some(21), Some(22), Some(23)]);
        for (line, owner) in lines.iter().zip([12, 10, 11, 12]) {
            assert!(String::from_utf8_lossy(line).contains(&payload::location(owner)));
        }
    }

    #[test]
    fn an_answer_counts_only_when_every_event_was_accepted() {
        let batch = Composer::batch(TO, "hpk_x", OWNERS, 2);
        assert!(batch.accepted(200, br#"{"results":[{"status":202},{"status":202}]}"#));
        assert!(!batch.accepted(200, br#"{"results":[{"status":202},{"status":422}]}"#));
        assert!(!Composer::event(TO, "hpk_x", OWNERS).accepted(503, b""));
    }
}

//! What is known of one exchange so far. The transport writes it down as it goes, so that an attempt whose time runs
//! out keeps whatever came before: the phase, the timings, a status line, the head of a body.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use domain::attempt::{HeaderList, Response, Timings};
use domain::limits::{RESPONSE_BYTES_MAX, RESPONSE_HEADER_BYTES_MAX};
use domain::outcome::{Failure, Phase};
use domain::time::{Clock, Timestamp};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use super::guard::Refused;

/// Whether a transport shall go on reading a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    GoOn,
    /// As much as is kept has come; the rest need not be read.
    Enough,
}

/// See the module. Written by one transport, read when the exchange is over or its time has run out.
pub struct Progress {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    phase: Option<(Phase, Timestamp)>,
    timings: Timings,
    remote_address: Option<SocketAddr>,
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: Vec<u8>,
    body_ended: bool,
    at_fault: Option<AtFault>,
    refused: Option<Refused>,
}

/// Who is to blame for an exchange without an answer, when it is not the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtFault {
    /// This machine had no socket, port or memory left for it.
    Machine,
}

/// What became of an exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) result: Result<u16, Failure>,
    pub(crate) retry_after: Option<String>,
    pub(crate) remote_address: Option<SocketAddr>,
    pub(crate) response: Option<Response>,
    pub(crate) timings: Timings,
    /// Then nothing was sent.
    pub(crate) at_fault: Option<AtFault>,
    /// What the guard refused, where it did.
    pub(crate) refused: Option<Refused>,
}

impl Progress {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, seen: Mutex::default() }
    }

    /// The phase that ran before is over, and its time is noted.
    pub fn enter(&self, phase: Phase) {
        let now = self.clock.now();
        let mut seen = self.seen.lock();
        seen.close_phase(now);
        seen.phase = Some((phase, now));
    }

    /// The address that is being dialled, or that a kept connection leads to. Never one that was refused.
    pub fn dialled(&self, address: SocketAddr) {
        self.seen.lock().remote_address = Some(address);
    }

    /// This machine could not open a connection, which says nothing of the receiver. The attempt does not count.
    pub fn out_of_resources(&self) {
        self.seen.lock().at_fault = Some(AtFault::Machine);
    }

    /// The guard refused, so that nothing was sent.
    pub fn refused(&self, refused: Refused) {
        self.seen.lock().refused = Some(refused);
    }

    /// The status line and the headers came.
    pub fn answered(&self, status: StatusCode, headers: HeaderMap) {
        let now = self.clock.now();
        let mut seen = self.seen.lock();
        seen.close_phase(now);
        seen.status = Some(status);
        seen.headers = headers;
    }

    /// A piece of the body came.
    pub fn body_piece(&self, piece: &[u8]) -> Reading {
        let mut seen = self.seen.lock();
        let room = RESPONSE_BYTES_MAX - seen.body.len();
        let kept = &piece[..piece.len().min(room)];
        make_room(&mut seen.body, kept.len());
        seen.body.extend_from_slice(kept);
        if piece.len() > room { Reading::Enough } else { Reading::GoOn }
    }

    /// The body came to its proper end.
    pub fn body_ended(&self) {
        self.seen.lock().body_ended = true;
    }

    #[cfg(test)]
    pub(crate) fn body_bytes(&self) -> usize {
        self.seen.lock().body.len()
    }

    /// `ended`: what the transport said, or `None` when time ran out on it.
    pub(crate) fn finish(&self, ended: Option<Result<(), Failure>>) -> Exchange {
        let now = self.clock.now();
        let mut seen = std::mem::take(&mut *self.seen.lock());
        let phase = seen.close_phase(now);
        let result = match (seen.status, ended) {
            (Some(status), _) => Ok(status.as_u16()),
            (None, Some(Err(failure))) => Err(failure),
            (None, Some(Ok(()))) => Err(Failure::Protocol("there was no answer".to_owned())),
            (None, None) => Err(Failure::Timeout(phase.unwrap_or(Phase::Connecting))),
        };
        Exchange {
            result,
            retry_after: retry_after(&seen.headers),
            remote_address: seen.remote_address,
            timings: seen.timings,
            at_fault: seen.at_fault,
            refused: seen.refused,
            response: seen.status.map(|_| seen.into_response()),
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("phase", &self.seen.lock().phase).finish_non_exhaustive()
    }
}

impl Seen {
    fn close_phase(&mut self, now: Timestamp) -> Option<Phase> {
        let (phase, since) = self.phase.take()?;
        let ms = Some(u32::try_from(now.since(since).max(0)).unwrap_or(u32::MAX));
        match phase {
            Phase::Resolving => self.timings.dns_ms = ms,
            Phase::Connecting => self.timings.connect_ms = ms,
            Phase::Tls => self.timings.tls_ms = ms,
            Phase::Waiting => self.timings.wait_ms = ms,
            Phase::Sending => {}
        }
        Some(phase)
    }

    fn into_response(self) -> Response {
        let body = Bytes::from(self.body);
        Response { headers: kept_headers(&self.headers), body, truncated: !self.body_ended }
    }
}

/// In few steps, for each leaves a hole behind, and never for more than is kept of a body.
fn make_room(body: &mut Vec<u8>, more: usize) {
    let needed = body.len() + more;
    if needed > body.capacity() {
        let whole = needed.max(4 * body.capacity()).min(RESPONSE_BYTES_MAX);
        body.reserve_exact(whole - body.len());
    }
}

fn retry_after(headers: &HeaderMap) -> Option<String> {
    headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// As many as fit into `RESPONSE_HEADER_BYTES_MAX`, in order.
fn kept_headers(headers: &HeaderMap) -> HeaderList {
    let mut room = RESPONSE_HEADER_BYTES_MAX;
    let mut kept = HeaderList::with_capacity(headers.len(), 32 * headers.len());
    for (name, value) in headers {
        let Some(left) = room.checked_sub(name.as_str().len() + value.len()) else { break };
        room = left;
        kept.push_bytes(name.as_str(), value.as_bytes());
    }
    kept
}

#[cfg(test)]
mod tests {
    use testkit::ManualClock;

    use super::*;

    #[test]
    fn a_body_takes_no_more_memory_than_is_kept_of_it() {
        for piece_bytes in [1, 300, 16_366, RESPONSE_BYTES_MAX, RESPONSE_BYTES_MAX + 1] {
            let progress = Progress::new(Arc::new(ManualClock::at_real_time()));
            let piece = vec![b'x'; piece_bytes];
            while progress.body_piece(&piece) == Reading::GoOn {
                let seen = progress.seen.lock();
                assert!(seen.body.capacity() <= RESPONSE_BYTES_MAX, "in pieces of {piece_bytes}");
            }
            let seen = progress.seen.lock();
            assert_eq!(
                (seen.body.len(), seen.body.capacity()),
                (RESPONSE_BYTES_MAX, RESPONSE_BYTES_MAX),
                "in pieces of {piece_bytes}"
            );
        }
    }
}

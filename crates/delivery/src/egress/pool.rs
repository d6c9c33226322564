//! Connections kept open between requests, by scheme, host and port. A bounded number, for a bounded time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::limits::IN_FLIGHT_MAX;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::connection::{Http1, Http2, Stream};
use super::target::Origin;

/// Many endpoints may share an origin, as those at one automation service do: with fewer, attempts at once would open and
/// close connections without end.
const IDLE_PER_ORIGIN_MAX: usize = IN_FLIGHT_MAX / 2;
const IDLE_MAX: usize = IN_FLIGHT_MAX;
const HTTP2_PER_ORIGIN_MAX: usize = 4;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// After this a connection takes no further request, so that a name that now leads elsewhere is looked up and judged.
const AGE_MAX: Duration = Duration::from_secs(300);

/// Something to send a request over.
pub(super) enum Connection {
    Http1(Http1),
    Http2(Stream),
}

#[derive(Default)]
pub(super) struct Pool {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_origin: HashMap<Arc<Origin>, OfOrigin>,
    idle: usize,
}

#[derive(Default)]
struct OfOrigin {
    http1: Vec<(Http1, Instant)>,
    http2: Vec<Arc<Http2>>,
}

impl Pool {
    /// The connection used last, for it is the least likely to have gone stale.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        let of_origin = kept.by_origin.get_mut(origin)?;
        of_origin.http2.retain(|connection| !is_over(connection, now));
        if let Some(stream) = of_origin.http2.iter().find_map(Http2::stream) {
            return Some(Connection::Http2(stream));
        }
        let before = of_origin.http1.len();
        let mut found = None;
        while let Some((connection, since)) = of_origin.http1.pop() {
            if is_fresh(&connection, since, now) {
                found = Some(Connection::Http1(connection));
                break;
            }
        }
        let taken = before - of_origin.http1.len();
        kept.idle -= taken;
        found
    }

    /// Keeps the connection, unless there are enough.
    pub(super) fn give(&self, origin: &Arc<Origin>, connection: Http1) {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        if kept.idle >= IDLE_MAX || now.duration_since(connection.opened_at) >= AGE_MAX {
            return;
        }
        let of_origin = kept.by_origin.entry(Arc::clone(origin)).or_default();
        if of_origin.http1.len() < IDLE_PER_ORIGIN_MAX {
            of_origin.http1.push((connection, now));
            kept.idle += 1;
        }
    }

    /// Lets others share the connection, unless there are enough.
    pub(super) fn share(&self, origin: &Arc<Origin>, connection: &Arc<Http2>) {
        let mut kept = self.kept.lock();
        let of_origin = kept.by_origin.entry(Arc::clone(origin)).or_default();
        if of_origin.http2.len() < HTTP2_PER_ORIGIN_MAX {
            of_origin.http2.push(Arc::clone(connection));
        }
    }

    /// No further request goes over it; those that run may end.
    pub(super) fn evict(&self, origin: &Origin, connection: &Arc<Http2>) {
        if let Some(of_origin) = self.kept.lock().by_origin.get_mut(origin) {
            of_origin.http2.retain(|kept| !Arc::ptr_eq(kept, connection));
        }
    }

    /// Closes what has been idle too long. To be called every now and then.
    pub(super) fn prune(&self) {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        for of_origin in kept.by_origin.values_mut() {
            of_origin.http1.retain(|(connection, since)| is_fresh(connection, *since, now));
            of_origin.http2.retain(|connection| !is_over(connection, now));
        }
        kept.by_origin.retain(|_, of_origin| !of_origin.http1.is_empty() || !of_origin.http2.is_empty());
        kept.idle = kept.by_origin.values().map(|of_origin| of_origin.http1.len()).sum();
    }

    pub(super) fn idle(&self) -> usize {
        self.kept.lock().idle
    }
}

fn is_fresh(connection: &Http1, since: Instant, now: Instant) -> bool {
    now.duration_since(since) < IDLE_TIMEOUT
        && now.duration_since(connection.opened_at) < AGE_MAX
        && connection.is_usable()
}

fn is_over(connection: &Http2, now: Instant) -> bool {
    connection.is_closed() || now.duration_since(connection.opened_at) >= AGE_MAX
}

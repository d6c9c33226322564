//! What happens to endpoints, as it happens: in memory, beside the traits because every backend keeps one.
//! Whoever listens reads at his own pace from a ring of bounded length; who falls behind it is told so, and nobody who
//! makes things happen ever waits. While nobody listens nothing is kept.
//!
//! Where one process serves, a backend puts changes of endpoints and of their health right after they are durable, and who
//! records outcomes, or a test send, puts the attempt. Where several do, the backend tells them all of both in its
//! transactions, with one numbering for all, and each appends what it reads of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::endpoint::Endpoint;
use domain::health::Failing;
use domain::limits::{FEED_BYTES_MAX, FEED_EVENTS_MAX, FEED_LINGER_SECONDS};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::queue::Record;

/// What an event of no payload costs in memory, about.
const EVENT_BYTES: usize = 1_024;

/// Something that happened to an endpoint, as it stood then.
#[derive(Debug, Clone)]
pub enum Happened {
    /// An attempt was recorded. `failing`: what is kept of the endpoint.
    Attempted { endpoint: Arc<Endpoint>, failing: Option<Failing>, record: Record },
    /// It was created, changed, enabled, disabled or deleted, or its health changed.
    Changed { endpoint: Arc<Endpoint>, failing: Option<Failing> },
}

impl Happened {
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        match self {
            Self::Attempted { endpoint, .. } | Self::Changed { endpoint, .. } => endpoint,
        }
    }

    fn bytes(&self) -> usize {
        let Self::Attempted { record, .. } = self else { return EVENT_BYTES };
        let answered = record.attempt.response.as_ref().map_or(0, |response| response.body.len());
        EVENT_BYTES + record.delivery.payload.len() + answered
    }
}

/// Whose numbers a feed's events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// They begin anew with each process.
    OfThisProcess,
    /// An event has the same on all nodes.
    OfAll,
}

/// The ring and who waits for it.
#[derive(Debug)]
pub struct Feed {
    numbering: Numbering,
    /// Whether anybody listens, or did a moment ago: asked on the hot path.
    is_wanted: AtomicBool,
    ring: Mutex<Ring>,
    /// The number of the next event.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    /// The number of the first that is kept.
    first: u64,
    events: VecDeque<Arc<Happened>>,
    bytes: usize,
    listeners: usize,
    /// When the last listener left.
    left_at: Option<Instant>,
}

/// What a listener reads.
#[derive(Debug)]
pub enum Heard {
    /// From the number that was asked for on; possibly none.
    Events(Vec<Arc<Happened>>),
    /// Something after that number was dropped already; the next event has this number.
    Lost { next: u64 },
}

/// Somebody who listens, until it is dropped.
#[derive(Debug)]
pub struct Listener {
    feed: Arc<Feed>,
    next: watch::Receiver<u64>,
}

impl Default for Feed {
    fn default() -> Self {
        Self::new(Numbering::OfThisProcess)
    }
}

impl Feed {
    pub fn new(numbering: Numbering) -> Self {
        let (is_wanted, next) = (AtomicBool::new(false), watch::Sender::new(0));
        Self { numbering, is_wanted, ring: Mutex::default(), next }
    }

    pub fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// `false`: whatever were put now, nobody would ever see it. Costs one read of memory.
    pub fn is_wanted(&self) -> bool {
        self.numbering == Numbering::OfThisProcess && self.is_listened_to()
    }

    /// Whether anybody listens here, or did a moment ago.
    pub fn is_listened_to(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// What is put while nobody wants it is dropped. For a feed whose numbers are [`OfThisProcess`](Numbering::OfThisProcess).
    pub fn put(&self, happened: impl IntoIterator<Item = Happened>) {
        if !self.is_wanted() {
            return;
        }
        let mut ring = self.ring.lock();
        if self.forgets(&mut ring) {
            return;
        }
        happened.into_iter().for_each(|one| ring.push(Arc::new(one)));
        let next = ring.next();
        // Under the lock, so that it never goes back.
        self.next.send_replace(next);
    }

    /// For backends whose numbers are [`OfAll`](Numbering::OfAll): what follows was not kept since the last event here, or is
    /// read from `number` on.
    pub fn begin_at(&self, number: u64) {
        let mut ring = self.ring.lock();
        ring.begin_at(number);
        self.next.send_replace(number);
    }

    /// For such backends, in the order of the numbers. One that does not follow the last begins the ring anew, and whoever has
    /// not heard what is between is told of the loss.
    pub fn append(&self, number: u64, happened: Happened) {
        let mut ring = self.ring.lock();
        if ring.next() != number {
            ring.begin_at(number);
        }
        ring.push(Arc::new(happened));
        self.next.send_replace(number + 1);
    }

    /// The number of the next event, as far as it is known here.
    pub fn next(&self) -> u64 {
        self.ring.lock().next()
    }

    /// Drops what is kept for nobody. To be called from time to time, for a feed into which nothing more is put.
    pub fn tidy(&self) {
        if self.is_listened_to() {
            self.forgets(&mut self.ring.lock());
        }
    }

    fn forgets(&self, ring: &mut Ring) -> bool {
        let is_forgotten = ring.is_forgotten();
        if is_forgotten {
            ring.clear();
            self.is_wanted.store(false, Ordering::Relaxed);
        }
        is_forgotten
    }

    pub fn listen(self: &Arc<Self>) -> Listener {
        let mut ring = self.ring.lock();
        if ring.is_forgotten() {
            ring.clear();
        }
        ring.listeners += 1;
        self.is_wanted.store(true, Ordering::Relaxed);
        Listener { feed: Arc::clone(self), next: self.next.subscribe() }
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn push(&mut self, happened: Arc<Happened>) {
        self.bytes += happened.bytes();
        self.events.push_back(happened);
        while self.events.len() > FEED_EVENTS_MAX || (self.bytes > FEED_BYTES_MAX && self.events.len() > 1) {
            let dropped = self.events.pop_front().expect("it holds more than one");
            self.bytes -= dropped.bytes();
            self.first += 1;
        }
    }

    /// Nobody has come back for so long that what follows need not be kept.
    fn is_forgotten(&self) -> bool {
        let linger = Duration::from_secs(FEED_LINGER_SECONDS);
        self.listeners == 0 && self.left_at.is_none_or(|left_at| left_at.elapsed() >= linger)
    }

    fn begin_at(&mut self, number: u64) {
        (self.first, self.events, self.bytes) = (number, VecDeque::new(), 0);
    }

    /// One number is left out, so that nobody who heard the last event takes what follows for all that happened.
    fn clear(&mut self) {
        self.first = self.next() + 1;
        self.events = VecDeque::new();
        self.bytes = 0;
        self.left_at = None;
    }
}

impl Listener {
    /// The number of the next event that happens.
    pub fn next(&self) -> u64 {
        self.feed.ring.lock().next()
    }

    /// Up to `limit` events from number `from` on.
    pub fn hear(&self, from: u64, limit: usize) -> Heard {
        let ring = self.feed.ring.lock();
        let place = from.checked_sub(ring.first).and_then(|place| usize::try_from(place).ok());
        match place {
            Some(place) if place <= ring.events.len() => {
                Heard::Events(ring.events.iter().skip(place).take(limit).cloned().collect())
            }
            _ => Heard::Lost { next: ring.next() },
        }
    }

    /// Until there is an event of number `from`, or a later one.
    pub async fn wait_for(&mut self, from: u64) {
        // The feed lives as long as its listeners, so this never fails.
        let _ = self.next.wait_for(|next| *next > from).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut ring = self.feed.ring.lock();
        ring.listeners -= 1;
        if ring.listeners == 0 {
            ring.left_at = Some(Instant::now());
        }
    }
}

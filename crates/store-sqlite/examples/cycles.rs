//! Measures the store alone: durable publish and record cycles per second, then a start over a long queue. Not a test.
//!
//! `cargo run -p hoopoe-store-sqlite --release --example cycles [DIR] [SECONDS] [WAITING]`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::attempt::{Attempt, Response, Timings};
use domain::delivery::Trigger;
use domain::endpoint::{Endpoint, EndpointState, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, Visibility};
use domain::id::IdSource;
use domain::limits::{RECORD_BATCH_MAX, RECORD_WAIT_MS};
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;
use hoopoe_store_sqlite::{Settings, SqliteStore};
use store::endpoints::Endpoints;
use store::events::{Events, Hold, NewDelivery, Publication};
use store::maintenance::Maintenance;
use store::queue::{Claim, ClaimedDelivery, Queue, Record};
use store::vault::{MasterKey, Vault};
use tokio::sync::mpsc;

const PUBLISHERS: usize = 256;
const PAYLOAD_BYTES: usize = 1_024;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args.next().map_or_else(|| std::env::temp_dir().join("hoopoe-cycles"), PathBuf::from);
    let seconds: u64 = args.next().map_or(5, |text| text.parse().expect("seconds are a number"));
    let waiting: usize = args.next().map_or(0, |text| text.parse().expect("waiting is a number"));
    let bench = Arc::new(Bench::new(&dir).await);
    bench.clone().run(Duration::from_secs(seconds)).await;
    bench.fill(waiting).await;
    bench.store.close().await;
    drop(bench);
    let opening = Instant::now();
    let store = open(&dir);
    let length = store.queue_length().await.expect("it was just opened");
    println!("opened with {length} unfinished in {:?}", opening.elapsed());
    store.close().await;
}

struct Bench {
    store: Arc<SqliteStore>,
    ids: IdSource,
    endpoints: Vec<Arc<Endpoint>>,
    published: AtomicU64,
    recorded: AtomicU64,
}

fn open(dir: &std::path::Path) -> Arc<SqliteStore> {
    let settings = Settings {
        data_dir: dir.to_owned(),
        vault: Vault::new(&MasterKey::new([7; 32])),
        node_name: String::new(),
    };
    SqliteStore::open(settings, now()).expect("the directory is usable")
}

fn now() -> Timestamp {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later than 1970");
    Timestamp::from_millis(since.as_millis() as i64)
}

impl Bench {
    async fn new(dir: &std::path::Path) -> Self {
        let store = open(dir);
        let ids = IdSource::seeded(now().as_millis() as u64);
        let mut endpoints = Vec::new();
        for place in 0..100 {
            let endpoint = Endpoint {
                id: ids.endpoint(now()),
                owner: Owner::Location(format!("location-{place:03}").parse().expect("a valid id")),
                url: "https://hooks.example.com/in".into(),
                description: String::new(),
                subscription: Subscription::All,
                headers: vec![],
                retry_schedule: None,
                skip_own_events: false,
                state: EndpointState::Enabled { since: now() },
                secrets: Secrets::new(SecretText::new("whsec_x".into())),
                created_at: now(),
                updated_at: now(),
            };
            let created = store.create_endpoint(&Scope::Platform, endpoint, usize::MAX, None).await;
            endpoints.push(created.expect("the store is fresh"));
        }
        Self { store, ids, endpoints, published: AtomicU64::new(0), recorded: AtomicU64::new(0) }
    }

    fn publication(&self, place: usize, hold: Hold) -> Publication {
        let endpoint = &self.endpoints[place % self.endpoints.len()];
        let (id, deliveries) = self.ids.event_with_deliveries(now(), 1);
        let endpoint_id = endpoint.id;
        let event = Event {
            id,
            type_name: "ContactCreate".into(),
            scope: EventScope::Location,
            location_id: endpoint.owner.id().parse().ok(),
            company_id: None,
            app_id: None,
            payload: Bytes::from(vec![b'x'; PAYLOAD_BYTES]),
            visibility: Visibility::Listed,
            considered: vec![Considered { endpoint_id, fate: Fate::Delivery(deliveries[0]) }],
        };
        Publication { event, deliveries: vec![NewDelivery { id: deliveries[0], endpoint_id, hold }] }
    }

    fn record(&self, publication: Publication, claim: Claim) -> Record {
        let (event, delivery) = (publication.event, publication.deliveries[0]);
        let delivery = ClaimedDelivery {
            id: delivery.id,
            event_id: event.id,
            endpoint_id: delivery.endpoint_id,
            type_name: event.type_name,
            location_id: event.location_id,
            trigger: Trigger::Event,
            retry_of: None,
            attempt_count: 0,
            claim,
            payload: event.payload,
        };
        let header = |name: &str| (name.to_owned(), "a value as long as they are".to_owned());
        let attempt = Attempt {
            id: self.ids.attempt(now()),
            number: 1,
            started_at: now(),
            duration_ms: 5,
            outcome: Outcome::Succeeded,
            status_code: Some(200),
            error: None,
            remote_address: Some("203.0.113.7:443".into()),
            request_headers: ["content-type", "user-agent", "x-wl-event", "webhook-id"]
                .into_iter()
                .map(header)
                .collect(),
            response: Some(Response {
                headers: ["content-type", "date"].into_iter().map(header).collect(),
                body: Bytes::from_static(b"ok"),
                truncated: false,
            }),
            timings: Timings { wait_ms: Some(4), ..Timings::default() },
        };
        Record { delivery: Arc::new(delivery), attempt: Arc::new(attempt), verdict: Verdict::Succeeded }
    }

    async fn run(self: Arc<Self>, for_how_long: Duration) {
        let (outcomes, queue) = mpsc::channel(16_384);
        let recorder = tokio::spawn(self.clone().record_all(queue));
        let started = Instant::now();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|place| {
                tokio::spawn(self.clone().publish_until(started + for_how_long, place, outcomes.clone()))
            })
            .collect();
        drop(outcomes);
        let mut waits_us = Vec::new();
        for publisher in publishers {
            waits_us.extend(publisher.await.expect("a publisher does not panic"));
        }
        recorder.await.expect("the recorder does not panic");
        let took = started.elapsed().as_secs_f64();
        waits_us.sort_unstable();
        let at = |share: f64| waits_us.get((waits_us.len() as f64 * share) as usize).copied().unwrap_or(0);
        let cycles = self.recorded.load(Relaxed);
        println!("{cycles} cycles in {took:.2} s: {:.0}/s", cycles as f64 / took);
        println!("publish, microseconds: p50 {} p99 {} p99.9 {}", at(0.5), at(0.99), at(0.999));
        println!("{:#?}", self.store.stats());
    }

    async fn publish_until(
        self: Arc<Self>,
        until: Instant,
        place: usize,
        outcomes: mpsc::Sender<Record>,
    ) -> Vec<u64> {
        let mut waits_us = Vec::new();
        while Instant::now() < until {
            let publication = self.publication(place, Hold::Claimed);
            let asked = Instant::now();
            let claim = self.store.publish(vec![publication.clone()], None).await.expect("the disk has room");
            waits_us.push(asked.elapsed().as_micros() as u64);
            self.published.fetch_add(1, Relaxed);
            outcomes.send(self.record(publication, claim)).await.expect("the recorder runs");
        }
        waits_us
    }

    async fn record_all(self: Arc<Self>, mut queue: mpsc::Receiver<Record>) {
        let mut records = Vec::new();
        loop {
            let wait = Duration::from_millis(RECORD_WAIT_MS as u64);
            let more = tokio::time::timeout(wait, queue.recv_many(&mut records, RECORD_BATCH_MAX)).await;
            if more == Ok(0) {
                return;
            }
            let batch = std::mem::take(&mut records);
            let count = batch.len() as u64;
            self.store.record(batch).await.expect("the disk has room");
            self.recorded.fetch_add(count, Relaxed);
        }
    }

    /// Leaves deliveries that nobody holds.
    async fn fill(&self, waiting: usize) {
        let filling = Instant::now();
        for batch in 0..waiting / 1_000 {
            let publications =
                (0..1_000).map(|place| self.publication(batch + place, Hold::Unclaimed)).collect();
            self.store.publish(publications, None).await.expect("the disk has room");
        }
        println!("{waiting} unheld deliveries stored in {:?}", filling.elapsed());
    }
}

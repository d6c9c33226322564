//! What the conformance suite cannot say of this backend: its file, its threads, its plans.

mod file;
mod listing;
mod order;
mod plans;
mod sealing;
mod tallies;
mod writing;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use domain::attempt::{Attempt, HeaderList, Timings};
use domain::delivery::Trigger;
use domain::endpoint::{Endpoint, EndpointState, Subscription};
use domain::event::{Considered, Event, EventScope, Fate, Visibility};
use domain::id::IdSource;
use domain::outcome::Outcome;
use domain::retry::Verdict;
use domain::scope::{Owner, Scope};
use domain::secret::{SecretText, Secrets};
use domain::time::Timestamp;
use store::endpoints::Endpoints;
use store::events::{Hold, NewDelivery, Publication};
use store::queue::{Claim, ClaimedDelivery, Record};
use store::vault::{MasterKey, Vault};

use crate::order::Bounds;
use crate::writer::Tx;
use crate::{OpenError, Settings, SqliteStore};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const KEY: [u8; 32] = [7; 32];

fn vault(key: [u8; 32]) -> Vault {
    Vault::new(&MasterKey::new(key))
}

fn open(data_dir: &Path) -> Result<Arc<SqliteStore>, OpenError> {
    SqliteStore::open(
        Settings { data_dir: data_dir.to_owned(), vault: vault(KEY), node_name: "node".to_owned() },
        NOW,
    )
}

/// A store in a directory that lasts as long as it, and ids for it.
struct World {
    store: Arc<SqliteStore>,
    ids: IdSource,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: open(dir.path()).unwrap(), ids: IdSource::seeded(1), dir }
    }

    /// From now on, and until it is opened again, a tail of so few rows is too long and so few are a part.
    async fn bound(&self, tail_rows: i64, part_rows: i64) {
        let bound = move |tx: &mut Tx<'_>| {
            tx.days.bound(Bounds { tail_rows, bulk_rows: (tail_rows * 3 + 3) / 4, part_rows });
            Ok(())
        };
        self.store.write("bounding the tails", bound).await.unwrap();
    }

    async fn endpoint(&self) -> Arc<Endpoint> {
        let endpoint = Endpoint {
            id: self.ids.endpoint(NOW),
            owner: Owner::Location("loc".parse().unwrap()),
            url: "https://hooks.example.com/in".into(),
            description: String::new(),
            subscription: Subscription::All,
            headers: vec![("x-token".into(), SecretText::new("hidden-value".into()))],
            retry_schedule: Some(vec![5, 300]),
            skip_own_events: false,
            state: EndpointState::Enabled { since: NOW },
            secrets: Secrets::new(SecretText::new("whsec_plain".into())),
            created_at: NOW,
            updated_at: NOW,
        };
        self.store.create_endpoint(&Scope::Platform, endpoint, 1_000, None).await.unwrap()
    }

    /// An event with one delivery, claimed at once, made at `at`.
    fn publication(&self, endpoint: &Endpoint, at: Timestamp) -> Publication {
        Self::publication_of(&self.ids, endpoint, at)
    }

    fn publication_of(ids: &IdSource, endpoint: &Endpoint, at: Timestamp) -> Publication {
        let (id, deliveries) = ids.event_with_deliveries(at, 1);
        let endpoint_id = endpoint.id;
        let event = Event {
            id,
            type_name: "ContactCreate".into(),
            scope: EventScope::Location,
            location_id: Some("loc".parse().unwrap()),
            company_id: None,
            app_id: None,
            payload: Bytes::from_static(br#"{"type":"ContactCreate"}"#),
            visibility: Visibility::Listed,
            considered: vec![Considered { endpoint_id, fate: Fate::Delivery(deliveries[0]) }],
        };
        let delivery = NewDelivery { id: deliveries[0], endpoint_id, hold: Hold::Claimed };
        Publication { event, deliveries: vec![delivery] }
    }

    fn record(&self, publication: &Publication, claim: Claim, verdict: Verdict) -> Record {
        let (event, delivery) = (&publication.event, publication.deliveries[0]);
        let claimed = ClaimedDelivery {
            id: delivery.id,
            event_id: event.id,
            endpoint_id: delivery.endpoint_id,
            type_name: event.type_name.clone(),
            location_id: event.location_id.clone(),
            trigger: Trigger::Event,
            retry_of: None,
            attempt_count: 0,
            claim,
            payload: event.payload.clone(),
        };
        let succeeded = verdict == Verdict::Succeeded;
        let attempt = Attempt {
            id: self.ids.attempt(NOW),
            number: 1,
            started_at: event.created_at(),
            duration_ms: 5,
            outcome: if succeeded { Outcome::Succeeded } else { Outcome::HttpError },
            status_code: Some(if succeeded { 200 } else { 503 }),
            error: None,
            remote_address: None,
            request_headers: HeaderList::default(),
            response: None,
            timings: Timings::default(),
        };
        Record { delivery: Arc::new(claimed), attempt: Arc::new(attempt), verdict }
    }
}

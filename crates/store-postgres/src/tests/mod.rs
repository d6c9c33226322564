//! What is this backend's own: its plans, its nodes, its refusals.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod nodes;
mod opening;
mod plans;

use std::sync::Arc;

use domain::time::Timestamp;
use store::vault::{MasterKey, Vault};
use testkit::{Database, ManualClock};

use crate::{OpenError, PostgresStore, Settings, SkewCheck};

/// 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn settings(database: &Database, clock: &ManualClock) -> Settings {
    Settings {
        url: database.url(),
        vault: Vault::new(&MasterKey::new([7; 32])),
        node_name: "a node".to_owned(),
        ids: Arc::new(testkit::seeded_ids()),
        clock: Arc::new(clock.clone()),
        skew: SkewCheck::Ignore,
    }
}

async fn open(database: &Database, clock: &ManualClock) -> Result<Arc<PostgresStore>, OpenError> {
    PostgresStore::open(settings(database, clock)).await
}

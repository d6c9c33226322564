//! The suite that every backend passes, on a real PostgreSQL. A process that dies is a store that is left alone and
//! whose row somebody removes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use hoopoe_store_postgres::{PostgresStore, Settings, SkewCheck};
use store::Store;
use store::conformance::{Backend, Instance, KEY};
use store::maintenance::Maintenance;
use store::vault::{MasterKey, Vault};
use testkit::{Database, ManualClock};

store::conformance_suite!(Postgres);

struct Postgres;

struct Process {
    vault: Vault,
    store: Arc<PostgresStore>,
    database: Database,
}

#[async_trait]
impl Backend for Postgres {
    async fn fresh(&self, now: Timestamp) -> Box<dyn Instance> {
        let (database, vault) = (Database::fresh(), Vault::new(&MasterKey::new(KEY)));
        let store = open(&database, &vault, now).await;
        Box::new(Process { store, vault, database })
    }
}

/// A node whose clock stands: it beats no more and watches nobody.
async fn open(database: &Database, vault: &Vault, now: Timestamp) -> Arc<PostgresStore> {
    let settings = Settings {
        url: database.url(),
        vault: vault.clone(),
        node_name: "node".to_owned(),
        ids: Arc::new(testkit::seeded_ids()),
        clock: Arc::new(ManualClock::at(now)),
        skew: SkewCheck::Ignore,
    };
    PostgresStore::open(settings).await.unwrap()
}

#[async_trait]
impl Instance for Process {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    fn opens_with(&mut self, vault: Vault) {
        self.vault = vault;
    }

    async fn crash_and_reopen(&mut self, now: Timestamp) {
        self.database.sql("delete from nodes");
        self.store = open(&self.database, &self.vault, now).await;
    }

    async fn close_and_reopen(&mut self, now: Timestamp) {
        self.store.close().await;
        self.store = open(&self.database, &self.vault, now).await;
    }

    async fn second(&self, now: Timestamp) -> Option<Arc<dyn Store>> {
        Some(open(&self.database, &self.vault, now).await)
    }
}

//! The suite that every backend passes, on real files. A process that dies is an image of its files, taken while it runs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use hoopoe_store_sqlite::{Settings, SqliteStore};
use store::Store;
use store::conformance::{Backend, Instance, KEY};
use store::maintenance::Maintenance;
use store::vault::{MasterKey, Vault};
use tempfile::TempDir;

store::conformance_suite!(Sqlite);

struct Sqlite;

struct Process {
    vault: Vault,
    store: Arc<SqliteStore>,
    dir: TempDir,
}

#[async_trait]
impl Backend for Sqlite {
    async fn fresh(&self, now: Timestamp) -> Box<dyn Instance> {
        let dir = TempDir::new().unwrap();
        let vault = Vault::new(&MasterKey::new(KEY));
        Box::new(Process { store: open(dir.path(), &vault, now), vault, dir })
    }
}

fn open(data_dir: &Path, vault: &Vault, now: Timestamp) -> Arc<SqliteStore> {
    SqliteStore::open(
        Settings { data_dir: data_dir.to_owned(), vault: vault.clone(), node_name: "node".to_owned() },
        now,
    )
    .unwrap()
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
        let image = TempDir::new().unwrap();
        // The log last: a page that a checkpoint moves meanwhile is in both.
        for name in ["hoopoe.db", "hoopoe.db-wal"] {
            std::fs::copy(self.dir.path().join(name), image.path().join(name)).unwrap();
        }
        self.store = open(image.path(), &self.vault, now);
        self.dir = image;
    }

    async fn close_and_reopen(&mut self, now: Timestamp) {
        self.store.close().await;
        self.store = open(self.dir.path(), &self.vault, now);
    }

    async fn second(&self, _now: Timestamp) -> Option<Arc<dyn Store>> {
        None
    }
}

//! What a rotation of the master key leaves in the files, and what a start in the middle of one needs.

use std::path::Path;

use store::endpoints::Endpoints;
use store::maintenance::Maintenance;
use store::sealing::Sealing;
use store::vault::{MasterKey, Vault};

use super::{KEY, NOW, World, vault};
use crate::{OpenError, Settings, SqliteStore};

const NEW_KEY: [u8; 32] = [8; 32];

fn both() -> Vault {
    vault(NEW_KEY).with_previous(&MasterKey::new(KEY))
}

fn opens(dir: &Path, vault: Vault) -> Result<(), OpenError> {
    SqliteStore::open(Settings { data_dir: dir.to_owned(), vault, node_name: "node".to_owned() }, NOW)
        .map(drop)
}

/// How often a value sealed under `key` begins in the files: version and key id are five bytes.
fn sealed_under(dir: &Path, key: [u8; 32]) -> usize {
    let sealed = vault(key).seal("", b"").unwrap();
    let names = ["hoopoe.db", "hoopoe.db-wal"];
    let files = names.iter().filter_map(|name| std::fs::read(dir.join(name)).ok());
    files.map(|bytes| bytes.windows(5).filter(|window| *window == &sealed[..5]).count()).sum()
}

async fn reseal(store: &SqliteStore) {
    let mut after = None;
    while let Some(next) = store.reseal(after).await.unwrap().next {
        after = Some(next);
    }
}

#[tokio::test]
async fn after_a_rotation_the_files_hold_nothing_that_is_sealed_under_the_old_key() {
    let world = World::new();
    for _ in 0..150 {
        world.endpoint().await;
    }
    let gone = world.endpoint().await;
    world.store.delete_endpoint(&domain::scope::Scope::Platform, gone.id, NOW).await.unwrap();
    assert!(sealed_under(world.dir.path(), KEY) > 300, "the search finds what is there");
    world.store.use_vault(both(), None).await.unwrap();
    reseal(&world.store).await;
    assert_eq!(sealed_under(world.dir.path(), KEY), 0);
    assert!(sealed_under(world.dir.path(), NEW_KEY) > 300);
}

#[tokio::test]
async fn in_the_middle_of_a_rotation_a_store_opens_with_both_keys_and_with_neither_alone() {
    let world = World::new();
    for _ in 0..150 {
        world.endpoint().await;
    }
    let World { store, dir, .. } = world;
    store.use_vault(both(), None).await.unwrap();
    assert!(store.reseal(None).await.unwrap().next.is_some());
    store.close().await;
    for alone in [KEY, NEW_KEY] {
        let refused = opens(dir.path(), vault(alone));
        assert!(matches!(refused, Err(OpenError::WrongMasterKey)), "{refused:?}");
    }
    opens(dir.path(), both()).unwrap();
}

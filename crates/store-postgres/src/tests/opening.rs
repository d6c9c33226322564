//! Which databases are refused, and that nothing is changed then.

use std::collections::BTreeSet;

use store::maintenance::Maintenance as _;
use store::vault::{MasterKey, Vault};
use testkit::{Database, ManualClock, Postgres};

use super::{NOW, open, settings};
use crate::migrations::MIGRATIONS;
use crate::open::target;
use crate::{OpenError, PostgresStore, Settings, SkewCheck, migrate};

#[tokio::test]
async fn another_master_key_is_refused_and_the_right_one_still_opens() {
    let (database, clock) = (Database::fresh(), ManualClock::at(NOW));
    open(&database, &clock).await.unwrap().close().await;
    let vault = Vault::new(&MasterKey::new([8; 32]));
    let wrong = Settings { vault, ..settings(&database, &clock) };
    assert!(matches!(PostgresStore::open(wrong).await, Err(OpenError::WrongMasterKey)));
    open(&database, &clock).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let (database, clock) = (Database::fresh(), ManualClock::at(NOW));
    let migrated = migrate(&database.url()).await.unwrap();
    assert_eq!((migrated.from, migrated.to > 0), (0, true));
    assert_eq!(migrate(&database.url()).await.unwrap().from, migrated.to);
    database.sql("update schema_version set version = 99");
    assert!(matches!(open(&database, &clock).await, Err(OpenError::SchemaNewer { found: 99, .. })));
    assert_eq!(database.sql("select version from schema_version"), "99");
}

/// Tables with their columns, whether each may be left out of an insert, and the unique indexes.
const SHAPE: &str = "select table_name, column_name, data_type, is_nullable, column_default is not null \
    from information_schema.columns where table_schema = 'public' union all select tablename, indexname, indexdef, '', true \
    from pg_indexes where schemaname = 'public' and indexdef like 'CREATE UNIQUE%'";

/// What nodes of the version before read and write while the first of the new ones has migrated already.
#[tokio::test]
async fn each_migration_leaves_the_version_before_all_that_it_knows() {
    let database = Database::fresh();
    let shape = || -> BTreeSet<String> { database.sql(SHAPE).lines().map(str::to_owned).collect() };
    let mut before = BTreeSet::new();
    for migration in MIGRATIONS {
        database.sql(migration);
        let after = shape();
        let gone: Vec<_> = before.difference(&after).collect();
        assert!(gone.is_empty(), "gone or another one: {gone:?}");
        let table = |line: &str| line.split('|').next().unwrap_or_default().to_owned();
        let known: BTreeSet<String> = before.iter().map(|line| table(line)).collect();
        let must_be_given: Vec<_> = after
            .difference(&before)
            .filter(|line| known.contains(&table(line)))
            .filter(|line| line.ends_with("|NO|f") || line.contains("CREATE UNIQUE"))
            .collect();
        assert!(must_be_given.is_empty(), "an insert that does not name it fails: {must_be_given:?}");
        before = after;
    }
}

/// What a migration waits for may be a backup that runs for an hour; it must not stand in everybody's way as long.
#[tokio::test]
async fn a_migration_that_waits_lets_others_pass_and_is_made_once_it_can_be() {
    let database = Database::fresh();
    database.sql("create table schema_version (id integer primary key, version bigint not null)");
    database.sql("insert into schema_version (id, version) values (1, 1)");
    database.sql(MIGRATIONS[0]);
    let [reading, passing] = [target(&database.url()).unwrap(), target(&database.url()).unwrap()];
    let (reading, passing) = (reading.connect().await.unwrap(), passing.connect().await.unwrap());
    reading.run("begin; select from endpoint_health").await.unwrap();
    let url = database.url();
    let migrating = tokio::spawn(async move { migrate(&url).await });
    testkit::eventually("the migration to wait", || async {
        (database.sql("select count(*) from pg_locks where not granted") == "1").then_some(())
    })
    .await;
    // It would wait behind the one that waits, longer than a call may take.
    passing.run("select from endpoint_health").await.unwrap();
    assert!(!migrating.is_finished(), "the table is read still");
    reading.run("commit").await.unwrap();
    let migrated = migrating.await.unwrap().unwrap();
    assert_eq!((migrated.from, migrated.to), (1, MIGRATIONS.len() as i64));
}

#[tokio::test]
async fn of_many_that_open_a_new_database_at_once_one_migrates_it() {
    let (database, clock) = (Database::fresh(), ManualClock::at(NOW));
    let opening = (0..4).map(|_| open(&database, &clock));
    for store in futures::future::join_all(opening).await {
        store.unwrap().ping().await.unwrap();
    }
    assert_eq!(database.sql("select count(*), count(distinct slot) from nodes"), "4|4");
}

#[tokio::test]
async fn a_clock_that_is_far_from_the_databases_is_refused() {
    let (database, clock) = (Database::fresh(), ManualClock::at(NOW));
    let strict = |clock: &ManualClock| Settings { skew: SkewCheck::Refuse, ..settings(&database, clock) };
    let refused = PostgresStore::open(strict(&clock)).await;
    assert!(matches!(refused, Err(OpenError::ClockSkew { skew_ms }) if skew_ms < 0));
    assert_eq!(database.sql("select count(*) from pg_class where relname = 'schema_version'"), "0");
    PostgresStore::open(strict(&ManualClock::at_real_time())).await.unwrap();
}

/// A server behind a firewall that drops what comes, or a machine that hangs: connected or not, no word comes from it.
#[tokio::test]
async fn a_server_that_is_silent_keeps_nobody_from_the_next() {
    let (database, clock) = (Database::fresh(), ManualClock::at(NOW));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = database.url_at(&[silent.local_addr().unwrap(), database.address()]);
    let store = PostgresStore::open(Settings { url, ..settings(&database, &clock) }).await.unwrap();
    store.ping().await.unwrap();
    silent.set_nonblocking(true).unwrap();
    silent.accept().expect("it was asked first");
    store.close().await;
}

#[tokio::test]
async fn what_is_no_database_is_told_without_its_password() {
    let (database, clock) = (Database::fresh(), ManualClock::at(NOW));
    for url in ["postgres://u:secret@127.0.0.1:1/x", "postgres://u:secret@h:port/x"] {
        let settings = Settings { url: url.to_owned(), ..settings(&database, &clock) };
        assert!(!format!("{settings:?}").contains("secret"));
        let error = PostgresStore::open(settings).await.unwrap_err();
        assert!(matches!(error, OpenError::Unreachable { .. } | OpenError::Url { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_sync_is_refused() {
    let server = Postgres::own();
    let (database, clock) = (server.database(), ManualClock::at(NOW));
    database.sql("alter system set fsync = off");
    server.crash();
    server.start();
    assert!(matches!(open(&database, &clock).await, Err(OpenError::FsyncOff)));
}

//! The schema's versions: forward only, one transaction each, beside nodes of the version before that serve on.

use std::time::Duration;

use domain::limits::{MIGRATION_LOCK_MS_MAX, MIGRATION_PAUSE_MS, MIGRATION_TRIES_MAX};
use tokio::time::sleep;

use crate::fault::Fault;
use crate::open::{OpenError, failed};
use crate::session::Session;

/// Forward only, in order; the number of the last is the schema's version. One that takes something away comes a version
/// after the one that stopped using it, since nodes of both versions serve during an upgrade.
pub(crate) const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001_first.sql"), include_str!("../migrations/0002_whole.sql")];

/// From which version of the schema to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    pub from: i64,
    pub to: i64,
}

/// One node migrates, the others wait for its row.
pub(crate) async fn bring_up_to_date(session: &Session) -> Result<Migrated, OpenError> {
    let failed = failed("migrating");
    // Two that make the table at once: one of them fails, and finds it then.
    let _ = session
        .run("create table if not exists schema_version (id integer primary key, version bigint not null)")
        .await;
    session
        .run("insert into schema_version (id, version) values (1, 0) on conflict do nothing")
        .await
        .map_err(&failed)?;
    let known = MIGRATIONS.len() as i64;
    let mut from = None;
    let mut tries = 0;
    loop {
        match step(session).await {
            Ok(found) if found > known => return Err(OpenError::SchemaNewer { found, known }),
            Ok(found) => {
                let from = *from.get_or_insert(found);
                if found == known {
                    return Ok(Migrated { from, to: known });
                }
                tracing::info!(version = found + 1, "the database's schema was brought up to date");
            }
            Err(fault) if fault.is_in_the_way() && tries + 1 < MIGRATION_TRIES_MAX => {
                tries += 1;
                tracing::warn!(
                    tries,
                    "a migration waits for a transaction that holds what it changes; trying again"
                );
                session.run("rollback").await.map_err(&failed)?;
                sleep(Duration::from_millis(MIGRATION_PAUSE_MS)).await;
            }
            Err(fault) => return Err(failed(fault)),
        }
    }
}

/// The next migration, if there is one. The version before it.
async fn step(session: &Session) -> Result<i64, Fault> {
    session.run("begin; set local lock_timeout = 0; set local statement_timeout = 0").await?;
    let row = session.find("select version from schema_version where id = 1 for update", &[]).await?;
    let found: i64 = row.map_or(0, |row| row.get(0));
    let next = usize::try_from(found).ok().and_then(|place| MIGRATIONS.get(place));
    if let Some(migration) = next {
        // Whoever comes after it for the same table stands behind it, so that it may not stand in line for long itself.
        session.run(&format!("set local lock_timeout = {MIGRATION_LOCK_MS_MAX}")).await?;
        session.run(migration).await?;
        session.run(&format!("update schema_version set version = {} where id = 1", found + 1)).await?;
    }
    session.run("commit").await?;
    Ok(found)
}

//! Opening the file: directory, lock, version, migrations, master key, and what a process before this one left behind.
//!
//! Nothing here deletes or rewrites data to help itself; whatever does not fit is an [`OpenError`] that says what to do.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::time::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use store::backend::alone::Alone;
use store::vault::Vault;

use crate::days;
use crate::fault::Fault;
use crate::log;

const FILE_NAME: &str = "hoopoe.db";
const LOCK_NAME: &str = "hoopoe.lock";
/// `Hoop`, so that another program's file is recognised.
const APPLICATION_ID: i64 = 0x486F_6F70;
/// Older ones can corrupt a write-ahead log that another thread checkpoints.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
pub(crate) const PAGE_BYTES: u32 = 4_096;
/// Holds a day's tail with events of 1 KB, some 13 MiB, and the pages that the next bulk of it is put in order in.
const WRITER_CACHE_KIB: i64 = 24 * 1024;
/// Each of the readers' own; the system's cache has what is beyond it.
const READER_CACHE_KIB: i64 = 1024;
/// Another program, a backup for one, may hold the file for a moment.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// Forward only, in order; the number of the last is the schema's version.
const MIGRATIONS: [Migration; 9] = [
    Migration::Once(include_str!("../migrations/0001_first.sql")),
    Migration::Once(include_str!("../migrations/0002_held.sql")),
    Migration::Once(include_str!("../migrations/0003_health.sql")),
    Migration::Once(include_str!("../migrations/0004_access.sql")),
    Migration::EachDay(include_str!("../migrations/0005_event_scope.sql")),
    Migration::Once(include_str!("../migrations/0006_grants.sql")),
    Migration::Once(include_str!("../migrations/0007_stats.sql")),
    Migration::Once(include_str!("../migrations/0008_ordered.sql")),
    Migration::EachDay(include_str!("../migrations/0009_orders.sql")),
];

enum Migration {
    Once(&'static str),
    /// For the tables of each day there is, where `{d}` stands for the day's suffix, `{day}` for its number and `{first_key}`
    /// for the smallest key that it can have.
    EachDay(&'static str),
}

impl Migration {
    fn run(&self, conn: &Connection) -> Result<(), Fault> {
        match self {
            Self::Once(sql) => conn.execute_batch(sql)?,
            Self::EachDay(sql) => {
                for day in days::all(conn)? {
                    let sql = sql.replace("{d}", &days::suffix(day)).replace("{day}", &day.to_string());
                    conn.execute_batch(&sql.replace("{first_key}", &days::first_key_of(day).to_string()))?;
                }
            }
        }
        Ok(())
    }
}

pub(crate) const CANARY: &[u8] = b"hoopoe";
pub(crate) const CANARY_CONTEXT: &str = "meta/canary";

/// Where and with which key.
#[derive(Clone)]
pub struct Settings {
    /// Created when it is missing; its parent must exist.
    pub data_dir: PathBuf,
    /// Under the master key; during its rotation, with the one before.
    pub vault: Vault,
    /// What this process is called in the list of nodes.
    pub node_name: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Why a store does not open, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data directory {path} cannot be used; create it, or give this user the right to read and write in it"
    )]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("another process uses the data directory {path}; stop it, or choose another directory")]
    Locked { path: PathBuf },
    #[error(
        "the data was written under another master key; start with the key that it was created with or last rotated to, \
         and while a rotation is unfinished also with the one before"
    )]
    WrongMasterKey,
    #[error("the data is of schema version {found}, this program knows {known}; start a newer Hoopoe")]
    SchemaNewer { found: i64, known: i64 },
    #[error("SQLite {found} can corrupt data that this program writes; build it with 3.51.3 or later")]
    SqliteTooOld { found: &'static str },
    #[error("{path} is damaged or not Hoopoe's; keep a copy of it and restore a backup")]
    Damaged { path: PathBuf, source: Option<rusqlite::Error> },
    #[error("the store failed while {doing}; look at the cause, then start again")]
    Failed { doing: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

/// An open file, checked and up to date, and the lock that keeps others away.
#[derive(Debug)]
pub(crate) struct Opened {
    pub conn: Connection,
    pub path: PathBuf,
    pub vault: Vault,
    pub alone: Alone,
    pub lock: File,
}

pub(crate) fn open(settings: &Settings, now: Timestamp) -> Result<Opened, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::SqliteTooOld { found: rusqlite::version() });
    }
    let lock = locked(&settings.data_dir)?;
    let path = settings.data_dir.join(FILE_NAME);
    let told = |doing| {
        let path = path.clone();
        move |fault| open_error(fault, doing, path)
    };
    let mut conn = writing(&path).map_err(Fault::from).map_err(told("opening the file"))?;
    check_application(&conn, &path).map_err(told("opening the file"))??;
    migrate(&mut conn).map_err(told("migrating"))??;
    let vault = settings.vault.clone();
    if !opens_canary(&conn, &vault).map_err(told("checking the master key"))? {
        return Err(OpenError::WrongMasterKey);
    }
    free_claims(&conn, now).map_err(told("taking over what was left unfinished"))?;
    let alone = Alone::new(settings.node_name.clone(), env!("CARGO_PKG_VERSION"), now);
    Ok(Opened { conn, path, vault, alone, lock })
}

/// The lock ends with the process, however it ends.
fn locked(data_dir: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Directory { path: data_dir.to_owned(), source };
    create_private(data_dir).map_err(unusable)?;
    let path = data_dir.join(LOCK_NAME);
    let lock =
        File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Payloads are other people's data, so a directory that we make is the user's alone.
fn create_private(data_dir: &Path) -> std::io::Result<()> {
    if data_dir.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data_dir)
}

/// Memory-mapping stays off: a disk that fails to read would end the process instead of failing one call.
fn connect(path: &Path, flags: OpenFlags, cache_kib: i64) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.set_prepared_statement_cache_capacity(256);
    Ok(conn)
}

/// What is deleted within a page is overwritten with zeros, so that no old ciphertext stays there; whole pages that become
/// free are not, which would cost writes for every swept day.
fn writing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let conn = connect(path, flags, WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    let limit = u64::from(PAGE_BYTES) * crate::checkpoint::RESTART_FRAMES;
    conn.pragma_update_and_check(None, "journal_size_limit", limit as i64, |_| Ok(()))?;
    Ok(conn)
}

pub(crate) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_KIB)?;
    conn.pragma_update(None, "query_only", "ON")?;
    Ok(conn)
}

pub(crate) fn checkpointing(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, 1024)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

fn check_application(conn: &Connection, path: &Path) -> Result<Result<(), OpenError>, Fault> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == APPLICATION_ID || (application == 0 && tables == 0) {
        return Ok(Ok(()));
    }
    Ok(Err(OpenError::Damaged { path: path.to_owned(), source: None }))
}

fn migrate(conn: &mut Connection) -> Result<Result<(), OpenError>, Fault> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Ok(Err(OpenError::SchemaNewer { found, known }));
    }
    for version in found..known {
        let tx = conn.transaction()?;
        MIGRATIONS[version as usize].run(&tx)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", version + 1)?;
        tx.commit()?;
    }
    Ok(Ok(()))
}

/// A new file gets its canary here.
fn opens_canary(conn: &Connection, vault: &Vault) -> Result<bool, Fault> {
    let sealed = conn
        .query_row("SELECT value FROM meta WHERE name = 'canary'", [], |row| row.get::<_, Vec<u8>>(0))
        .optional()?;
    if let Some(sealed) = sealed {
        return Ok(vault.open(CANARY_CONTEXT, &sealed).is_ok_and(|plain| plain == CANARY));
    }
    let sealed = vault.seal(CANARY_CONTEXT, CANARY).map_err(|_| Fault::Sealing)?;
    conn.execute("INSERT INTO meta (name, value) VALUES ('canary', ?1)", params![sealed])?;
    Ok(true)
}

/// Whoever has the lock is alone, so every claim is of a process that is gone. One pass over the unfinished deliveries:
/// an index for this would be written twice per delivery to be read once per start.
fn free_claims(conn: &Connection, now: Timestamp) -> Result<(), Fault> {
    let tx = conn.unchecked_transaction()?;
    let sql = "UPDATE queue SET claim = NULL, due_at = ?1 WHERE claim IS NOT NULL";
    let mut freed = tx.execute(sql, params![now.as_millis()])?;
    freed += tx.execute(log::ALL_HELD_TO_QUEUE, params![now.as_millis(), 0])?;
    tx.execute("DELETE FROM held", [])?;
    tx.commit()?;
    if freed > 0 {
        tracing::info!(deliveries = freed, "freed the claims of the process before this one");
    }
    Ok(())
}

pub(crate) fn open_error(fault: Fault, doing: &'static str, path: PathBuf) -> OpenError {
    match fault {
        Fault::Sql(error) if is_damage(&error) => OpenError::Damaged { path, source: Some(error) },
        Fault::Sql(error) => OpenError::Failed { doing, source: error.into() },
        Fault::OtherKey => OpenError::WrongMasterKey,
        other => OpenError::Failed { doing, source: other.told(doing).into() },
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

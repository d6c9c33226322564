//! Opening a database: what it must be like, migrations, the master key, and a place among the nodes.
//!
//! Nothing here deletes or rewrites data to help itself; whatever does not fit is an [`OpenError`] that says what to do.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use domain::id::IdSource;
use domain::limits::{CLOCK_SKEW_MS_MAX, DATABASE_CONNECT_MS_MAX};
use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use store::StoreError;
use store::backend::memory::Memory;
use store::vault::Vault;
use tokio::sync::Semaphore;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use crate::days::Days;
use crate::fault::Fault;
use crate::follow::{self, Follower};
use crate::migrations::{Migrated, bring_up_to_date};
use crate::nodes::{self, Node};
use crate::pool::Pool;
use crate::publisher;
use crate::session::{Session, Target};
use crate::stats::Stats;
use crate::tls::Tls;
use crate::tx::Snapshot;
use crate::{PostgresStore, Shared};

const VERSION_NUMBER_MIN: i64 = 150_000;

pub(crate) const CANARY: &[u8] = b"hoopoe";
pub(crate) const CANARY_CONTEXT: &str = "meta/canary";

/// Which database, as which node, with which key.
#[derive(Clone)]
pub struct Settings {
    /// `postgres://user:password@host:port/database`, several hosts separated by commas; `sslmode` and `sslrootcert` as libpq
    /// knows them. Holds a password: never printed.
    pub url: String,
    /// Under the master key; during its rotation, with the one before.
    pub vault: Vault,
    /// What this node is called in the list of nodes.
    pub node_name: String,
    /// Those that this process makes ids with: they keep to the node's slot, so that no other node makes the same.
    pub ids: Arc<IdSource>,
    /// For the days that are made ahead; and the steady one, for this node's beat and its watch over the others.
    pub clock: Arc<dyn Clock>,
    pub skew: SkewCheck,
}

/// Whether this node's clock is compared with the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkewCheck {
    /// A difference above [`CLOCK_SKEW_MS_MAX`] is refused: what one node puts off would be due too early or too late on another.
    Refuse,
    /// For tests whose clock is moved by hand.
    Ignore,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("node_name", &self.node_name).finish_non_exhaustive()
    }
}

/// Why a database does not open, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database's URL is not usable; give one such as postgres://user:password@host:5432/hoopoe")]
    Url { source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the certificates in {path} cannot be used; name a PEM file with sslrootcert")]
    Certificates { path: PathBuf, source: std::io::Error },
    #[error(
        "the database cannot be reached; check that it runs, accepts this user and is not read-only: {source}"
    )]
    Unreachable { source: StoreError },
    #[error("PostgreSQL {found} is too old; use version 15 or later")]
    TooOld { found: String },
    #[error("the database runs with fsync=off and would lose what was acknowledged; set fsync=on")]
    FsyncOff,
    #[error("the data is of schema version {found}, this program knows {known}; start a newer Hoopoe")]
    SchemaNewer { found: i64, known: i64 },
    #[error(
        "the data was written under another master key; start with the key that it was created with or last rotated to, \
         and while a rotation is unfinished also with the one before"
    )]
    WrongMasterKey,
    #[error(
        "this machine's clock is {skew_ms} ms from the database's, more than {CLOCK_SKEW_MS_MAX}; set both by NTP"
    )]
    ClockSkew { skew_ms: i64 },
    #[error("the store failed while {doing}; look at the cause, then start again")]
    Failed { doing: &'static str, source: StoreError },
}

/// Brings the schema of the database at `url` up to date and does nothing else.
///
/// # Errors
/// As [`PostgresStore::open`].
pub async fn migrate(url: &str) -> Result<Migrated, OpenError> {
    let target = target(url)?;
    let session = connect(&target).await?;
    check_server(&session).await?;
    bring_up_to_date(&session).await
}

pub(crate) async fn open(settings: Settings) -> Result<PostgresStore, OpenError> {
    let target = target(&settings.url)?;
    let session = connect(&target).await?;
    check_server(&session).await?;
    let now = settings.clock.now();
    if settings.skew == SkewCheck::Refuse {
        check_clock(&session, now).await?;
    }
    bring_up_to_date(&session).await?;
    if !opens_canary(&session, &settings.vault).await.map_err(failed("checking the master key"))? {
        return Err(OpenError::WrongMasterKey);
    }
    // Of nodes that were held for dead and whose takeover nobody finished. The living are watched from now on.
    nodes::adopt(&session, now).await.map_err(failed("taking over what was left unfinished"))?;
    let (pool, days, memory) = (Pool::new(target), Days::default(), Memory::of_a_node());
    let seen = load(&pool, &settings.vault, &memory).await.map_err(|fault| match fault {
        Fault::Vault(store::vault::VaultFault::OtherKey) => OpenError::WrongMasterKey,
        other => failed("loading what memory holds")(other),
    })?;
    let node = Node::join(&session, (settings.node_name, settings.ids), Arc::clone(&settings.clock))
        .await
        .map_err(failed("joining the other nodes"))?;
    let (publisher, calls) = publisher::channel();
    let shared = Shared {
        pool,
        memory,
        vault: Mutex::new(Arc::new(settings.vault)),
        node: Arc::new(node),
        days,
        follower: Follower::at(seen),
        ears: tokio::sync::Mutex::default(),
        publisher,
        stats: Stats::default(),
        clock: settings.clock,
        changes: Semaphore::new(1),
        records: Semaphore::new(1),
    };
    Ok(PostgresStore::start(shared, calls, session))
}

pub(crate) fn failed(doing: &'static str) -> impl Fn(Fault) -> OpenError {
    move |fault| OpenError::Failed { doing, source: fault.told(doing) }
}

pub(crate) fn target(url: &str) -> Result<Target, OpenError> {
    let (url, roots) = without_roots(url);
    let mut config: Config = url.parse().map_err(|error| OpenError::Url { source: Box::new(error) })?;
    // Of several hosts the one that may be written; after a failover that is another one.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.application_name("hoopoe");
    config.connect_timeout(Duration::from_millis(DATABASE_CONNECT_MS_MAX));
    config.tcp_user_timeout(Duration::from_millis(2 * DATABASE_CONNECT_MS_MAX));
    config.keepalives_idle(Duration::from_millis(2 * DATABASE_CONNECT_MS_MAX));
    config.keepalives_interval(Duration::from_millis(DATABASE_CONNECT_MS_MAX));
    config.keepalives_retries(2);
    let tls = Tls::new(roots.as_deref())
        .map_err(|source| OpenError::Certificates { path: roots.clone().unwrap_or_default(), source })?;
    Ok(Target { hosts: one_by_one(&config), tls, latest: Arc::new(AtomicUsize::new(0)) })
}

/// A setting for each server, so that each gets the same time to answer.
fn one_by_one(all: &Config) -> Vec<Config> {
    let of_host = |place: usize| {
        let mut one = Config::new();
        one.ssl_mode(all.get_ssl_mode()).channel_binding(all.get_channel_binding());
        one.ssl_negotiation(all.get_ssl_negotiation()).target_session_attrs(all.get_target_session_attrs());
        one.keepalives(all.get_keepalives()).keepalives_idle(all.get_keepalives_idle());
        all.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
        all.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
        all.get_connect_timeout().map(|bound| one.connect_timeout(*bound));
        all.get_tcp_user_timeout().map(|bound| one.tcp_user_timeout(*bound));
        all.get_user().map(|user| one.user(user));
        all.get_password().map(|password| one.password(password));
        all.get_dbname().map(|name| one.dbname(name));
        all.get_options().map(|options| one.options(options));
        all.get_application_name().map(|name| one.application_name(name));
        match all.get_hosts().get(place) {
            Some(Host::Tcp(host)) => one.host(host),
            #[cfg(unix)]
            Some(Host::Unix(path)) => one.host_path(path),
            None => &mut one,
        };
        all.get_hostaddrs().get(place).map(|address| one.hostaddr(*address));
        all.get_ports().get(place).or(all.get_ports().first()).map(|port| one.port(*port));
        one
    };
    (0..all.get_hosts().len().max(all.get_hostaddrs().len()).max(1)).map(of_host).collect()
}

/// Takes `sslrootcert`, which the client library does not know, out of the URL, and calls `verify-full` what it is here.
fn without_roots(url: &str) -> (String, Option<PathBuf>) {
    let Some((base, options)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut roots = None;
    let others = options.split('&').filter(|option| match option.strip_prefix("sslrootcert=") {
        Some(path) => {
            roots = Some(PathBuf::from(path));
            false
        }
        None => true,
    });
    let named = |option| if option == "sslmode=verify-full" { "sslmode=require" } else { option };
    let others: Vec<_> = others.map(named).collect();
    (if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) }, roots)
}

async fn connect(target: &Target) -> Result<Session, OpenError> {
    target.connect().await.map_err(|fault| OpenError::Unreachable { source: fault.told("connecting") })
}

async fn check_server(session: &Session) -> Result<(), OpenError> {
    let version =
        setting(session, "server_version_num").await.map_err(failed("reading the server's version"))?;
    if version
        .as_deref()
        .and_then(|number| number.parse().ok())
        .is_some_and(|number: i64| number < VERSION_NUMBER_MIN)
    {
        let found = setting(session, "server_version").await.ok().flatten().unwrap_or_default();
        return Err(OpenError::TooOld { found });
    }
    match setting(session, "fsync").await.map_err(failed("reading the server's settings"))?.as_deref() {
        Some("off") => return Err(OpenError::FsyncOff),
        Some(_) => {}
        None => tracing::warn!("whether the database syncs its disk cannot be read; make sure that it does"),
    }
    if setting(session, "synchronous_commit").await.ok().flatten().as_deref() == Some("off") {
        tracing::warn!(
            "the database runs with synchronous_commit=off: when its machine fails, it loses what was acknowledged last"
        );
    }
    Ok(())
}

/// `None`: what speaks PostgreSQL's protocol does not know it.
async fn setting(session: &Session, name: &'static str) -> Result<Option<String>, Fault> {
    let row = session.find("select current_setting($1, true)", &[&name]).await?;
    Ok(row.and_then(|row| row.get(0)))
}

/// The one question for the server's time.
async fn check_clock(session: &Session, now: Timestamp) -> Result<(), OpenError> {
    let sql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    let row = session.find(sql, &[]).await.map_err(failed("reading the database's clock"))?;
    let theirs: i64 = row.map_or(0, |row| row.get(0));
    let skew_ms = now.as_millis() - theirs;
    if skew_ms.abs() > CLOCK_SKEW_MS_MAX { Err(OpenError::ClockSkew { skew_ms }) } else { Ok(()) }
}

/// A new database gets its canary here.
async fn opens_canary(session: &Session, vault: &Vault) -> Result<bool, Fault> {
    let sealed = vault.seal(CANARY_CONTEXT, CANARY)?;
    let make = "insert into meta (name, value) values ('canary', $1) on conflict do nothing";
    session.execute(make, &[&sealed]).await?;
    let row = session.find("select value from meta where name = 'canary'", &[]).await?;
    let sealed: Vec<u8> = row.ok_or(Fault::Damaged("proof of the master key"))?.get(0);
    Ok(vault.open(CANARY_CONTEXT, &sealed).is_ok_and(|plain| plain == CANARY))
}

/// The revision that memory is of.
async fn load(pool: &Pool, vault: &Vault, memory: &Memory) -> Result<i64, Fault> {
    let snapshot = Snapshot::begin(pool).await?;
    let seen = follow::revision(&snapshot).await?;
    follow::reload(&snapshot, vault, memory).await?;
    snapshot.end().await?;
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_of_authorities_is_taken_out_of_the_url() {
        let url = "postgres://u@h/d?sslmode=require&sslrootcert=/etc/ca.pem&connect_timeout=3";
        let (rest, roots) = without_roots(url);
        assert_eq!(rest, "postgres://u@h/d?sslmode=require&connect_timeout=3");
        assert_eq!(roots.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(
            without_roots("postgres://u@h/d?sslmode=verify-full").0,
            "postgres://u@h/d?sslmode=require"
        );
        assert_eq!(without_roots("postgres://u@h/d?sslrootcert=x").0, "postgres://u@h/d");
        assert_eq!(without_roots("postgres://u@h/d"), ("postgres://u@h/d".to_owned(), None));
    }
}

//! Which store stands behind the traits: the embedded one, or a database that several nodes share. Beside the wiring, the only
//! place that names one.

use std::sync::Arc;

use anyhow::Context as _;
use domain::time::Timestamp;
use store::Store;
use store::vault::Vault;
use store_postgres::{PostgresStore, SkewCheck};
use store_sqlite::SqliteStore;

use crate::config::{Config, DatabaseUrl};
use crate::server::{Parts, TimeSource};

/// An open store.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Backend {
    pub(crate) async fn open(
        config: &Config,
        parts: &Parts,
        vault: Vault,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        match &config.database_url {
            Some(url) => Ok(Self::Postgres(open_postgres(url, parts, vault).await?)),
            None => {
                let settings = store_sqlite::Settings {
                    data_dir: config.data_dir.clone(),
                    vault,
                    node_name: node_name(),
                };
                let opening = tokio::task::spawn_blocking(move || SqliteStore::open(settings, now));
                Ok(Self::Sqlite(opening.await.context("opening the store ended in a fault of ours")??))
            }
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        match self {
            Self::Sqlite(store) => Stats::Sqlite(store.stats()),
            Self::Postgres(store) => Stats::Postgres(store.stats()),
        }
    }
}

/// What a store counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stats {
    Sqlite(store_sqlite::StatsView),
    Postgres(store_postgres::StatsView),
}

async fn open_postgres(url: &DatabaseUrl, parts: &Parts, vault: Vault) -> anyhow::Result<Arc<PostgresStore>> {
    let settings = store_postgres::Settings {
        url: url.expose().to_owned(),
        vault,
        node_name: node_name(),
        ids: Arc::clone(&parts.ids),
        clock: Arc::clone(&parts.clock),
        skew: match parts.time {
            TimeSource::System => SkewCheck::Refuse,
            TimeSource::ByHand => SkewCheck::Ignore,
        },
    };
    PostgresStore::open(settings).await.with_context(|| format!("the database {url} cannot be used"))
}

/// Machine and process: what an operator finds again.
fn node_name() -> String {
    let machine = rustix::system::uname();
    format!("{}/{}", machine.nodename().to_string_lossy(), std::process::id())
}

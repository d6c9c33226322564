//! The same server on PostgreSQL: a database that is made for it and dropped again, what the database's server wrote for each
//! event, and the CPU of its processes where they are on this machine.

use std::time::Duration;

use anyhow::Context as _;
use store_postgres::{Connected, Scratch, Written};

use super::report::Report;
use super::rig::Rig;
use super::server::{Server, Site};
use super::usage;
use crate::config::{DatabaseUrl, MASTER_KEY_VARIABLE};

/// Any will do: what it seals is gone with the database.
const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(super) struct OnPostgres {
    pub(super) server: Server,
    /// Its log and what else it keeps.
    _site: Site,
    processes: Processes,
    before: Written,
    /// Last, so that the server has ended when it is dropped.
    scratch: Scratch,
}

/// The database server's processes.
struct Processes {
    /// Keeps a process of its whose parent is theirs.
    _connected: Connected,
    /// `None`: they are on another machine.
    parent: Option<u32>,
}

impl OnPostgres {
    /// # Errors
    /// No database can be made, or the server does not start on it.
    pub(super) async fn start(rig: &Rig, url: &DatabaseUrl) -> anyhow::Result<Self> {
        let scratch = Scratch::create(url.expose()).await.with_context(|| format!("{url} cannot be used"))?;
        let processes = Processes::of(&scratch).await?;
        let before = scratch.written().await?;
        let mut site = rig.site()?;
        site.env = vec![
            ("HOOPOE_DATABASE_URL", scratch.url().to_owned()),
            (MASTER_KEY_VARIABLE, MASTER_KEY.to_owned()),
        ];
        let server = site.start().await?;
        Ok(Self { server, _site: site, processes, before, scratch })
    }

    /// What all processes of the database have used so far; `None` where that cannot be seen.
    pub(super) fn cpu(&self) -> Option<Duration> {
        usage::cpu_of_family(self.processes.parent?)
    }

    /// Ends the server, and tells what was written for each of so many events.
    pub(super) async fn end(self, events: u64, report: &mut Report) -> anyhow::Result<()> {
        let Self { server, before, scratch, .. } = self;
        server.kill().await?;
        let after = scratch.written().await?;
        let each = |of: fn(&Written) -> i64| (of(&after) - of(&before)) as f64 / events as f64;
        report.number("rows_inserted_per_event", each(|written| written.rows_inserted));
        report.number("rows_updated_per_event", each(|written| written.rows_updated));
        report.number("rows_deleted_per_event", each(|written| written.rows_deleted));
        report.number("wal_bytes_per_event", each(|written| written.wal_bytes));
        report.number("wal_syncs_per_event", each(|written| written.wal_syncs));
        Ok(())
    }
}

impl Processes {
    async fn of(scratch: &Scratch) -> anyhow::Result<Self> {
        let (connected, pid) = scratch.backend_process().await?;
        Ok(Self { _connected: connected, parent: usage::parent_of(pid, "postgres") })
    }
}

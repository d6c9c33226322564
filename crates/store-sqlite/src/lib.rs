//! The embedded backend: one SQLite file, one writer thread, group commit.
//!
//! The same files as the traits in `store`, one per noun, over a writer (`writer`), a few readers (`readers`) and a
//! checkpoint thread (`checkpoint`). It keeps the traits' promises and decides nothing that `domain` decides. Every time is a
//! parameter; only durations are measured.

mod api_keys;
mod audit;
mod checkpoint;
mod days;
mod deliveries;
mod endpoint_rows;
mod endpoints;
mod events;
mod fault;
mod health;
mod log;
mod maintenance;
mod merge;
mod nodes;
mod once;
mod open;
mod order;
mod queue;
mod readers;
mod scope;
mod sealing;
mod sessions;
mod stats;
mod tallies;
mod tenants;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use domain::time::Timestamp;
use parking_lot::Mutex;
use rusqlite::Connection;
use store::audit::AuditNote;
use store::backend::alone::Alone;
use store::backend::codec;
use store::backend::memory::Memory;
use store::feed::Feed;
use store::healths::Healths;
use store::queue::Claim;
use store::routes::Routes;
use store::{Store, StoreError};

use crate::checkpoint::Checkpoints;
use crate::days::Days;
use crate::fault::Fault;
pub use crate::open::{OpenError, Settings};
use crate::readers::Readers;
pub use crate::stats::{Stats, StatsView};
use crate::writer::{Tx, Undo, Writer, WriterParts};

/// The store in one file. Dropping it without [`close`](store::maintenance::Maintenance::close) also waits for what was
/// accepted. After a crash nothing that was answered is lost, and the next start frees the claims.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    threads: Arc<Threads>,
    readers: Readers,
    memory: Arc<Memory>,
    alone: Arc<Alone>,
    stats: Arc<Stats>,
    /// Who makes the next change.
    note: Option<Arc<AuditNote>>,
}

/// What must end in order.
#[derive(Debug)]
struct Threads {
    writer: Writer,
    checkpoints: Arc<Checkpoints>,
    checkpoint_thread: Mutex<Option<JoinHandle<()>>>,
    last: Mutex<Option<Last>>,
}

/// What is let go of at the very end: the connection that folds the log into the file, then the lock.
#[derive(Debug)]
struct Last {
    conn: Connection,
    _lock: File,
}

impl Threads {
    /// Waits for what was accepted. Blocks; a second call does nothing.
    fn close(&self) {
        self.writer.close();
        self.checkpoints.close();
        if let Some(thread) = self.checkpoint_thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread panicked");
        }
        if let Some(last) = self.last.lock().take()
            && !checkpoint::truncate(&last.conn)
        {
            tracing::info!("the write-ahead log stays beside the file; the next start reads it");
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.close();
    }
}

impl SqliteStore {
    /// Opens or creates `hoopoe.db` in the data directory, brings its schema up to date, frees the claims of an earlier
    /// process as of `now`, and loads the routes. Blocks.
    pub fn open(settings: Settings, now: Timestamp) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(&settings, now)?;
        let path = opened.path.clone();
        Self::start(opened).map_err(|fault| open::open_error(fault, "starting", path)).map(Arc::new)
    }

    fn start(opened: open::Opened) -> Result<Self, Fault> {
        let memory = Arc::new(load(&opened)?);
        let alone = Arc::new(opened.alone);
        let stats = Arc::new(Stats::default());
        let checkpoints = Arc::new(Checkpoints::default());
        let readers = Readers::open(&opened.path)?;
        let last = Last { conn: open::checkpointing(&opened.path)?, _lock: opened.lock };
        let checkpoint_conn = open::checkpointing(&opened.path)?;
        let writer = Writer::start(WriterParts {
            days: Days::load(&opened.conn)?,
            conn: opened.conn,
            vault: opened.vault,
            claim: new_claim()?,
            memory: Arc::clone(&memory),
            stats: Arc::clone(&stats),
            checkpoints: Arc::clone(&checkpoints),
        })?;
        // Last, so that nothing can fail after it: the writer ends by itself when its handle goes.
        let checkpoint_thread = checkpoint::start(checkpoint_conn, Arc::clone(&checkpoints))?;
        let (checkpoint_thread, last) = (Mutex::new(Some(checkpoint_thread)), Mutex::new(Some(last)));
        let threads = Arc::new(Threads { writer, checkpoints, checkpoint_thread, last });
        Ok(Self { threads, readers, memory, alone, stats, note: None })
    }

    /// Counters of the writer, for metrics.
    pub fn stats(&self) -> StatsView {
        self.stats.view()
    }

    pub(crate) async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let note = self.note.clone();
        let work = move |tx: &mut Tx<'_>| {
            if let Some(note) = &note {
                audit::must_be_valid(tx.conn, note)?;
            }
            tx.note = note;
            let result = work(tx);
            (tx.note, tx.noted) = (None, None);
            result
        };
        self.threads.writer.write(doing, Undo::Savepoint, work).await
    }

    /// As [`write`](Self::write), for what only inserts.
    pub(crate) async fn insert<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.threads.writer.write(doing, Undo::Rows, work).await
    }

    pub(crate) async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.readers.read(doing, work).await
    }
}

impl Store for SqliteStore {
    fn routes(&self) -> &Routes {
        &self.memory.routes
    }
    fn healths(&self) -> &Healths {
        &self.memory.healths
    }
    fn feed(&self) -> &Arc<Feed> {
        &self.memory.feed
    }
    fn audited(self: Arc<Self>, note: AuditNote) -> Arc<dyn Store> {
        Arc::new(Self { note: Some(Arc::new(note)), ..Self::clone(&self) })
    }
}

fn load(opened: &open::Opened) -> Result<Memory, Fault> {
    let memory = Memory::default();
    endpoint_rows::load(&opened.conn, &opened.vault, &memory.routes)?;
    health::load(&opened.conn, &memory.routes, &memory.healths)?;
    tenants::load(&opened.conn, &memory.routes)?;
    api_keys::load(&opened.conn, &memory)?;
    sessions::load(&opened.conn, &memory)?;
    let waiting: i64 = opened.conn.query_row(
        "SELECT (SELECT count(*) FROM queue) + (SELECT count(*) FROM held)",
        [],
        |row| row.get(0),
    )?;
    memory.queue_length.store(waiting, Ordering::Relaxed);
    Ok(memory)
}

/// Where a process begins to count its claims: odd, and so never 0.
fn new_claim() -> Result<Claim, Fault> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Sealing)?;
    Ok(Claim(i64::from_be_bytes(bytes) | 1))
}

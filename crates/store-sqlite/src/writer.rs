//! The one writer: a thread that owns the only connection that writes.
//!
//! It waits for an operation, opens a transaction, runs whatever else has arrived, commits (one fsync for all), brings
//! the memory up to date, and only then answers. Each operation can be undone by itself, so that a refused one spoils no
//! other; a failed disk or commit undoes the whole batch and everybody is told `Unavailable`. A single operation waits for
//! nobody; where there is company, it gathers while the fsync before runs and for a little longer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::limits::{COMMIT_COMPANY, COMMIT_GATHER_MS_MAX, COMMIT_INTERVAL_MS_MIN};
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use store::StoreError;
use store::audit::AuditNote;
use store::backend::memory::Memory;
use store::queue::Claim;
use store::vault::Vault;
use tokio::sync::oneshot;

use crate::checkpoint::{self, Checkpoints};
use crate::days::Days;
use crate::fault::{self, Fault};
use crate::log::InsertedRow;
use crate::order;
use crate::stats::Stats;

/// Operations in one transaction.
const BATCH_OPS_MAX: usize = 4_096;
/// Operations that wait for the writer; beyond that callers are told `Unavailable` at once.
const WAITING_OPS_MAX: usize = 16_384;

/// What an operation works with.
pub(crate) struct Tx<'c> {
    pub conn: &'c Connection,
    pub days: &'c mut Days,
    pub vault: &'c mut Vault,
    /// Under which this transaction holds deliveries.
    pub claim: Claim,
    /// What the running operation has inserted, for [`Undo::Rows`].
    pub inserted: Vec<InsertedRow>,
    /// Who makes the running operation's change, for the audit log.
    pub note: Option<Arc<AuditNote>>,
    /// The same, once the change is written down there.
    pub noted: Option<Arc<AuditNote>>,
    /// After this transaction the write-ahead log is emptied, as soon as nobody reads it.
    pub wipe_log: bool,
    effects: Vec<Effect>,
    queue_change: i64,
}

/// A change of the memory, to be made when the transaction is durable.
type Effect = Box<dyn FnOnce(&Memory)>;

impl Tx<'_> {
    pub(crate) fn after_commit(&mut self, effect: impl FnOnce(&Memory) + 'static) {
        self.effects.push(Box::new(effect));
    }

    /// Keeps the count of unfinished deliveries.
    pub(crate) fn queue_changed(&mut self, by: i64) {
        self.queue_change += by;
    }
}

/// The thread's handle.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: RwLock<Option<SyncSender<Box<dyn Operation>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread owns.
pub(crate) struct WriterParts {
    pub conn: Connection,
    pub days: Days,
    pub vault: Vault,
    pub claim: Claim,
    pub memory: Arc<Memory>,
    pub stats: Arc<Stats>,
    pub checkpoints: Arc<Checkpoints>,
}

impl Writer {
    pub(crate) fn start(mut parts: WriterParts) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_OPS_MAX);
        let frames = checkpoint::count_frames(&mut parts.conn).map_err(std::io::Error::other)?;
        let thread = std::thread::Builder::new().name("hoopoe-writer".to_owned()).spawn(move || {
            let last = (Instant::now(), 0);
            WriterThread { parts, last, frames, restart_at: checkpoint::RESTART_FRAMES, wipe_log: false }
                .run(&receiver)
        })?;
        Ok(Self { sender: RwLock::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `work` in the next transaction and answers when it is durable. Dropping the future does not stop the work.
    pub(crate) async fn write<T, F>(&self, doing: &'static str, undo: Undo, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Call { doing, undo, work: Some(work), result: None, reply }))?;
        answer.await.unwrap_or_else(|_| Err(fault::closed()))
    }

    fn send(&self, operation: Box<dyn Operation>) -> Result<(), StoreError> {
        let sender = self.sender.read();
        match sender.as_ref().ok_or_else(fault::closed)?.try_send(operation) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                Err(StoreError::Unavailable { reason: "too many writes are waiting for the disk".to_owned() })
            }
            Err(TrySendError::Disconnected(_)) => Err(fault::closed()),
        }
    }

    /// Takes no more operations, runs those that wait, and ends the thread. Blocks.
    pub(crate) fn close(&self) {
        drop(self.sender.write().take());
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the writer's thread panicked");
        }
    }
}

/// What undoes an operation that fails for a fault of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undo {
    /// Its own savepoint. SQLite then copies every page before the operation changes it.
    Savepoint,
    /// The rows that it has inserted are deleted again: for what only inserts, thousands of times a second.
    Rows,
}

/// One caller's operation.
trait Operation: Send {
    /// `Err`: the transaction is lost, for everybody in it.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, batch: &Batch);
}

/// How a batch ended.
enum Batch {
    Committed,
    Lost { reason: String },
}

struct Call<T, F> {
    doing: &'static str,
    undo: Undo,
    work: Option<F>,
    /// Still `None` after `work` was taken: it panicked.
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the operation panicked")]
struct Panicked;

impl<T, F> Operation for Call<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let before = (tx.effects.len(), tx.queue_change);
        tx.inserted.clear();
        if self.undo == Undo::Savepoint {
            tx.conn.prepare_cached("SAVEPOINT operation")?.execute([])?;
        }
        let work = self.work.take().expect("an operation is run once");
        match work(tx) {
            Ok(value) => self.result = Some(Ok(value)),
            Err(fault) if fault.is_own() => {
                self.result = Some(Err(fault.told(self.doing)));
                self.take_back(tx, before)?;
            }
            Err(fault) => {
                self.result = Some(Err(fault::closed()));
                return Err(fault);
            }
        }
        if self.undo == Undo::Savepoint {
            tx.conn.prepare_cached("RELEASE operation")?.execute([])?;
        }
        Ok(())
    }

    fn answer(self: Box<Self>, batch: &Batch) {
        let panicked = self.work.is_none() && self.result.is_none();
        let result = match (self.result, batch) {
            _ if panicked => Err(StoreError::Internal { doing: self.doing, source: Panicked.into() }),
            (Some(result), Batch::Committed) => result,
            // Also of one that was refused: what it was refused for may have been undone.
            (_, Batch::Lost { reason }) => Err(StoreError::Unavailable { reason: reason.clone() }),
            (None, Batch::Committed) => Err(fault::closed()),
        };
        // The caller may be gone; what was done stays done.
        let _ = self.reply.send(result);
    }
}

impl<T, F> Call<T, F> {
    /// After a fault of the operation's own; `before`: effects and change of the queue's length.
    fn take_back(&self, tx: &mut Tx<'_>, before: (usize, i64)) -> Result<(), Fault> {
        match self.undo {
            Undo::Savepoint => {
                tx.conn.prepare_cached("ROLLBACK TO operation")?.execute([])?;
                tx.days.rolled_back(tx.conn)?;
            }
            Undo::Rows => {
                for row in std::mem::take(&mut tx.inserted).iter().rev() {
                    row.delete(tx)?;
                }
            }
        }
        tx.effects.truncate(before.0);
        tx.queue_change = before.1;
        Ok(())
    }
}

struct WriterThread {
    parts: WriterParts,
    /// When the last batch began, and how many operations it had.
    last: (Instant, usize),
    /// Frames in the write-ahead log, as of the last commit.
    frames: Arc<AtomicU64>,
    /// When the log is this long, the next pause between batches starts it over.
    restart_at: u64,
    /// The log holds what shall not be found any more.
    wipe_log: bool,
}

impl WriterThread {
    fn run(mut self, receiver: &Receiver<Box<dyn Operation>>) {
        while let Ok(first) = receiver.recv() {
            self.wait_for_company();
            self.batch(first, receiver);
            self.watch_wal();
        }
    }

    /// Asleep, so that nobody who sends has to wake this thread.
    fn wait_for_company(&self) {
        let (began, operations) = self.last;
        let interval = Duration::from_millis(COMMIT_INTERVAL_MS_MIN);
        if operations >= COMMIT_COMPANY {
            std::thread::sleep(interval.saturating_sub(began.elapsed()));
        }
    }

    fn batch(&mut self, first: Box<dyn Operation>, receiver: &Receiver<Box<dyn Operation>>) {
        let mut operations = Vec::new();
        let started = Instant::now();
        let parts = &mut self.parts;
        // Odd, so never 0, and another for each batch: who asks for a claim's end knows of its beginning, so that no row
        // is held twice in one batch.
        parts.claim = Claim(parts.claim.0.wrapping_add(2));
        let mut tx = Tx {
            conn: &parts.conn,
            days: &mut parts.days,
            vault: &mut parts.vault,
            claim: parts.claim,
            inserted: Vec::new(),
            note: None,
            noted: None,
            wipe_log: false,
            effects: Vec::new(),
            queue_change: 0,
        };
        let ended = fill(&mut tx, first, receiver, &mut operations).and_then(|()| {
            order::put_in_order(tx.conn, tx.days)?;
            let committing = Instant::now();
            tx.conn.prepare_cached("COMMIT")?.execute([])?;
            parts.stats.committed(operations.len(), committing.elapsed());
            Ok(())
        });
        self.wipe_log |= tx.wipe_log;
        let (effects, queue_change) = (tx.effects, tx.queue_change);
        let batch = match ended {
            Ok(()) => {
                parts.days.committed();
                parts.memory.queue_length.fetch_add(queue_change, Ordering::Relaxed);
                effects.into_iter().for_each(|effect| effect(&parts.memory));
                Batch::Committed
            }
            Err(loss) => {
                undo(&parts.conn, &mut parts.days);
                parts.stats.lost();
                loss.into_batch()
            }
        };
        self.wipe();
        self.parts.stats.batch_took(started.elapsed());
        self.last = (started, operations.len());
        operations.into_iter().for_each(|operation| operation.answer(&batch));
    }

    /// Before the answers, so that whoever asked for it finds it done, unless somebody reads the log right now; then after
    /// the next batch.
    fn wipe(&mut self) {
        if self.wipe_log && checkpoint::wipe(&self.parts.conn) {
            self.wipe_log = false;
            self.frames.store(0, Ordering::Relaxed);
        }
    }

    fn watch_wal(&mut self) {
        let frames = self.frames.load(Ordering::Relaxed);
        self.parts.stats.wal_frames(frames);
        self.parts.checkpoints.grown_to(frames);
        if frames < self.restart_at {
            self.restart_at = checkpoint::RESTART_FRAMES;
        } else if checkpoint::restart(&self.parts.conn) {
            self.frames.store(0, Ordering::Relaxed);
        } else {
            self.restart_at = frames + checkpoint::RESTART_AGAIN_FRAMES;
        }
    }
}

/// Why a batch was lost.
enum Loss {
    Fault(Fault),
    Panic,
}

impl From<Fault> for Loss {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<rusqlite::Error> for Loss {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl Loss {
    fn into_batch(self) -> Batch {
        let reason = match self {
            Self::Panic => "an operation of the same batch panicked; nothing was stored".to_owned(),
            Self::Fault(fault) => match fault.told("committing") {
                StoreError::Unavailable { reason } => reason,
                other => format!("{other}: {}", source_of(&other)),
            },
        };
        tracing::error!(reason, "a batch of writes was undone");
        Batch::Lost { reason }
    }
}

fn source_of(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(String::new, ToString::to_string)
}

/// Runs `first` and whatever has arrived, up to the bounds of one batch.
fn fill(
    tx: &mut Tx<'_>,
    first: Box<dyn Operation>,
    receiver: &Receiver<Box<dyn Operation>>,
    operations: &mut Vec<Box<dyn Operation>>,
) -> Result<(), Loss> {
    let gather_until = Instant::now() + Duration::from_millis(COMMIT_GATHER_MS_MAX);
    operations.push(first);
    tx.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    loop {
        let operation = operations.last_mut().expect("one was pushed");
        match catch_unwind(AssertUnwindSafe(|| operation.run(tx))) {
            Ok(run) => run?,
            Err(panic) => {
                tracing::error!(panic = panic_text(panic.as_ref()), "a write panicked");
                return Err(Loss::Panic);
            }
        }
        if operations.len() >= BATCH_OPS_MAX || Instant::now() >= gather_until {
            return Ok(());
        }
        match receiver.try_recv() {
            Ok(next) => operations.push(next),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// SQLite may have rolled back already, on a full disk for one.
fn undo(conn: &Connection, days: &mut Days) {
    if !conn.is_autocommit()
        && let Err(error) = conn.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a batch could not be rolled back");
    }
    if let Err(fault) = days.rolled_back(conn) {
        tracing::error!(?fault, "the days could not be read again");
    }
}

//! A transaction and what goes with it: who makes the change, what memory learns of it once it is durable.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use domain::limits::DATABASE_CALL_MS_MAX;
use store::StoreError;
use store::audit::AuditNote;
use store::backend::days::Day;
use store::backend::memory::Memory;
use store::queue::Claim;
use store::vault::Vault;

use crate::fault::Fault;
use crate::follow::Changed;
use crate::nodes::Doubt;
use crate::pool::{Lent, Pool};
use crate::session::Session;
use crate::told::{self, Telling};
use crate::{PostgresStore, Shared};

/// What a method does in its transaction.
pub(crate) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 't>>;

/// Says of a closure what it is, so that it need not stand where it is used.
pub(crate) fn writing<T, F>(work: F) -> F
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    work
}

/// As [`writing`], of one that only reads.
pub(crate) fn reading<T, F>(work: F) -> F
where
    F: for<'t> FnOnce(&'t Session) -> Work<'t, T>,
{
    work
}

/// A change of the memory, to be made when the transaction is durable.
type Effect = Box<dyn FnOnce(&Memory) + Send + Sync>;

const TOO_LONG: &str = "the database took too long";
/// How often what collided with others is run.
const RUNS_MAX: usize = 3;

pub(crate) struct Tx {
    conn: Lent,
    pub vault: Arc<Vault>,
    /// Under which this transaction holds deliveries.
    pub claim: Claim,
    doubt: Doubt,
    /// Who makes the change, for the audit log.
    pub note: Option<Arc<AuditNote>>,
    /// The same, once the change is written down there.
    pub noted: Option<Arc<AuditNote>>,
    effects: Vec<Effect>,
    changed: Vec<Changed>,
}

impl Deref for Tx {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.conn
    }
}

impl Tx {
    /// What memory holds has changed: here when this is durable, on other nodes when they hear of it.
    pub(crate) fn changes(&mut self, changed: Changed, effect: impl FnOnce(&Memory) + Send + Sync + 'static) {
        self.changed.push(changed);
        self.effects.push(Box::new(effect));
    }

    /// Of this node's memory alone.
    pub(crate) fn after_commit(&mut self, effect: impl FnOnce(&Memory) + Send + Sync + 'static) {
        self.effects.push(Box::new(effect));
    }
}

/// A read-only transaction: one snapshot.
pub(crate) struct Snapshot(Lent);

impl Deref for Snapshot {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.0
    }
}

impl Snapshot {
    pub(crate) async fn begin(pool: &Pool) -> Result<Self, Fault> {
        let conn = pool.get().await?;
        conn.run("begin isolation level repeatable read read only").await?;
        Ok(Self(conn))
    }

    pub(crate) async fn end(self) -> Result<(), Fault> {
        self.0.run("commit").await?;
        self.0.keep();
        Ok(())
    }
}

impl PostgresStore {
    /// Runs `work` in one snapshot. Dropping the future gives it up.
    pub(crate) async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t Session) -> Work<'t, T>,
    {
        let reading = async {
            let snapshot = Snapshot::begin(&self.shared.pool).await?;
            let result = work(&snapshot).await;
            if result.as_ref().err().is_none_or(Fault::leaves_connection_good) {
                // Also of one that failed: `commit` ends it then too.
                snapshot.end().await?;
            }
            result
        };
        self.shared.bounded(DATABASE_CALL_MS_MAX, TOO_LONG, reading).await.map_err(|fault| fault.told(doing))
    }

    /// Runs `work` in one transaction, which is durable when this returns. Dropping the future does not stop the work.
    pub(crate) async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let store = self.clone();
        let shared = Arc::clone(&self.shared);
        on_its_own(shared, doing, async move { store.transact(Turn::None, work).await }).await
    }

    /// As [`write`](Self::write), of what may be run again when it collides with others. `days`: whose partitions it needs.
    pub(crate) async fn write_again<T, F>(
        &self,
        doing: &'static str,
        days: Vec<Day>,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Clone + Send + 'static,
    {
        let store = self.clone();
        let running = async move {
            for _ in 1..RUNS_MAX {
                store.shared.days.ensure(&store.shared.pool, days.iter().copied()).await?;
                match store.transact(Turn::None, work.clone()).await {
                    Err(fault) if fault.is_collision() => {}
                    Err(Fault::NoSuchDay) => store.shared.days.forget(),
                    other => return other,
                }
            }
            store.shared.days.ensure(&store.shared.pool, days).await?;
            store.transact(Turn::None, work).await
        };
        on_its_own(Arc::clone(&self.shared), doing, running).await
    }

    /// As [`write`](Self::write), of what changes memory: one after the other, on all nodes together.
    pub(crate) async fn change<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let store = self.clone();
        on_its_own(Arc::clone(&self.shared), doing, async move {
            // Until memory is up to date: whoever follows reads what this one wrote.
            let _turn = store.shared.turn().await?;
            store.transact(Turn::Changes, work).await
        })
        .await
    }

    async fn transact<T, F>(&self, turn: Turn, work: F) -> Result<T, Fault>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    {
        let mut tx = self.begin().await?;
        let change = match turn {
            Turn::None => None,
            Turn::Changes => Some(crate::follow::next_revision(&tx).await?),
        };
        let valid = match &tx.note {
            Some(note) => crate::audit::must_be_valid(&tx, note).await,
            None => Ok(()),
        };
        let worked = match valid {
            Ok(()) => work(&mut tx).await,
            Err(fault) => Err(fault),
        };
        match worked {
            Ok(value) => {
                self.commit(tx, change).await?;
                Ok(value)
            }
            Err(fault) => {
                if fault.leaves_connection_good() {
                    tx.run("rollback").await?;
                    tx.conn.keep();
                    tx.doubt.settle();
                }
                Err(fault)
            }
        }
    }

    async fn begin(&self) -> Result<Tx, Fault> {
        let conn = self.shared.pool.get().await?;
        self.shared.node.must_be_one(&conn).await?;
        conn.run("begin").await?;
        let doubt = self.shared.node.begun();
        Ok(Tx {
            conn,
            vault: self.shared.vault.lock().clone(),
            claim: doubt.claim,
            doubt,
            note: self.note.clone(),
            noted: None,
            effects: Vec::new(),
            changed: Vec::new(),
        })
    }

    /// `change`: its revision, and until when somebody listens.
    async fn commit(&self, tx: Tx, change: Option<(i64, i64)>) -> Result<(), Fault> {
        if let Some((revision, listening)) = change {
            crate::follow::tell(&tx, revision, &tx.changed).await?;
            if Telling::of(&self.shared).is_due(listening) {
                told::tell_changed(&tx, &tx.changed).await?;
            }
        }
        tx.run("commit").await?;
        let Tx { conn, effects, doubt, .. } = tx;
        conn.keep();
        doubt.settle();
        effects.into_iter().for_each(|effect| effect(&self.shared.memory));
        if let Some((revision, _)) = change {
            self.shared.follower.has_made(revision);
            self.shared.listen_anew();
        }
        Ok(())
    }
}

/// Whether a transaction is one of those that come one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    None,
    Changes,
}

/// Goes on when its caller is gone, for a bounded time.
pub(crate) async fn on_its_own<T: Send + 'static>(
    shared: Arc<Shared>,
    doing: &'static str,
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, StoreError> {
    let running = tokio::spawn(async move { shared.bounded(DATABASE_CALL_MS_MAX, TOO_LONG, work).await });
    match running.await {
        Ok(result) => result.map_err(|fault| fault.told(doing)),
        Err(panic) => Err(StoreError::Internal { doing, source: panic.into() }),
    }
}

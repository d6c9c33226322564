//! A bounded number of connections. Who finds none free waits for a bounded time; one that broke, or whose call was given
//! up, never comes back.

use std::ops::Deref;
use std::sync::Arc;

use domain::limits::{DATABASE_CONNECT_MS_MAX, DATABASE_CONNECTIONS_MAX, DATABASE_WAIT_MS_MAX};
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::fault::{CLOSED, Fault};
use crate::session::{Session, Target, within};

#[derive(Clone)]
pub(crate) struct Pool(Arc<Parts>);

struct Parts {
    target: Target,
    idle: Mutex<Vec<Session>>,
    free: Arc<Semaphore>,
    /// A connection came back.
    returned: Notify,
}

/// A connection for a while. Without [`keep`](Self::keep) it is closed when dropped: nobody knows what state it is in.
pub(crate) struct Lent {
    session: Option<Session>,
    is_good: bool,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(target: Target) -> Self {
        let free = Arc::new(Semaphore::new(DATABASE_CONNECTIONS_MAX));
        Self(Arc::new(Parts { target, idle: Mutex::default(), free, returned: Notify::new() }))
    }

    pub(crate) async fn get(&self) -> Result<Lent, Fault> {
        let waiting = Arc::clone(&self.0.free).acquire_owned();
        let acquiring = async { waiting.await.map_err(|_| Fault::Away(CLOSED)) };
        let permit =
            within(DATABASE_WAIT_MS_MAX, "no connection to the database was free in time", acquiring).await?;
        let full = "the database has no connection left for this node";
        let session = within(DATABASE_CONNECT_MS_MAX, full, self.idle_or_new()).await?;
        Ok(Lent { session: Some(session), is_good: false, pool: self.clone(), _permit: permit })
    }

    /// Where the server has no connection left, the ones that are there have to do.
    async fn idle_or_new(&self) -> Result<Session, Fault> {
        loop {
            if let Some(session) = self.take_idle() {
                return Ok(session);
            }
            match self.0.target.connect().await {
                Err(fault) if fault.is_full() => self.0.returned.notified().await,
                connected => return connected,
            }
        }
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.0.idle.lock();
        while let Some(session) = idle.pop() {
            if !session.is_closed() {
                return Some(session);
            }
        }
        None
    }

    /// A connection that is not counted; where the server has none left, one of those that are.
    pub(crate) async fn connect_or_take_idle(&self) -> Result<Session, Fault> {
        match self.0.target.connect().await {
            Err(fault) if fault.is_full() => self.take_idle().ok_or(fault),
            connected => connected,
        }
    }

    /// Ends a connection in the middle of whatever it does, here and at the server.
    pub(crate) fn cut(&self, session: Session) {
        session.cut(self.0.target.tls.clone());
    }

    /// A call had no answer in time: what lies idle goes the same way, and would let the next ones wait as long.
    pub(crate) fn distrust_idle(&self) {
        self.0.idle.lock().clear();
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    /// Waits for the calls that run, then closes the connections; a second time does nothing.
    pub(crate) async fn close(&self) {
        let all = self.0.free.acquire_many(DATABASE_CONNECTIONS_MAX as u32).await;
        self.0.free.close();
        drop(all);
        self.0.idle.lock().clear();
    }

    pub(crate) fn idle(&self) -> usize {
        self.0.idle.lock().len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.free.is_closed()
    }
}

impl Lent {
    /// It is in no transaction, and whole.
    pub(crate) fn keep(mut self) {
        self.is_good = true;
    }
}

impl Deref for Lent {
    type Target = Session;
    fn deref(&self) -> &Session {
        self.session.as_ref().expect("it is taken on drop only")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(session) = self.session.take().filter(|session| !session.is_closed()) else { return };
        if self.is_good {
            self.pool.0.idle.lock().push(session);
            self.pool.0.returned.notify_one();
        } else {
            self.pool.cut(session);
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("idle", &self.idle()).finish_non_exhaustive()
    }
}

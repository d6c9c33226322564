//! A bounded number of connections. Who finds none free waits for a bounded time; one that broke, or whose call was given
//! up, never comes back.

use std::ops::Deref;
use std::sync::Arc;

use domain::limits::{DATABASE_CONNECTIONS_MAX, DATABASE_WAIT_MS_MAX};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::{CLOSED, Fault};
use crate::session::{Session, Target, within};

#[derive(Clone)]
pub(crate) struct Pool {
    target: Target,
    idle: Arc<Mutex<Vec<Session>>>,
    free: Arc<Semaphore>,
}

/// A connection for a while. Without [`keep`](Self::keep) it is closed when dropped: nobody knows what state it is in.
pub(crate) struct Lent {
    session: Option<Session>,
    is_good: bool,
    idle: Arc<Mutex<Vec<Session>>>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(target: Target) -> Self {
        let free = Arc::new(Semaphore::new(DATABASE_CONNECTIONS_MAX));
        Self { target, idle: Arc::default(), free }
    }

    pub(crate) async fn get(&self) -> Result<Lent, Fault> {
        let waiting = Arc::clone(&self.free).acquire_owned();
        let acquiring = async { waiting.await.map_err(|_| Fault::Away(CLOSED)) };
        let permit =
            within(DATABASE_WAIT_MS_MAX, "no connection to the database was free in time", acquiring).await?;
        let session = match self.take_idle() {
            Some(session) => session,
            None => self.target.connect().await?,
        };
        Ok(Lent { session: Some(session), is_good: false, idle: Arc::clone(&self.idle), _permit: permit })
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock();
        while let Some(session) = idle.pop() {
            if !session.is_closed() {
                return Some(session);
            }
        }
        None
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Waits for the calls that run, then closes the connections; a second time does nothing.
    pub(crate) async fn close(&self) {
        let all = self.free.acquire_many(DATABASE_CONNECTIONS_MAX as u32).await;
        self.free.close();
        drop(all);
        self.idle.lock().clear();
    }

    pub(crate) fn idle(&self) -> usize {
        self.idle.lock().len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.free.is_closed()
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
        if let Some(session) = self.session.take().filter(|session| self.is_good && !session.is_closed()) {
            self.idle.lock().push(session);
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}

//! Reading: a few connections that cannot write, used on threads that may block. A read sees one snapshot.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use store::StoreError;
use tokio::sync::Semaphore;

use crate::fault::{self, Fault};
use crate::open;

/// Reads at once.
const READERS: usize = 4;

#[derive(Debug, Clone)]
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
#[error("the read panicked")]
struct Panicked;

impl Readers {
    pub(crate) fn open(file: &Path) -> rusqlite::Result<Self> {
        let idle = (0..READERS).map(|_| open::reading(file)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), free: Arc::new(Semaphore::new(READERS)) })
    }

    pub(crate) async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| fault::closed())?;
        let lent = Lent::from(&self.idle).ok_or_else(fault::closed)?;
        let reading = tokio::task::spawn_blocking(move || {
            // Moved in, so that neither is free again while a dropped caller's read still runs; in this order, so that
            // the connection is back before the permit is.
            let _permit = permit;
            let lent = lent;
            in_snapshot(lent.conn(), work).map_err(|fault| fault.told(doing))
        });
        reading.await.unwrap_or_else(|_| Err(StoreError::Internal { doing, source: Panicked.into() }))
    }

    /// Waits for the reads that run, then closes the connections.
    pub(crate) async fn close(&self) {
        let all = self.free.acquire_many(READERS as u32).await;
        self.free.close();
        drop(all);
        self.idle.lock().clear();
    }
}

fn in_snapshot<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
    let snapshot = conn.unchecked_transaction()?;
    // Dropped, that is rolled back, also when `work` fails or panics.
    let result = work(&snapshot);
    drop(snapshot);
    result
}

/// A connection that goes back when it is no longer used, whatever happened.
struct Lent {
    conn: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Lent {
    fn from(idle: &Arc<Mutex<Vec<Connection>>>) -> Option<Self> {
        let conn = idle.lock().pop()?;
        Some(Self { conn: Some(conn), idle: Arc::clone(idle) })
    }

    fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("it is given back on drop only")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.idle.lock().extend(self.conn.take());
    }
}

//! Checkpoints: moving the write-ahead log into the file on a thread and a connection of their own, so that no commit
//! waits for them. Only when readers or steady traffic keep the log from starting over does the writer help, between
//! two batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::open;

/// 4 MiB of pages of 4 KiB: the log has grown enough for a passive checkpoint.
pub(crate) const PASSIVE_FRAMES: u64 = 1_024;
/// 64 MiB: the writer starts the log over.
pub(crate) const RESTART_FRAMES: u64 = 16 * PASSIVE_FRAMES;

/// 1 MiB: how much longer the log gets before that is tried again, when a checkpoint was running or somebody was reading.
pub(crate) const RESTART_AGAIN_FRAMES: u64 = PASSIVE_FRAMES / 4;

/// What writer and checkpoint thread tell each other.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frames: u64,
    /// Frames that are in the file already.
    done: u64,
    closing: bool,
}

impl State {
    fn is_due(&self) -> bool {
        self.frames >= self.done + PASSIVE_FRAMES
    }
}

impl Checkpoints {
    /// By the writer, after each commit.
    pub(crate) fn grown_to(&self, frames: u64) {
        let mut state = self.state.lock();
        if frames < state.done {
            state.done = 0;
        }
        state.frames = frames;
        if state.is_due() {
            self.wake.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_one();
    }

    /// `false` when it is time to end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !state.closing && !state.is_due() {
            self.wake.wait(&mut state);
        }
        !state.closing
    }

    fn checkpointed(&self, done: u64) {
        let mut state = self.state.lock();
        // Also when nothing moved: the next try waits until the log has grown again.
        state.done = done.max(state.frames);
    }
}

pub(crate) fn start(conn: Connection, checkpoints: Arc<Checkpoints>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("hoopoe-checkpoint".to_owned()).spawn(move || {
        while checkpoints.wait() {
            match run(&conn, "PRAGMA wal_checkpoint(PASSIVE)") {
                Ok(result) => checkpoints.checkpointed(result.moved),
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint failed; it is tried again when the log has grown");
                    checkpoints.checkpointed(0);
                }
            }
        }
    })
}

/// Counts the frames of the log after each commit of `conn`.
pub(crate) fn count_frames(conn: &mut Connection) -> rusqlite::Result<Arc<AtomicU64>> {
    let frames = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&frames);
    conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
        counted.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(frames)
}

/// By the writer, between batches: moves what is left and starts the log over. `false` when somebody is reading it;
/// nobody is waited for.
pub(crate) fn restart(conn: &Connection) -> bool {
    at_once(conn, "PRAGMA wal_checkpoint(RESTART)")
}

/// As [`restart`], and leaves nothing of the log's content.
pub(crate) fn wipe(conn: &Connection) -> bool {
    at_once(conn, "PRAGMA wal_checkpoint(TRUNCATE)")
}

fn at_once(conn: &Connection, sql: &str) -> bool {
    let done =
        conn.busy_timeout(Duration::ZERO).and_then(|()| run(conn, sql)).is_ok_and(|result| !result.busy);
    conn.busy_timeout(open::BUSY_TIMEOUT).is_ok() && done
}

/// At the end: the file alone holds everything. `false` when somebody else has it open.
pub(crate) fn truncate(conn: &Connection) -> bool {
    run(conn, "PRAGMA wal_checkpoint(TRUNCATE)").is_ok_and(|result| !result.busy)
}

struct Checkpointed {
    busy: bool,
    moved: u64,
}

fn run(conn: &Connection, sql: &str) -> rusqlite::Result<Checkpointed> {
    conn.query_row(sql, [], |row| {
        Ok(Checkpointed {
            busy: row.get::<_, i64>(0)? != 0,
            moved: row.get::<_, i64>(2)?.try_into().unwrap_or(0),
        })
    })
}

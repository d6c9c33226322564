//! The relay's file. What arrives while it is synced is written and synced together.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::bench::listener::fail;

/// Written from the start again when it is full, as the store's log is: a file that grows would be slower to sync.
const FILE_BYTES: usize = 64 * 1024 * 1024;

struct Entry {
    bytes: Vec<u8>,
    kept: oneshot::Sender<()>,
}

/// The handle of the thread that writes.
#[derive(Clone)]
pub(super) struct Journal(Sender<Entry>);

impl Journal {
    /// # Errors
    /// The file cannot be made.
    pub(super) fn start(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("{} cannot be written", path.display());
        let mut file = File::create(path).with_context(failed)?;
        file.write_all(&vec![0; FILE_BYTES]).and_then(|()| file.sync_all()).with_context(failed)?;
        let (sender, entries) = channel();
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            if let Err(error) = write(&file, &entries) {
                fail(super::PROCESS, &error.into());
            }
        })?;
        Ok(Self(sender))
    }

    /// Comes back when the bytes are on the disk.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) async fn keep(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let (kept, is_kept) = oneshot::channel();
        self.0.send(Entry { bytes, kept }).ok().context("the journal has ended")?;
        is_kept.await.context("the journal has ended")
    }
}

fn write(file: &File, entries: &Receiver<Entry>) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let (mut at, mut bytes, mut kept) = (0, Vec::new(), Vec::new());
    while let Ok(first) = entries.recv() {
        for entry in std::iter::once(first).chain(entries.try_iter()) {
            bytes.extend_from_slice(&entry.bytes);
            kept.push(entry.kept);
        }
        if at + bytes.len() > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&bytes, at as u64)?;
        file.sync_data()?;
        at += bytes.len();
        bytes.clear();
        for kept in kept.drain(..) {
            // Whoever asked may be gone.
            let _ = kept.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_in_the_file_in_the_order_in_which_it_came() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let journal = Journal::start(&path).unwrap();
        for bytes in ["one", "two"] {
            journal.keep(bytes.into()).await.unwrap();
        }
        assert!(std::fs::read(&path).unwrap().starts_with(b"onetwo\0"));
        assert!(Journal::start(&dir.path().join("missing/journal")).is_err());
    }
}

//! The master key's rotation, in an order that a crash may interrupt anywhere: a file with both keys, everything sealed
//! anew, a file with the new key alone. Whoever starts in between has both keys, opens everything, and finishes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{MasterKeys, RotateFault};
use async_trait::async_trait;
use parking_lot::Mutex;
use store::once::{MaybeOnce, Once};
use store::{Store, StoreError};

use crate::config::MASTER_KEY_PREVIOUS_VARIABLE;
use crate::master_key::{self, Keys};

/// Where the keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// This file, which is ours to write.
    File(PathBuf),
    /// The operator, who changes them with a restart.
    Environment,
}

/// The running server's keys.
#[derive(Debug)]
pub(crate) struct KeyRotation {
    store: Arc<dyn Store>,
    source: Source,
    keys: Mutex<Keys>,
    is_running: AtomicBool,
}

/// One rotation at a time; dropping frees the place.
struct Place<'a>(&'a AtomicBool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl KeyRotation {
    pub(crate) fn new(store: Arc<dyn Store>, source: Source, keys: Keys) -> Self {
        Self { store, source, keys: Mutex::new(keys), is_running: AtomicBool::new(false) }
    }

    /// At a start: ends what the process before has begun, or what the operator asks for with two keys. A failure is told
    /// in the log and stands in nobody's way, since both keys are at hand.
    pub(crate) async fn finish_what_was_begun(&self) {
        if self.keys.lock().previous.is_none() {
            return;
        }
        match self.finish(None).await {
            Ok(resealed) if self.source == Source::Environment => tracing::info!(
                resealed,
                "every secret is sealed under the new master key: {MASTER_KEY_PREVIOUS_VARIABLE} is no longer needed, unset it"
            ),
            Ok(resealed) => tracing::info!(resealed, "an unfinished rotation of the master key was finished"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the master key's rotation is not finished: keep both keys; the next start tries again"
            ),
        }
    }

    fn enter(&self) -> Option<Place<'_>> {
        let entered = self.is_running.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        entered.is_ok().then(|| Place(&self.is_running))
    }

    /// A new key beside the old one, in the file first: nothing may be sealed under a key that a crash would take.
    async fn begin(&self, file: &std::path::Path) -> Result<(), StoreError> {
        let present = master_key::random().map_err(|error| not_written(error.into()))?;
        let keys = Keys { present, previous: Some(self.keys.lock().present.clone()) };
        self.write(file, keys).await
    }

    async fn write(&self, file: &std::path::Path, keys: Keys) -> Result<(), StoreError> {
        let (file, written) = (file.to_owned(), keys.clone());
        let writing = tokio::task::spawn_blocking(move || master_key::write(&file, &written));
        writing
            .await
            .map_err(|panic| not_written(panic.into()))?
            .map_err(|error| not_written(error.into()))?;
        *self.keys.lock() = keys;
        Ok(())
    }

    /// Seals everything under the present key, then forgets the one before; values sealed anew.
    async fn finish(&self, maybe_once: MaybeOnce<usize>) -> Result<usize, StoreError> {
        let keys = self.keys.lock().clone();
        self.store.use_vault(keys.vault(), None).await?;
        let (mut resealed, mut after) = (0, None);
        loop {
            let slice = self.store.reseal(after).await?;
            resealed += slice.values;
            after = slice.next;
            if after.is_none() {
                break;
            }
        }
        let alone = Keys { previous: None, ..keys };
        let vault = alone.vault();
        match &self.source {
            Source::File(file) => self.write(file, alone).await?,
            Source::Environment => *self.keys.lock() = alone,
        }
        self.store.use_vault(vault, answered_with(maybe_once, resealed)).await?;
        Ok(resealed)
    }
}

#[async_trait]
impl MasterKeys for KeyRotation {
    async fn rotate(&self, maybe_once: MaybeOnce<usize>) -> Result<usize, RotateFault> {
        let Source::File(file) = &self.source else { return Err(RotateFault::External) };
        let _place = self.enter().ok_or(RotateFault::InProgress)?;
        let is_unfinished = self.keys.lock().previous.is_some();
        if !is_unfinished {
            self.begin(file).await?;
        }
        tracing::info!("rotating the master key: every secret is sealed anew");
        let resealed = self.finish(maybe_once).await?;
        tracing::info!(resealed, "the master key was rotated; backups made before need the old key");
        Ok(resealed)
    }
}

fn answered_with(maybe_once: MaybeOnce<usize>, resealed: usize) -> MaybeOnce<()> {
    let Once { key, request_hash, expires_at, answer } = maybe_once?;
    Some(Once { key, request_hash, expires_at, answer: Box::new(move |&()| answer(&resealed)) })
}

fn not_written(source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Internal { doing: "writing the master key's file", source }
}

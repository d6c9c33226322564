//! One process at a time serves from the file.

use async_trait::async_trait;
use domain::time::Timestamp;
use store::feed::Listener;
use store::nodes::{Nodes, Step, Whole};
use store::{Store, StoreError};

use crate::SqliteStore;

#[async_trait]
impl Nodes for SqliteStore {
    fn living(&self) -> usize {
        1
    }

    async fn tell_step(&self, step: Step) -> Result<(), StoreError> {
        self.alone.tell_step(step);
        Ok(())
    }

    async fn whole(&self, since: Timestamp) -> Result<Whole, StoreError> {
        Ok(self.alone.whole(since))
    }

    async fn listen(&self) -> Result<Listener, StoreError> {
        Ok(self.feed().listen())
    }
}

//! How many streams there may be.

use std::collections::HashMap;
use std::sync::Arc;

use domain::limits::{STREAMS_MAX, STREAMS_PER_OWNER_MAX};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::problem::{Code, Problem};

/// All streams of this process.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_owner: Arc<Mutex<HashMap<String, usize>>>,
    /// Ends them.
    pub(crate) end: CancellationToken,
}

/// One stream's place; leaving frees it.
#[derive(Debug)]
pub(crate) struct Place {
    by_owner: Arc<Mutex<HashMap<String, usize>>>,
    owner: String,
}

impl Streams {
    /// # Errors
    /// `too-many-requests` when the owner, or all owners together, have as many streams as they may.
    pub(crate) fn enter(&self, owner: String) -> Result<Place, Problem> {
        let mut by_owner = self.by_owner.lock();
        let (all, own) = (by_owner.values().sum::<usize>(), by_owner.get(&owner).copied().unwrap_or(0));
        if own >= STREAMS_PER_OWNER_MAX {
            let detail = format!(
                "there are {own} streams of this owner already: close one, or follow several endpoints with one"
            );
            return Err(Problem::new(Code::TooManyRequests, detail));
        }
        if all >= STREAMS_MAX {
            return Err(Problem::new(
                Code::TooManyRequests,
                "the server has as many streams as it can: try again later, or ask for what is new from time to time",
            ));
        }
        by_owner.insert(owner.clone(), own + 1);
        drop(by_owner);
        Ok(Place { by_owner: Arc::clone(&self.by_owner), owner })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_owner = self.by_owner.lock();
        if let Some(count) = by_owner.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_so_many_streams_and_all_together_so_many() {
        let streams = Streams::default();
        let mut places = Vec::new();
        for owner in 0..STREAMS_MAX / STREAMS_PER_OWNER_MAX {
            for _ in 0..STREAMS_PER_OWNER_MAX {
                places.push(streams.enter(format!("location:{owner}")).unwrap());
            }
        }
        assert_eq!(streams.enter("location:0".into()).unwrap_err().code, Code::TooManyRequests);
        let newcomer = || streams.enter("location:new".into());
        assert_eq!(newcomer().unwrap_err().code, Code::TooManyRequests);
        places.pop();
        let place = newcomer().unwrap();
        drop((place, places));
        assert!(streams.by_owner.lock().is_empty());
    }
}

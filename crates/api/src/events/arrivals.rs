//! How much of the batches that arrive, and wait for their turn, is held in memory: bounded in all, and for each owner, so
//! that one who sends slowly keeps nobody else from sending.

use std::collections::HashMap;

use domain::limits::{BATCH_ARRIVAL_BYTES_MAX, BATCH_ARRIVAL_BYTES_PER_OWNER};
use domain::scope::Scope;
use parking_lot::Mutex;

use crate::problem::{Code, Problem};

/// A batch is read and stored within seconds of its arrival.
const RETRY_AFTER_SECONDS: u32 = 1;

#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    held: Mutex<Held>,
}

/// Bytes. An owner of whom nothing is held has no entry.
#[derive(Debug, Default)]
struct Held {
    in_all: usize,
    by_owner: HashMap<Scope, usize>,
}

/// What is held of one batch. Dropping it makes room.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    arrivals: &'a Arrivals,
    owner: &'a Scope,
    bytes: usize,
}

impl Arrivals {
    pub(crate) fn begin<'a>(&'a self, owner: &'a Scope) -> Arrival<'a> {
        Arrival { arrivals: self, owner, bytes: 0 }
    }
}

impl Arrival<'_> {
    /// Makes room for `bytes` more.
    ///
    /// # Errors
    /// `too-many-requests` where there is none; what was held of this batch is then given up.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let taken = self.arrivals.held.lock().take(self.owner, bytes);
        match taken {
            Ok(()) => self.bytes += bytes,
            Err(_) => self.give_back(),
        }
        taken.map_err(|whose| {
            let detail =
                format!("the batches that are arriving {whose} fill their share of memory: repeat it");
            Problem::new(Code::TooManyRequests, detail).with_retry_after(RETRY_AFTER_SECONDS)
        })
    }

    fn give_back(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes > 0 {
            self.arrivals.held.lock().give_back(self.owner, bytes);
        }
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The platform publishes for everybody, on many connections at once.
fn share_of(owner: &Scope) -> usize {
    match owner {
        Scope::Platform => BATCH_ARRIVAL_BYTES_MAX - BATCH_ARRIVAL_BYTES_PER_OWNER,
        _ => BATCH_ARRIVAL_BYTES_PER_OWNER,
    }
}

impl Held {
    /// Otherwise whose batches are too many.
    fn take(&mut self, owner: &Scope, bytes: usize) -> Result<(), &'static str> {
        let of_owner = self.by_owner.get(owner).copied().unwrap_or_default() + bytes;
        if of_owner > share_of(owner) {
            return Err("from the key's owner");
        }
        if self.in_all + bytes > BATCH_ARRIVAL_BYTES_MAX {
            return Err("from everybody");
        }
        self.in_all += bytes;
        self.by_owner.insert(owner.clone(), of_owner);
        Ok(())
    }

    fn give_back(&mut self, owner: &Scope, bytes: usize) {
        self.in_all -= bytes;
        let Some(of_owner) = self.by_owner.get_mut(owner) else { return };
        *of_owner -= bytes;
        if *of_owner == 0 {
            self.by_owner.remove(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(n: usize) -> Scope {
        Scope::Location(format!("loc{n}").parse().unwrap())
    }

    #[test]
    fn an_owner_has_its_share_and_another_still_has_room() {
        let arrivals = Arrivals::default();
        let (one, other) = (location(1), location(2));
        let mut first = arrivals.begin(&one);
        first.take(BATCH_ARRIVAL_BYTES_PER_OWNER).unwrap();
        let refused = arrivals.begin(&one).take(1).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_seconds()), (Code::TooManyRequests, Some(1)));
        arrivals.begin(&other).take(BATCH_ARRIVAL_BYTES_PER_OWNER).unwrap();
        drop(first);
        arrivals.begin(&one).take(BATCH_ARRIVAL_BYTES_PER_OWNER).unwrap();
        assert!(arrivals.held.lock().by_owner.is_empty() && arrivals.held.lock().in_all == 0);
    }

    #[test]
    fn the_platform_leaves_one_share_to_others() {
        let arrivals = Arrivals::default();
        let mut platform = arrivals.begin(&Scope::Platform);
        platform.take(BATCH_ARRIVAL_BYTES_MAX - BATCH_ARRIVAL_BYTES_PER_OWNER).unwrap();
        assert!(arrivals.begin(&Scope::Platform).take(1).is_err());
        arrivals.begin(&location(1)).take(BATCH_ARRIVAL_BYTES_PER_OWNER).unwrap();
    }

    #[test]
    fn all_together_have_a_bound_and_what_is_refused_holds_nothing() {
        let arrivals = Arrivals::default();
        let owners: Vec<_> =
            (0..=BATCH_ARRIVAL_BYTES_MAX / BATCH_ARRIVAL_BYTES_PER_OWNER).map(location).collect();
        let mut all: Vec<_> = owners.iter().map(|owner| arrivals.begin(owner)).collect();
        let mut last = all.pop().unwrap();
        last.take(1).unwrap();
        let taken = all.iter_mut().map(|arrival| arrival.take(BATCH_ARRIVAL_BYTES_PER_OWNER).is_ok());
        assert_eq!(taken.filter(|taken| !taken).count(), 1, "one byte was taken already");
        let held = arrivals.held.lock().in_all;
        assert_eq!(held, BATCH_ARRIVAL_BYTES_MAX - BATCH_ARRIVAL_BYTES_PER_OWNER + 1);
        assert!(last.take(BATCH_ARRIVAL_BYTES_PER_OWNER).is_err());
        assert_eq!(arrivals.held.lock().in_all, held - 1);
    }
}

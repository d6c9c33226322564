//! What runs at this moment, by a key: at most one of each.

use std::collections::HashSet;
use std::hash::Hash;

use parking_lot::Mutex;

#[derive(Debug)]
pub(crate) struct Running<K: Eq + Hash> {
    keys: Mutex<HashSet<K>>,
}

/// The place of the one that runs; leaving frees it.
pub(crate) struct Place<'a, K: Eq + Hash> {
    running: &'a Running<K>,
    key: K,
}

impl<K: Eq + Hash> Default for Running<K> {
    fn default() -> Self {
        Self { keys: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone> Running<K> {
    /// `None` while another has it.
    pub(crate) fn enter(&self, key: &K) -> Option<Place<'_, K>> {
        self.keys.lock().insert(key.clone()).then(|| Place { running: self, key: key.clone() })
    }
}

impl<K: Eq + Hash> Drop for Place<'_, K> {
    fn drop(&mut self) {
        self.running.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_key_has_one_place_until_it_is_left() {
        let running = Running::default();
        let place = running.enter(&"one").unwrap();
        assert!(running.enter(&"one").is_none());
        assert!(running.enter(&"other").is_some());
        drop(place);
        assert!(running.enter(&"one").is_some());
    }
}

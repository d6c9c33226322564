//! Which of the other nodes have fallen silent, as far as this one can tell. Pure: told what a look at the table showed and
//! when, by this node's own clock; no two clocks are ever compared.

use std::collections::HashMap;

use domain::limits::{NODE_SILENCE_MS, WATCH_GAP_MS_MAX};

/// One look at the table of nodes, from the question to the answer, by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub asked_at_ms: i64,
    pub answered_at_ms: i64,
}

/// A node as a look showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beat {
    pub fence: i64,
    pub beat: i64,
}

/// What this node has seen of the others.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    asked_at_ms: Option<i64>,
    /// By fence: the beat, and since when it surely stands.
    seen: HashMap<i64, (i64, i64)>,
}

impl Watch {
    /// The nodes whose beat has stood still for [`NODE_SILENCE_MS`] while looks came without a gap.
    pub(crate) fn look(&mut self, look: Look, others: &[Beat]) -> Vec<Beat> {
        let is_gap = |before: i64| look.asked_at_ms - before > WATCH_GAP_MS_MAX;
        if self.asked_at_ms.is_none_or(is_gap) {
            self.seen.clear();
        }
        self.asked_at_ms = Some(look.asked_at_ms);
        self.seen.retain(|fence, _| others.iter().any(|other| other.fence == *fence));
        let mut silent = Vec::new();
        for other in others {
            let seen = self.seen.entry(other.fence).or_insert((other.beat, look.answered_at_ms));
            if seen.0 != other.beat {
                *seen = (other.beat, look.answered_at_ms);
            }
            if look.asked_at_ms - seen.1 >= NODE_SILENCE_MS {
                silent.push(*other);
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use domain::limits::BEAT_MS;

    use super::*;

    /// Looks once a beat; which fences are silent at each moment.
    fn looks(beats: impl Fn(i64) -> Vec<Beat>, at: impl IntoIterator<Item = i64>) -> Vec<(i64, Vec<i64>)> {
        let mut watch = Watch::default();
        let mut found = Vec::new();
        for at_ms in at {
            let look = Look { asked_at_ms: at_ms, answered_at_ms: at_ms + 10 };
            let silent = watch.look(look, &beats(at_ms));
            if !silent.is_empty() {
                found.push((at_ms, silent.iter().map(|one| one.fence).collect()));
            }
        }
        found
    }

    fn each_beat(from: i64, to: i64) -> impl Iterator<Item = i64> {
        (from..=to).step_by(BEAT_MS as usize)
    }

    #[test]
    fn one_that_stands_still_is_found_and_one_that_beats_is_not() {
        let beats = |at: i64| vec![Beat { fence: 1, beat: at.min(4_000) }, Beat { fence: 2, beat: at }];
        assert_eq!(looks(beats, each_beat(0, 11_000)), [(11_000, vec![1])]);
    }

    #[test]
    fn after_a_gap_the_watch_begins_anew() {
        let still = |_| vec![Beat { fence: 1, beat: 7 }];
        let away = 20_000;
        let times =
            each_beat(0, 5_000).chain(each_beat(5_000 + away, 5_000 + away + NODE_SILENCE_MS + BEAT_MS));
        assert_eq!(looks(still, times), [(5_000 + away + NODE_SILENCE_MS + BEAT_MS, vec![1])]);
        // Far apart, looks tell nothing.
        assert_eq!(looks(still, (0..60_000).step_by(WATCH_GAP_MS_MAX as usize + 1)), []);
    }

    #[test]
    fn a_fence_that_comes_back_is_watched_from_its_beginning() {
        let beats =
            |at: i64| if (2_000..4_000).contains(&at) { vec![] } else { vec![Beat { fence: 1, beat: 7 }] };
        assert_eq!(looks(beats, each_beat(0, 10_000)), []);
    }
}

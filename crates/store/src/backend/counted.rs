//! What attempts come to: added up per batch, and read back span by span, some two hundred rows at most.

use std::collections::BTreeMap;

use domain::attempt::Attempt;
use domain::id::EndpointId;
use domain::tally::{Grain, Tally, Window};
use domain::time::Timestamp;

use crate::tallies::Tallied;

/// So long before the minutes that are always kept there may be some that the sweep has not come to.
const UNSWEPT_MS: i64 = 60 * 60_000;

/// One row of tallies: its grain, where its span begins, and of which endpoint.
pub type TallyKey = (Grain, Timestamp, EndpointId);

/// The attempts of one transaction, added up.
#[derive(Debug, Default)]
pub struct Counted {
    minutes: BTreeMap<(Timestamp, EndpointId), Tally>,
}

impl Counted {
    pub fn add(&mut self, id: EndpointId, attempt: &Attempt) {
        let ended_at = attempt.started_at.plus_millis(i64::from(attempt.duration_ms));
        self.minutes.entry((Grain::Minute.start_of(ended_at), id)).or_default().add(attempt);
    }

    /// What to add to which row, in the order of the rows, so that two batches never wait for each other in a circle.
    pub fn into_rows(self) -> impl Iterator<Item = (TallyKey, Tally)> {
        self.minutes.into_iter().map(|((at, id), tally)| ((Grain::Minute, at, id), tally))
    }
}

/// Where spans begin, from `from` up to `now`.
pub fn starts(grain: Grain, from: Timestamp, now: Timestamp) -> impl DoubleEndedIterator<Item = Timestamp> {
    let spans = grain.start_of(now).since(from) / grain.span_ms();
    (0..=spans).map(move |span| from.plus_millis(span * grain.span_ms()))
}

/// Since when there may be minutes that are in no coarser grain yet.
pub fn unswept_from(now: Timestamp) -> Timestamp {
    Grain::Minute.kept_from(now).plus_millis(-UNSWEPT_MS)
}

/// The rows that a window needs: those of its grain, then the minutes that are in no coarser one yet.
pub fn window_rows(window: Window, now: Timestamp) -> Vec<(Grain, Timestamp)> {
    let (grain, since) = (window.grain(), window.since(now));
    let mut rows: Vec<_> = starts(grain, since, now).map(|at| (grain, at)).collect();
    if grain != Grain::Minute {
        rows.extend(starts(Grain::Minute, unswept_from(now).max(since), now).map(|at| (Grain::Minute, at)));
    }
    rows
}

/// The rows that say when something last happened, the latest first: when nothing did in the window.
pub fn last_rows(now: Timestamp) -> Vec<(Grain, Timestamp)> {
    let minutes = starts(Grain::Minute, unswept_from(now), now).map(|at| (Grain::Minute, at));
    let grain = Window::Month.grain();
    let spans = starts(grain, Window::Month.since(now), now).map(|at| (grain, at));
    minutes.rev().chain(spans.rev()).collect()
}

/// The rows that there can be of an endpoint.
pub fn rows_of_endpoint(now: Timestamp) -> Vec<(Grain, Timestamp)> {
    let of_grain = |grain: Grain| {
        let from = if grain == Grain::Minute { unswept_from(now) } else { grain.kept_from(now) };
        starts(grain, from, now).map(move |at| (grain, at))
    };
    Grain::ALL.into_iter().flat_map(of_grain).collect()
}

/// A window made of the rows that were found of [`window_rows`].
pub fn window_of(window: Window, now: Timestamp, row: impl Fn(Grain, Timestamp) -> Option<Tally>) -> Tallied {
    let (grain, since) = (window.grain(), window.since(now));
    let mut spans: Vec<Tally> =
        starts(grain, since, now).map(|at| row(grain, at).unwrap_or_default()).collect();
    if grain != Grain::Minute {
        for at in starts(Grain::Minute, unswept_from(now).max(since), now) {
            let place = (at.since(since) / grain.span_ms()) as usize;
            if let (Some(minute), Some(span)) = (row(Grain::Minute, at), spans.get_mut(place)) {
                span.merge(&minute);
            }
        }
    }
    let last_attempt_at = spans.iter().filter_map(|span| span.last_attempt_at).max();
    Tallied { since, spans, last_attempt_at }
}

//! What must hold once everything is well again: who was acknowledged has ended, and the engine holds nothing.

use std::time::Duration;

use domain::endpoint::{DisabledReason, EndpointPatch, EndpointState};
use domain::id::DeliveryId;
use domain::scope::Scope;
use domain::time::Clock as _;
use store::Store as _;
use store::endpoints::Endpoints as _;

use crate::history::History;
use crate::people::People;
use crate::plan::Rates;
use crate::time::pass;

/// Between two looks; longer than an attempt and the safety poll.
const LOOK: Duration = Duration::from_secs(60);
/// Longer than any schedule and `Retry-After` of a plan. Jumps of the clock come on top.
const REST_MS_MAX: i64 = 2 * 24 * 3_600_000;

impl History {
    /// Nothing fails any more, and what was switched off by hand is switched on again. Until everything has ended, or
    /// the time is over in which it must.
    pub(crate) async fn come_to_rest(&self, people: &People) {
        let until_ms = {
            let mut seen = self.world.seen();
            (seen.rates, seen.away_until_ms, seen.dies_at_step) = (Rates::default(), 0, None);
            seen.moods.clone_from(&self.plan.last_moods);
            seen.say("all is well again");
            seen.elapsed_ms() + seen.set_back_ms + REST_MS_MAX
        };
        let ids = self.world.seen().endpoints.clone();
        for id in ids {
            let endpoint = self.store.routes().endpoint(id);
            if endpoint.is_some_and(|endpoint| is_by_hand(endpoint.state)) {
                let patch = EndpointPatch { enabled: Some(true), ..EndpointPatch::default() };
                let now = self.world.time.now();
                let enabled = self.store.update_endpoint(&Scope::Platform, id, patch, now, None).await;
                enabled.expect("nothing fails any more");
                people.engine.endpoint_changed(id);
            }
        }
        loop {
            pass(LOOK).await;
            let is_over = self.world.time.elapsed_ms() >= until_ms;
            // The engine hears of the last outcome a little after the store has it.
            let has_ended = self.unfinished().is_empty() && held_by(people) == (0, 0, 0);
            if has_ended || is_over || !self.world.seen().faults.is_empty() {
                break;
            }
        }
    }

    /// Deliveries that should end without another process.
    fn unfinished(&self) -> Vec<DeliveryId> {
        self.store.change(|state| {
            let seen = self.world.seen();
            state.rows.keys().filter(|id| !seen.stranded.contains(id)).copied().collect()
        })
    }

    pub(crate) fn check_at_rest(&self, people: &People) {
        let counters = people.engine.counters();
        let unrecordable = counters.unrecordable();
        let unfinished = self.unfinished();
        let mut seen = self.world.seen();
        // Those that the store refused again and again wait for the next process, and the engine says how many.
        if unfinished.len() as u64 > unrecordable {
            let names: Vec<String> = unfinished.iter().map(|id| seen.delivery(*id)).collect();
            seen.fault(format_args!("{} have not ended ({unrecordable} may)", names.join(" ")));
        }
        let held = held_by(people);
        if held != (0, 0, 0) {
            seen.fault(format_args!("at rest the engine counts {held:?} in flight, claimed, unrecorded"));
        }
        let generation = seen.generation;
        let gone = seen.gone.clone();
        for (asked, _) in gone.iter().filter(|(_, by)| *by == generation) {
            let now = self.store.routes().endpoint(asked.id);
            if now.is_some_and(|now| (&now.url, now.state) == (&asked.url, asked.state)) {
                let place = seen.place(asked.id);
                seen.fault(format_args!("e{place} said that it is gone and is not disabled"));
            }
        }
    }

    /// In a world that is well, an orderly end leaves nothing held.
    pub(crate) fn check_after_calm_shutdown(&self, people: &People) {
        let unrecordable = people.engine.counters().unrecordable();
        self.store.change(|state| {
            let mut seen = self.world.seen();
            let held = state.rows.iter().filter(|(id, row)| row.is_held && !seen.stranded.contains(id));
            let held: Vec<String> = held.map(|(id, _)| seen.delivery(*id)).collect();
            if held.len() as u64 > unrecordable {
                seen.fault(format_args!("{} are held after the shutdown", held.join(" ")));
            }
        });
    }

    /// After another process in a world that is well, nothing waits, whatever was acknowledged.
    pub(crate) fn check_that_all_ended(&self) {
        self.store.change(|state| {
            let mut seen = self.world.seen();
            let left: Vec<String> = state.rows.keys().map(|id| seen.delivery(*id)).collect();
            if !left.is_empty() {
                seen.fault(format_args!("{} never ended", left.join(" ")));
            }
            let lost: Vec<DeliveryId> =
                seen.acknowledged.iter().filter(|id| !state.ended.contains_key(id)).copied().collect();
            if !lost.is_empty() {
                seen.fault(format_args!("{lost:?} were acknowledged and are not there"));
            }
            // Each end of a process may repeat one attempt of a delivery.
            let most = seen.waits.0 as u32 + 1 + seen.generation - 1;
            let mut counts = std::collections::BTreeMap::<DeliveryId, u32>::new();
            seen.requests.iter().for_each(|((id, _, _), times)| *counts.entry(*id).or_default() += times);
            for (id, count) in counts.into_iter().filter(|(_, count)| *count > most) {
                let name = seen.delivery(id);
                seen.fault(format_args!("{name} was sent {count} times, more than {most}"));
            }
        });
    }
}

fn is_by_hand(state: EndpointState) -> bool {
    matches!(state, EndpointState::Disabled { reason: DisabledReason::ByHand, .. })
}

/// In flight, claimed, unrecorded, as the engine counts.
fn held_by(people: &People) -> (u64, u64, u64) {
    let counters = people.engine.counters();
    (counters.in_flight(), counters.claimed(), counters.unrecorded())
}

//! What happens to the engine's calls on their way to the store and back, and what is checked of their effects.

use async_trait::async_trait;
use domain::delivery::EndReason;
use domain::endpoint::DisabledReason;
use domain::id::DeliveryId;
use domain::retry::Verdict;
use store::StoreError;
use store::events::Hold;
use store::queue::{Claim, Recorded};

use crate::support::{Call, Change, State, Weather};
use crate::world::{Seen, World};

#[async_trait]
impl Weather for World {
    async fn there(&self, call: &Call) -> Result<(), StoreError> {
        self.step().await;
        let place = {
            let mut seen = self.seen();
            let place = seen.steps;
            if matches!(call, Call::Record(_) | Call::Release(_)) {
                seen.on_the_way.insert(place, call.clone());
            }
            place
        };
        let delay_ms = self.seen().delay_ms();
        self.travel(delay_ms).await;
        let arrived = self.seen().arrive(call);
        self.step().await;
        self.seen().on_the_way.remove(&place);
        arrived
    }

    fn took_effect(&self, _: &Call, state: &mut State) -> Vec<DeliveryId> {
        let mut seen = self.seen();
        let changes = std::mem::take(&mut state.changes);
        for change in &changes {
            seen.judge(change, state);
        }
        let held = changes.iter().filter_map(|change| match change {
            Change::Claimed(id) | Change::Queued(id, Hold::Claimed) => Some(*id),
            _ => None,
        });
        let held: Vec<DeliveryId> = held.collect();
        seen.unheard.extend(&held);
        held
    }

    async fn back(&self, call: &Call, held: Vec<DeliveryId>) -> Result<(), StoreError> {
        self.step().await;
        let delay_ms = self.seen().delay_ms();
        self.travel(delay_ms).await;
        self.step().await;
        let mut seen = self.seen();
        seen.unheard.retain(|id| !held.contains(id));
        let rate = seen.rates.lost_back;
        if !seen.chance(rate) {
            return Ok(());
        }
        seen.stranded.extend(held);
        seen.say(format_args!("{} is not answered", name(call)));
        Err(unavailable())
    }
}

impl World {
    /// As long as it takes, or until the world is well.
    async fn travel(&self, ms: u64) {
        tokio::select! {
            biased;
            () = self.calmed.notified() => {}
            () = self.pause(ms) => {}
        }
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: "the simulation says so".to_owned() }
}

fn name(call: &Call) -> &'static str {
    match call {
        Call::Due => "due",
        Call::Claim => "claim",
        Call::Record(_) => "record",
        Call::Release(_) => "release",
        Call::Note => "note",
        Call::End => "end",
        Call::Disable => "disable",
        Call::Sweep => "sweep",
        Call::Publish => "publish",
        Call::ByHand => "by hand",
        Call::Read => "read",
    }
}

impl Seen {
    fn delay_ms(&mut self) -> u64 {
        let rate = self.rates.slow;
        if self.chance(rate) {
            return self.pick(6_000) as u64;
        }
        [0, 0, 1, 2, 5][self.pick(5)]
    }

    fn arrive(&mut self, call: &Call) -> Result<(), StoreError> {
        let (lost, faulty) = (self.rates.lost_there, self.rates.faulty);
        if self.is_away() || self.chance(lost) {
            self.say(format_args!("{} does not get there", name(call)));
            return Err(unavailable());
        }
        if matches!(call, Call::Claim | Call::Record(_)) && self.chance(faulty) {
            self.say(format_args!("{} fails", name(call)));
            return Err(StoreError::Internal { doing: "simulating", source: "a fault".into() });
        }
        Ok(())
    }

    /// Of what the store did, whether it may have.
    pub(crate) fn judge(&mut self, change: &Change, state: &State) {
        match change {
            Change::Queued(id, hold) => {
                let number = self.numbers.len();
                self.numbers.insert(*id, number);
                let endpoint = self.place(state.rows[id].delivery.endpoint_id);
                self.say(format_args!("d{number} for e{endpoint} is stored {hold:?}"));
            }
            Change::Claimed(id) => {
                let delivery = self.delivery(*id);
                self.say(format_args!("{delivery} is claimed"));
                self.must_not_be_in_flight(*id, "claimed");
            }
            Change::Recorded(id, claim, number, verdict, result) => {
                self.judge_record((*id, *number), *verdict, (*claim, *result), state);
            }
            Change::Released(id, claim, result) => {
                let delivery = self.delivery(*id);
                self.say(format_args!("{delivery} is released: {result:?}"));
                if *result == Recorded::Applied {
                    self.must_be_current(*id, *claim, state);
                    self.must_not_be_in_flight(*id, "released");
                }
            }
            Change::Ended(id, reason) => {
                let delivery = self.delivery(*id);
                self.say(format_args!("{delivery} ends: {reason:?}"));
                self.stranded.remove(id);
            }
            Change::Disabled(before, reason) => {
                let endpoint = self.place(before.id);
                self.say(format_args!("e{endpoint} is disabled: {reason:?}"));
                let said_so = self.gone.iter().any(|(asked, _)| {
                    asked.id == before.id && (&asked.url, asked.state) == (&before.url, before.state)
                });
                if *reason == DisabledReason::Gone && !said_so {
                    self.fault(format_args!(
                        "e{endpoint} is disabled as gone and never said so as it stands"
                    ));
                }
            }
        }
    }

    fn judge_record(
        &mut self,
        (id, number): (DeliveryId, u32),
        verdict: Verdict,
        (claim, result): (Claim, Recorded),
        state: &State,
    ) {
        let delivery = self.delivery(id);
        self.say(format_args!("{delivery} attempt {number} is recorded as {verdict:?}: {result:?}"));
        if result == Recorded::Lost {
            return;
        }
        self.must_be_current(id, claim, state);
        self.must_not_be_in_flight(id, "recorded");
        let attempts = &state.attempts[&id];
        if attempts.len() != number as usize
            || attempts.iter().zip(1..).any(|(attempt, n)| attempt.number != n)
        {
            self.fault(format_args!("{delivery} has an attempt {number} recorded out of its turn"));
        }
        let (longest, shortest) = self.waits;
        let answered = |status: std::ops::Range<u16>| {
            self.answers.range((id, number, status.start)..(id, number, status.end)).next().is_some()
        };
        let is_true = match verdict {
            Verdict::Succeeded => answered(200..300),
            Verdict::Ended(EndReason::Gone) => answered(410..411),
            Verdict::Ended(EndReason::Exhausted) => number as usize > shortest,
            Verdict::Ended(_) => false,
            Verdict::RetryAt(_) => number as usize <= longest,
        };
        if !is_true {
            self.fault(format_args!(
                "{delivery} attempt {number} is recorded as {verdict:?}, and was not so"
            ));
        }
    }

    fn must_be_current(&mut self, id: DeliveryId, claim: Claim, state: &State) {
        if claim.0 <= state.claim_before.0 {
            let delivery = self.delivery(id);
            self.fault(format_args!("{delivery} is changed under a claim of a process that is gone"));
        }
    }

    fn must_not_be_in_flight(&mut self, id: DeliveryId, what: &str) {
        if self.flights.contains_key(&id) {
            let delivery = self.delivery(id);
            self.fault(format_args!("{delivery} is {what} while it is being sent"));
        }
    }

    fn is_away(&self) -> bool {
        self.away_until_ms > self.elapsed_ms()
    }
}

//! The circuits of the endpoints that failed lately, and what of them is to be kept.
//!
//! Pure, a part of the lanes and under their lock; the rules are `domain::health`'s. An endpoint whose last attempt
//! succeeded and whose circuit is closed has no entry, so that memory holds what fails and nothing else.

use std::collections::HashMap;

use domain::health::{Allowance, Change, Circuit, Failing, LastFailure, Receiver};
use domain::id::EndpointId;
use domain::time::Timestamp;
use store::healths::HealthNote;

#[derive(Debug)]
pub(crate) struct Circuits {
    by_id: HashMap<EndpointId, Entry>,
    open: usize,
    probing: usize,
    /// Probes at once of all endpoints, so that many that hang leave the slots to others.
    probing_max: usize,
    openings: u64,
    notes: Vec<HealthNote>,
    /// That send to the same endpoints.
    nodes: usize,
}

#[derive(Debug)]
struct Entry {
    receiver: Receiver,
    circuit: Circuit,
}

/// What an attempt tells of its endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// It was our own fault, or the endpoint has changed since.
    Nothing,
    /// The receiver that was asked answered well.
    Succeeded(Receiver),
    /// `jitter`: a random number from -1 to 1.
    Failed { receiver: Receiver, failure: LastFailure, jitter: f64 },
}

impl Circuits {
    pub(crate) fn new(probing_max: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            open: 0,
            probing: 0,
            probing_max,
            openings: 0,
            notes: Vec::new(),
            nodes: 1,
        }
    }

    pub(crate) fn share_among(&mut self, nodes: usize) {
        self.nodes = nodes;
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Gauge: circuits that are open, probing ones included.
    pub(crate) fn open(&self) -> usize {
        self.open
    }
    pub(crate) fn openings(&self) -> u64 {
        self.openings
    }
    /// What is to be kept, the older first.
    pub(crate) fn take_notes(&mut self) -> Vec<HealthNote> {
        std::mem::take(&mut self.notes)
    }

    /// As a process before this one left it.
    pub(crate) fn resume(&mut self, id: EndpointId, receiver: Receiver, failing: Failing, now: Timestamp) {
        let circuit = Circuit::resumed(failing, now);
        self.open += usize::from(circuit.is_open());
        self.by_id.insert(id, Entry { receiver, circuit });
    }

    pub(crate) fn is_closed(&self, id: EndpointId) -> bool {
        self.by_id.get(&id).is_none_or(|entry| entry.circuit.is_closed())
    }

    /// Whether it is open and no probe is on its way.
    pub(crate) fn is_pausing(&self, id: EndpointId) -> bool {
        self.by_id.get(&id).is_some_and(|entry| entry.circuit.is_open() && !entry.circuit.is_probing())
    }

    /// What another node made of it; nothing of that is noted again.
    pub(crate) fn heard(
        &mut self,
        id: EndpointId,
        (receiver, failing): (Receiver, Option<Failing>),
        now: Timestamp,
        jitter: f64,
    ) -> Change {
        self.keep_of(id, &receiver);
        if failing.is_some() {
            self.by_id.entry(id).or_insert_with(|| Entry { receiver, circuit: Circuit::default() });
        }
        let change = self.change(id, |circuit| circuit.heard(failing, now, jitter));
        self.forget_healthy(id);
        change.unwrap_or(Change::Nothing)
    }

    pub(crate) fn tell(&mut self, id: EndpointId, told: Told, now: Timestamp) -> Change {
        let change = match told {
            Told::Nothing => return Change::Nothing,
            Told::Succeeded(receiver) => self.succeeded(id, &receiver, now),
            Told::Failed { receiver, failure, jitter } => {
                self.keep_of(id, &receiver);
                self.by_id.entry(id).or_insert_with(|| Entry { receiver, circuit: Circuit::default() });
                self.change(id, |circuit| circuit.failed(failure, now, jitter)).unwrap_or(Change::Nothing)
            }
        };
        self.openings += u64::from(change == Change::Opened);
        self.note(id, change);
        change
    }

    /// Of a receiver that has been left since, a success says nothing.
    fn succeeded(&mut self, id: EndpointId, receiver: &Receiver, now: Timestamp) -> Change {
        let is_of_it = self.by_id.get(&id).is_some_and(|entry| entry.receiver == *receiver);
        let change = is_of_it.then(|| self.change(id, |circuit| circuit.succeeded(now)));
        change.flatten().unwrap_or(Change::Nothing)
    }

    /// Whether nothing but failure, for days, ends the endpoint.
    pub(crate) fn ends(&self, id: EndpointId, now: Timestamp) -> bool {
        let run = self.by_id.get(&id).and_then(|entry| entry.circuit.run());
        run.is_some_and(|run| run.ends_the_endpoint(now))
    }

    /// How many may be claimed, `held` being here already.
    pub(crate) fn allowance(&mut self, id: EndpointId, now: Timestamp, held: usize) -> Allowance {
        let Some(entry) = self.by_id.get(&id) else { return Allowance::All };
        let (is_crowded, was_closed) = (self.probing >= self.probing_max, entry.circuit.is_closed());
        let ask = |circuit: &mut Circuit| match circuit.allowance(now, held) {
            Allowance::UpTo(_) if is_crowded && circuit.is_open() => {
                Allowance::NotBefore(circuit.put_off(now))
            }
            allowance => allowance,
        };
        let allowance = self.change(id, ask).unwrap_or(Allowance::All);
        if allowance == Allowance::All && !was_closed {
            self.note(id, Change::Closed);
        }
        allowance
    }

    pub(crate) fn take(&mut self, id: EndpointId, count: usize) {
        self.change(id, |circuit| circuit.take(count.try_into().unwrap_or(u32::MAX)));
    }

    pub(crate) fn give_back(&mut self, id: EndpointId, count: usize) {
        self.change(id, |circuit| circuit.give_back(count.try_into().unwrap_or(u32::MAX)));
    }

    pub(crate) fn nothing_is_held(&mut self, id: EndpointId) {
        self.change(id, Circuit::nothing_is_held);
    }

    pub(crate) fn caught_up(&mut self, id: EndpointId) {
        let change = self.change(id, Circuit::caught_up).unwrap_or(Change::Nothing);
        self.note(id, change);
    }

    /// From when on a claim for something that is due at `at` is of use; `None`: when what is held has ended.
    pub(crate) fn postponed(&self, id: EndpointId, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self.by_id.get(&id) {
            Some(entry) if !entry.circuit.is_closed() => {
                entry.circuit.ready_at(now).map(|ready_at| ready_at.max(at))
            }
            _ => Some(at),
        }
    }

    pub(crate) fn forget(&mut self, id: EndpointId) {
        if let Some(entry) = self.by_id.remove(&id) {
            self.open -= usize::from(entry.circuit.is_open());
            self.probing -= usize::from(entry.circuit.is_probing());
        }
    }

    /// Forgets what is of another receiver.
    pub(crate) fn keep_of(&mut self, id: EndpointId, receiver: &Receiver) {
        if self.by_id.get(&id).is_some_and(|entry| entry.receiver != *receiver) {
            self.forget(id);
        }
    }

    /// The one way to a circuit: keeps the counts true.
    fn change<R>(&mut self, id: EndpointId, change: impl FnOnce(&mut Circuit) -> R) -> Option<R> {
        let entry = self.by_id.get_mut(&id)?;
        entry.circuit.share_among(self.nodes);
        let (was_open, was_probing) = (entry.circuit.is_open(), entry.circuit.is_probing());
        let result = change(&mut entry.circuit);
        let (is_open, is_probing) = (entry.circuit.is_open(), entry.circuit.is_probing());
        self.open = self.open + usize::from(is_open) - usize::from(was_open);
        self.probing = self.probing + usize::from(is_probing) - usize::from(was_probing);
        Some(result)
    }

    fn note(&mut self, id: EndpointId, change: Change) {
        let Some(entry) = self.by_id.get(&id) else { return };
        if change != Change::Nothing {
            let (receiver, failing) = (entry.receiver.clone(), entry.circuit.failing());
            self.notes.push(HealthNote { endpoint_id: id, receiver, failing });
        }
        self.forget_healthy(id);
    }

    /// Forgets a circuit of which there is nothing more to know.
    fn forget_healthy(&mut self, id: EndpointId) {
        let Some(entry) = self.by_id.get(&id) else { return };
        if entry.circuit.is_closed() && entry.circuit.run().is_none() {
            self.by_id.remove(&id);
        }
    }
}

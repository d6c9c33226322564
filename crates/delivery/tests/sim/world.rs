//! What all parts of a history share: its time and chance, what was seen so far, and what went against a promise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::endpoint::Endpoint;
use domain::id::{DeliveryId, EndpointId, IdSource};
use parking_lot::{Mutex, MutexGuard};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

use crate::plan::{Mood, Plan, Rates};
use crate::support::Call;
use crate::time::Time;

/// More than any history needs: beyond it something spins.
const STEPS_MAX: u64 = 2_000_000;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) time: Time,
    pub(crate) ids: Arc<IdSource>,
    pub(crate) died: Notify,
    /// Whatever is slow on its way gets there.
    pub(crate) calmed: Notify,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
pub(crate) struct Seen {
    time: Time,
    pub(crate) random: SmallRng,
    pub(crate) rates: Rates,
    pub(crate) away_until_ms: i64,
    pub(crate) moods: Vec<Mood>,
    pub(crate) trace: Vec<String>,
    pub(crate) faults: Vec<String>,
    pub(crate) steps: u64,
    pub(crate) dies_at_step: Option<u64>,
    pub(crate) is_dead: bool,
    /// From 1: the process that lives.
    pub(crate) generation: u32,
    pub(crate) endpoints: Vec<EndpointId>,
    /// In order of their making, for the trace.
    pub(crate) numbers: BTreeMap<DeliveryId, usize>,
    pub(crate) flights: BTreeMap<DeliveryId, Flight>,
    pub(crate) in_flight_most: usize,
    /// Requests by delivery, process and attempt.
    pub(crate) requests: BTreeMap<(DeliveryId, u32, u32), u32>,
    /// What receivers answered to which attempt.
    pub(crate) answers: BTreeSet<(DeliveryId, u32, u16)>,
    /// Answers per endpoint in the life of this process.
    pub(crate) answered: BTreeMap<EndpointId, usize>,
    /// Endpoints as they were asked when they answered 410, and by which process.
    pub(crate) gone: Vec<(Arc<Endpoint>, u32)>,
    /// Calls on their way to the store.
    pub(crate) on_the_way: BTreeMap<u64, Call>,
    /// Deliveries that the store says are held, whose holder has not heard of it yet.
    pub(crate) unheard: Vec<DeliveryId>,
    /// Of those, the ones whose holder never will: only the next process finds them.
    pub(crate) stranded: BTreeSet<DeliveryId>,
    pub(crate) acknowledged: BTreeSet<DeliveryId>,
    /// Cancelled, and when the engine was told.
    pub(crate) cancelled: BTreeMap<DeliveryId, i64>,
    pub(crate) tests: BTreeSet<DeliveryId>,
    /// Waits of the longest and of the shortest schedule that was ever in force.
    pub(crate) waits: (usize, usize),
    pub(crate) set_back_ms: i64,
}

/// A request that is being made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    pub(crate) endpoint_id: EndpointId,
    pub(crate) number: u32,
    pub(crate) began_ms: i64,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let time = Time::default();
        let seen = Seen {
            time: time.clone(),
            random: SmallRng::seed_from_u64(!plan.seed),
            rates: plan.rates,
            moods: vec![Mood::Healthy; plan.endpoints],
            waits: (plan.waits_s.len(), plan.waits_s.len()),
            away_until_ms: 0,
            trace: Vec::new(),
            faults: Vec::new(),
            steps: 0,
            dies_at_step: None,
            is_dead: false,
            generation: 0,
            endpoints: Vec::new(),
            numbers: BTreeMap::new(),
            flights: BTreeMap::new(),
            in_flight_most: 0,
            requests: BTreeMap::new(),
            answers: BTreeSet::new(),
            answered: BTreeMap::new(),
            gone: Vec::new(),
            on_the_way: BTreeMap::new(),
            unheard: Vec::new(),
            stranded: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            cancelled: BTreeMap::new(),
            tests: BTreeSet::new(),
            set_back_ms: 0,
        };
        let ids = Arc::new(IdSource::seeded(plan.seed));
        Self { time, ids, died: Notify::new(), calmed: Notify::new(), seen: Mutex::new(seen) }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }

    /// A moment at which the process may die. Then nothing of it comes after: this never returns.
    pub(crate) async fn step(&self) {
        if !self.lives_on() {
            std::future::pending::<()>().await;
        }
    }

    fn lives_on(&self) -> bool {
        let mut seen = self.seen();
        if seen.is_dead {
            return false;
        }
        seen.steps += 1;
        if seen.steps > STEPS_MAX {
            seen.fault("it spins: there is no end to its steps");
        }
        if seen.dies_at_step.is_some_and(|at| seen.steps >= at) || seen.steps > STEPS_MAX {
            seen.die();
            self.died.notify_one();
        }
        !seen.is_dead
    }

    pub(crate) async fn pause(&self, ms: u64) {
        if ms > 0 {
            crate::time::pass(std::time::Duration::from_millis(ms)).await;
        }
    }
}

impl Seen {
    pub(crate) fn say(&mut self, what: impl std::fmt::Display) {
        if !self.is_dead {
            self.trace.push(format!("{:>9} p{} {what}", self.time.elapsed_ms(), self.generation));
        }
    }

    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.time.elapsed_ms()
    }

    /// Something that was promised does not hold.
    pub(crate) fn fault(&mut self, what: impl std::fmt::Display) {
        self.say(format_args!("FAULT: {what}"));
        self.faults.push(what.to_string());
    }

    /// The process dies where it stands.
    pub(crate) fn die(&mut self) {
        self.say("dies");
        self.is_dead = true;
    }

    pub(crate) fn chance(&mut self, of_a_thousand: u32) -> bool {
        of_a_thousand > 0 && self.random.random_range(0..1_000) < of_a_thousand
    }

    /// From 0 to below `n`.
    pub(crate) fn pick(&mut self, n: usize) -> usize {
        self.random.random_range(0..n.max(1))
    }

    pub(crate) fn delivery(&self, id: DeliveryId) -> String {
        self.numbers.get(&id).map_or_else(|| id.to_string(), |number| format!("d{number}"))
    }

    pub(crate) fn place(&self, id: EndpointId) -> usize {
        self.endpoints.iter().position(|known| *known == id).unwrap_or(usize::MAX)
    }
}

//! Fair queues in memory: one lane per endpoint that has work, and the limits that keep a dead neighbour harmless.
//!
//! Pure: no clock, no task, no store; one short lock around it, in `engine`. Lanes take turns, one request each. What a
//! lane or a tenant may take shrinks with what is left for all (dynamic thresholds: Choudhury and Hahne, 1998), so
//! that there is always some left for one that comes later, however many others hang. What is published in a burst may
//! fill a lane further, from a part of the memory that is nobody's share. An endpoint that fails waits for its
//! circuit (`circuits`), without a place or a slot here.

mod bounds;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use domain::endpoint::Endpoint;
use domain::health::{Allowance, Change, Failing, Receiver, share_of};
use domain::id::{DeliveryId, EndpointId};
use domain::limits;
use domain::scope::Owner;
use domain::time::Timestamp;
use store::healths::HealthNote;
use store::queue::ClaimedDelivery;

pub(crate) use self::bounds::Bounds;
use crate::circuits::{Circuits, Told};
use crate::request::Prepared;

/// A lane's share of the places and slots that are free.
const LANE_SLOT_SHARE: usize = 8;
/// This share of all slots is for the first attempts of lanes that have none running.
const NEWCOMER_SHARE: usize = 4;
/// This share of all slots is the most that probes of open circuits take.
const PROBES_SHARE: usize = 4;
/// A lane begins with so many slots and gets one more for each answer.
const LANE_SLOTS_FIRST: usize = 8;
/// So many lanes without work are kept, with what was prepared and learnt of their receivers.
const IDLE_LANES_MAX: usize = 1_024;
const LANE_PLACE_SHARE: usize = 64;
const LANE_BYTE_SHARE: usize = 4;

/// All lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    bounds: Bounds,
    lanes: HashMap<EndpointId, Lane>,
    circuits: Circuits,
    /// Lanes that have a delivery and a slot of their own left, in turn.
    ready: VecDeque<EndpointId>,
    /// Attempts running, by the endpoint's owner.
    tenants: HashMap<Owner, usize>,
    idle_lanes: usize,
    in_flight: usize,
    /// Waiting, reserved, in flight and unrecorded.
    claimed: usize,
    claimed_bytes: usize,
    unrecorded: usize,
    closed: bool,
    /// A claim found no room, and since then some was freed.
    starved: bool,
    relieved: bool,
}

#[derive(Debug)]
struct Lane {
    owner: Owner,
    prepared: Option<Arc<Prepared>>,
    waiting: VecDeque<ClaimedDelivery>,
    reserved: usize,
    in_flight: usize,
    /// Halved by an attempt that ran into its time limit, one more for each that was answered. While the circuit is not
    /// closed it begins at 1, with one more for each success.
    in_flight_max: usize,
    is_ready: bool,
    /// Counted in `idle_lanes`.
    is_idle: bool,
    /// The store holds more that is due.
    more_due: bool,
    /// It was so when last asked. What is published then may fill half of the lane only, so that it cannot keep what is
    /// due for longer out for ever.
    is_behind: bool,
}

/// A delivery whose attempt may begin, in a slot that is now taken.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) delivery: ClaimedDelivery,
    /// What was prepared for this lane before, if anything.
    pub(crate) prepared: Option<Arc<Prepared>>,
    pub(crate) refill: Refill,
}

/// Whether the store should now be asked for more of this lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refill {
    Yes,
    No,
}

/// How many deliveries of a lane may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    /// Kept until [`Lanes::granted`].
    Reserved(usize),
    /// The lane says so (`Refill`) when it has places again.
    LaneFull,
    /// The circuit wants nothing yet.
    NotBefore(Timestamp),
    /// There is no room in memory for anybody; see [`Lanes::take_relief`].
    AllFull,
}

/// What an attempt says of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Answered,
    /// It held its slot until the time limit.
    TimedOut,
    Other,
}

/// The end of an attempt.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) pace: Pace,
    pub(crate) told: Told,
    pub(crate) at: Timestamp,
}

/// What follows from the end of an attempt.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) refill: Refill,
    /// The circuit opened: what waited in the lane, to be released.
    pub(crate) drained: Vec<ClaimedDelivery>,
    /// The endpoint has done nothing but fail, for days.
    pub(crate) ends_endpoint: bool,
}

/// What a claim led to.
#[derive(Debug)]
pub(crate) struct TakenIn {
    /// To be released: the lanes were closed, or the circuit opened.
    pub(crate) refused: Vec<ClaimedDelivery>,
    pub(crate) refill: Refill,
}

impl Lanes {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lanes: HashMap::new(),
            circuits: Circuits::new((bounds.in_flight / PROBES_SHARE).max(1)),
            ready: VecDeque::new(),
            tenants: HashMap::new(),
            idle_lanes: 0,
            in_flight: 0,
            claimed: 0,
            claimed_bytes: 0,
            unrecorded: 0,
            closed: false,
            starved: false,
            relieved: false,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }
    pub(crate) fn claimed(&self) -> usize {
        self.claimed
    }
    pub(crate) fn unrecorded(&self) -> usize {
        self.unrecorded
    }

    /// So many nodes send to the same endpoints.
    pub(crate) fn share_among(&mut self, nodes: usize) {
        self.circuits.share_among(nodes);
    }

    pub(crate) fn circuits(&self) -> &Circuits {
        &self.circuits
    }
    pub(crate) fn take_notes(&mut self) -> Vec<HealthNote> {
        self.circuits.take_notes()
    }

    /// An endpoint that failed when a process before this one ended.
    pub(crate) fn resume(&mut self, id: EndpointId, receiver: Receiver, failing: Failing, now: Timestamp) {
        self.circuits.resume(id, receiver, failing, now);
    }

    /// What another node made of the endpoint's circuit. Gives what waits in the lane if that opened it, to be released.
    pub(crate) fn heard(
        &mut self,
        id: EndpointId,
        standing: (Receiver, Option<Failing>),
        now: Timestamp,
        jitter: f64,
    ) -> Vec<ClaimedDelivery> {
        let change = self.circuits.heard(id, standing, now, jitter);
        if let Some(lane) = self.lanes.get_mut(&id).filter(|_| !self.circuits.is_closed(id)) {
            lane.in_flight_max = 1;
        }
        if change == Change::Opened { self.drain(id) } else { Vec::new() }
    }

    /// Forgets the health of an endpoint that is no longer this receiver; `None`: that is sent nothing any more.
    pub(crate) fn keep_health_of(&mut self, id: EndpointId, receiver: Option<&Receiver>) {
        match receiver {
            Some(receiver) => self.circuits.keep_of(id, receiver),
            None => self.circuits.forget(id),
        }
    }

    /// From when on a claim for something that is due at `at` is of use. `None`: when the lane says so (`Refill`).
    pub(crate) fn postpone(&mut self, id: EndpointId, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let postponed = self.circuits.postponed(id, at, now);
        match self.lanes.get_mut(&id).filter(|lane| postponed.is_none() && lane.has_work()) {
            Some(lane) => {
                lane.more_due = true;
                None
            }
            None => postponed.or(Some(at)),
        }
    }

    /// Keeps a place for one delivery.
    pub(crate) fn reserve(&mut self, endpoint: &Endpoint, payload_bytes: usize) -> bool {
        let has_place =
            self.places_of(endpoint.id) > 0 || self.has_place_for_burst(endpoint.id, payload_bytes);
        let keeps_out = self.closed || payload_bytes > self.byte_room() / LANE_BYTE_SHARE || !has_place;
        if keeps_out || self.must_let_older_in(endpoint.id) || !self.circuits.is_closed(endpoint.id) {
            return false;
        }
        self.lane(endpoint).reserved += 1;
        self.claimed += 1;
        self.claimed_bytes += payload_bytes;
        true
    }

    /// A reserved place is not needed after all.
    pub(crate) fn give_back(&mut self, id: EndpointId, payload_bytes: usize) -> Refill {
        self.free_claimed(1, payload_bytes);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.reserved = lane.reserved.saturating_sub(1);
        }
        self.settle(id)
    }

    /// The delivery of a reserved place. Comes back when the lanes are closed or the circuit has opened: it is to be released.
    pub(crate) fn enter(&mut self, delivery: ClaimedDelivery) -> Option<ClaimedDelivery> {
        let id = delivery.endpoint_id;
        match self.lanes.get_mut(&id) {
            Some(lane) if !self.closed && self.circuits.is_closed(id) => {
                lane.reserved = lane.reserved.saturating_sub(1);
                lane.waiting.push_back(delivery);
                self.line_up(id);
                None
            }
            _ => {
                let _ = self.give_back(id, delivery.payload.len());
                Some(delivery)
            }
        }
    }

    /// Reserves places for a claim of up to `wish` deliveries whose size is not known yet.
    pub(crate) fn reserve_claim(&mut self, endpoint: &Endpoint, wish: usize, now: Timestamp) -> Places {
        let room = (self.byte_room() / limits::EVENT_BYTES_MAX).min(self.room());
        if room == 0 || self.closed {
            self.starved = true;
            return Places::AllFull;
        }
        let held = self.lanes.get(&endpoint.id).map_or(0, Lane::held);
        let allowed = match self.circuits.allowance(endpoint.id, now, held) {
            Allowance::All => wish,
            Allowance::UpTo(count) => wish.min(count as usize),
            Allowance::NotBefore(at) => return Places::NotBefore(at),
            Allowance::WhenEnded => 0,
        };
        let places = self.places_of(endpoint.id).min(room).min(allowed);
        let lane = self.lane(endpoint);
        if places == 0 {
            // Then the lane has work: a place comes free, and with it the wish for more.
            (lane.more_due, lane.is_behind) = (true, true);
            return Places::LaneFull;
        }
        lane.is_behind = false;
        lane.reserved += places;
        self.circuits.take(endpoint.id, places);
        self.claimed += places;
        self.claimed_bytes += places * limits::EVENT_BYTES_MAX;
        Places::Reserved(places)
    }

    /// What a claim brought for its reserved places.
    pub(crate) fn granted(
        &mut self,
        id: EndpointId,
        places: usize,
        deliveries: Vec<ClaimedDelivery>,
    ) -> TakenIn {
        let bytes: usize = deliveries.iter().map(|delivery| delivery.payload.len()).sum();
        self.free_claimed(places, places * limits::EVENT_BYTES_MAX);
        self.circuits.give_back(id, places.saturating_sub(deliveries.len()));
        let keeps_out = self.closed || self.circuits.is_pausing(id);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return TakenIn { refused: deliveries, refill: Refill::No };
        };
        lane.reserved = lane.reserved.saturating_sub(places);
        if keeps_out {
            return TakenIn { refused: deliveries, refill: self.settle(id) };
        }
        self.claimed += deliveries.len();
        self.claimed_bytes += bytes;
        lane.waiting.extend(deliveries);
        self.line_up(id);
        TakenIn { refused: Vec::new(), refill: self.settle(id) }
    }

    /// The store holds nothing of the endpoint that is due.
    pub(crate) fn caught_up(&mut self, id: EndpointId) {
        self.circuits.caught_up(id);
    }

    /// The next delivery whose turn it is, if any may start now.
    pub(crate) fn start(&mut self) -> Option<Start> {
        if self.is_halted() {
            return None;
        }
        for _ in 0..self.ready.len() {
            let id = self.ready.pop_front()?;
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.is_ready = false;
            }
            let start = self.start_of(id);
            self.line_up(id);
            if start.is_some() {
                return start;
            }
        }
        None
    }

    /// The attempt is over: its slot is free, its outcome waits to be recorded.
    pub(crate) fn finished(&mut self, id: EndpointId, ended: Ended) -> Finished {
        let Ended { mut pace, told, at } = ended;
        self.unrecorded += 1;
        if !matches!(told, Told::Succeeded(_)) && pace == Pace::Answered && !self.circuits.is_closed(id) {
            pace = Pace::Other;
        }
        let is_failure = matches!(told, Told::Failed { .. });
        let change = self.circuits.tell(id, told, at);
        let drained = if change == Change::Opened { self.drain(id) } else { Vec::new() };
        let refill = self.leave_slot(id, pace);
        let ends_endpoint = is_failure && self.circuits.ends(id, at);
        if change == Change::Nothing {
            return Finished { refill, drained, ends_endpoint };
        }
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.in_flight_max = 1;
        }
        Finished { refill: Refill::Yes, drained, ends_endpoint }
    }

    /// The attempt did not take place: its slot is free, the delivery is to be released.
    pub(crate) fn abandoned(&mut self, id: EndpointId, payload_bytes: usize) -> Refill {
        self.free_claimed(1, payload_bytes);
        self.leave_slot(id, Pace::Other)
    }

    /// Outcomes were recorded, with so many payload bytes in all.
    pub(crate) fn recorded(&mut self, count: usize, payload_bytes: usize) {
        self.unrecorded = self.unrecorded.saturating_sub(count);
        self.free_claimed(count, payload_bytes);
    }

    pub(crate) fn keep_prepared(&mut self, prepared: &Arc<Prepared>) {
        if let Some(lane) = self.lanes.get_mut(&prepared.endpoint.id) {
            lane.prepared = Some(Arc::clone(prepared));
        }
    }

    /// Takes out all that wait in the lane, to be released.
    pub(crate) fn drain(&mut self, id: EndpointId) -> Vec<ClaimedDelivery> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Vec::new() };
        let drained = Vec::from(std::mem::take(&mut lane.waiting));
        (lane.more_due, lane.is_behind) = (false, false);
        let bytes = drained.iter().map(|delivery| delivery.payload.len()).sum();
        self.free_claimed(drained.len(), bytes);
        let _ = self.settle(id);
        drained
    }

    /// Forgets one that waits in the lane, if it does: the store holds it no longer.
    pub(crate) fn remove(&mut self, id: EndpointId, delivery_id: DeliveryId) -> Refill {
        let Some(lane) = self.lanes.get_mut(&id) else { return Refill::No };
        let place = lane.waiting.iter().position(|waiting| waiting.id == delivery_id);
        let Some(removed) = place.and_then(|place| lane.waiting.remove(place)) else { return Refill::No };
        self.free_claimed(1, removed.payload.len());
        self.settle(id)
    }

    /// Nothing enters or starts any more. Gives what waits, to be released.
    pub(crate) fn close(&mut self) -> Vec<ClaimedDelivery> {
        self.closed = true;
        let mut ids: Vec<EndpointId> = self.lanes.keys().copied().collect();
        // So that the same history goes the same way, whatever the map's order.
        ids.sort_unstable();
        ids.into_iter().flat_map(|id| self.drain(id)).collect()
    }

    /// Whether there is room again after a claim found none.
    pub(crate) fn take_relief(&mut self) -> bool {
        std::mem::take(&mut self.relieved)
    }

    fn byte_room(&self) -> usize {
        self.bounds.claimed_bytes.saturating_sub(self.claimed_bytes)
    }

    fn room(&self) -> usize {
        self.bounds.claimed.saturating_sub(self.claimed)
    }

    /// How many more deliveries the lane may hold.
    fn places_of(&self, id: EndpointId) -> usize {
        let room = self.room();
        let max = self.bounds.lane_deliveries.min((room / LANE_PLACE_SHARE).max(1)).min(room);
        max.saturating_sub(self.in_memory(id))
    }

    /// Whether the lane may hold one more than `places_of` says: what is published at once is then spared the way through
    /// the store, which costs more than the delivery. Not while other nodes could help with it.
    fn has_place_for_burst(&self, id: EndpointId, payload_bytes: usize) -> bool {
        let room = self.room().saturating_sub(self.bounds.spare);
        let byte_room = self.byte_room().saturating_sub(self.bounds.spare_bytes);
        self.circuits.nodes() == 1 && self.in_memory(id) < room && payload_bytes <= byte_room
    }

    fn in_memory(&self, id: EndpointId) -> usize {
        self.lanes.get(&id).map_or(0, Lane::in_memory)
    }

    /// Whether the places that are left are for what the store holds.
    fn must_let_older_in(&self, id: EndpointId) -> bool {
        let low = self.low();
        self.lanes.get(&id).is_some_and(|lane| lane.is_behind && lane.in_memory() >= low)
    }

    /// A lane with more than this waiting does not ask for more.
    fn low(&self) -> usize {
        self.bounds.lane_deliveries / 2
    }

    /// The endpoint's lane, about to have work.
    fn lane(&mut self, endpoint: &Endpoint) -> &mut Lane {
        let is_closed = self.circuits.is_closed(endpoint.id);
        let first = share_of(self.bounds.in_flight_per_lane.min(LANE_SLOTS_FIRST), self.circuits.nodes());
        let in_flight_max = if is_closed { first } else { 1 };
        let lane = self.lanes.entry(endpoint.id).or_insert_with(|| Lane {
            owner: endpoint.owner.clone(),
            prepared: None,
            waiting: VecDeque::new(),
            reserved: 0,
            in_flight: 0,
            in_flight_max,
            is_ready: false,
            is_idle: false,
            more_due: false,
            is_behind: false,
        });
        self.idle_lanes -= usize::from(std::mem::take(&mut lane.is_idle));
        lane
    }

    fn line_up(&mut self, id: EndpointId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if !lane.is_ready && !lane.waiting.is_empty() && lane.in_flight < lane.in_flight_max {
            lane.is_ready = true;
            self.ready.push_back(id);
        }
    }

    /// This node's share, always and not only after a failure: the bound is a promise to the receiver.
    fn in_flight_per_lane(&self) -> usize {
        share_of(self.bounds.in_flight_per_lane, self.circuits.nodes())
    }

    fn is_halted(&self) -> bool {
        self.closed || self.in_flight >= self.bounds.in_flight || self.unrecorded >= self.bounds.unrecorded
    }

    fn start_of(&mut self, id: EndpointId) -> Option<Start> {
        let slots = self.bounds.in_flight - self.in_flight;
        let shared = slots.saturating_sub(self.bounds.in_flight / NEWCOMER_SHARE);
        let most = self.in_flight_per_lane();
        let lane = self.lanes.get_mut(&id)?;
        let lane_max = lane.in_flight_max.min(most).min((shared / LANE_SLOT_SHARE).max(1));
        let of_tenant = self.tenants.get(&lane.owner).copied().unwrap_or(0);
        if lane.in_flight >= lane_max || of_tenant >= slots {
            return None;
        }
        let delivery = lane.waiting.pop_front()?;
        lane.in_flight += 1;
        let prepared = lane.prepared.clone();
        *self.tenants.entry(lane.owner.clone()).or_default() += 1;
        self.in_flight += 1;
        let refill = self.refill(id);
        Some(Start { delivery, prepared, refill })
    }

    fn leave_slot(&mut self, id: EndpointId, pace: Pace) -> Refill {
        self.in_flight -= 1;
        let most = self.in_flight_per_lane();
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.in_flight -= 1;
            lane.in_flight_max = match pace {
                Pace::Answered => (lane.in_flight_max + 1).min(most),
                Pace::TimedOut => (lane.in_flight_max / 2).max(1),
                Pace::Other => lane.in_flight_max,
            };
            if let Some(of_tenant) = self.tenants.get_mut(&lane.owner) {
                *of_tenant -= 1;
                if *of_tenant == 0 {
                    self.tenants.remove(&lane.owner);
                }
            }
        }
        self.line_up(id);
        self.settle(id)
    }

    fn free_claimed(&mut self, count: usize, bytes: usize) {
        self.claimed = self.claimed.saturating_sub(count);
        self.claimed_bytes = self.claimed_bytes.saturating_sub(bytes);
        if self.starved && self.byte_room() >= limits::EVENT_BYTES_MAX {
            (self.starved, self.relieved) = (false, true);
        }
    }

    /// Asks for more while half a lane still waits, so that a busy lane does not run dry.
    fn refill(&mut self, id: EndpointId) -> Refill {
        let low = self.low();
        match self.lanes.get_mut(&id) {
            Some(lane) if lane.more_due && lane.in_memory() <= low => {
                lane.more_due = false;
                Refill::Yes
            }
            _ => Refill::No,
        }
    }

    /// After something left the lane: asks for more. Lanes without work are forgotten when there are many.
    fn settle(&mut self, id: EndpointId) -> Refill {
        let refill = self.refill(id);
        if let Some(lane) = self.lanes.get_mut(&id).filter(|lane| !lane.is_idle && !lane.has_work()) {
            lane.is_idle = true;
            self.idle_lanes += 1;
            self.circuits.nothing_is_held(id);
        }
        if self.idle_lanes > IDLE_LANES_MAX {
            self.lanes.retain(|_, lane| !lane.is_idle);
            self.idle_lanes = 0;
        }
        refill
    }
}

impl Lane {
    fn has_work(&self) -> bool {
        self.held() > 0
    }

    fn held(&self) -> usize {
        self.in_memory() + self.in_flight
    }

    /// Beside those in flight, with the places that are kept.
    fn in_memory(&self) -> usize {
        self.waiting.len() + self.reserved
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! The receivers, as a transport without sockets. Each request is checked when it begins, and watched until it ends.

use std::sync::Arc;

use domain::endpoint::Endpoint;
use domain::id::DeliveryId;
use domain::limits::{ATTEMPT_TIMEOUT_MS, IN_FLIGHT_MAX, IN_FLIGHT_PER_ENDPOINT};
use domain::outcome::{Failure, Phase};
use hoopoe_delivery::{Outgoing, Progress, Transport, TransportFuture};
use http::{HeaderMap, HeaderValue, StatusCode};
use store::Store as _;

use crate::plan::Mood;
use crate::support::{FakeStore, State};
use crate::world::{Flight, Seen, World};

/// By the clock, or by the machine's own steady time when the clock was set back.
const FLIGHT_MS_MAX: i64 = ATTEMPT_TIMEOUT_MS + 1_000;
/// A lane begins with so many attempts at once and gets one more for each answer.
const LANE_SLOTS_FIRST: usize = 8;

#[derive(Debug)]
pub(crate) struct Receivers {
    pub(crate) world: Arc<World>,
    pub(crate) store: Arc<FakeStore>,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
enum Reaction {
    Status(u16),
    RetryAfter(u16, String),
    /// A status, and a body that does not end.
    Endless(u16),
    Fails(Failure),
    /// This machine has no socket left.
    NoSocket,
    Hangs,
    /// A fault of ours.
    Panics,
}

impl Transport for Receivers {
    fn exchange<'a>(&'a self, outgoing: &'a Outgoing, progress: &'a Arc<Progress>) -> TransportFuture<'a> {
        Box::pin(async move {
            self.world.step().await;
            let (flight, asked, reaction, delay_ms) = self.begin(outgoing);
            progress.enter(Phase::Waiting);
            self.world.pause(delay_ms).await;
            self.world.step().await;
            let (id, number) = (flight.id, flight.number);
            let mut headers = HeaderMap::new();
            let status = match &reaction {
                Reaction::Status(status) | Reaction::Endless(status) => *status,
                Reaction::RetryAfter(status, value) => {
                    headers.insert("retry-after", HeaderValue::from_str(value).expect("it is ASCII"));
                    *status
                }
                Reaction::Fails(failure) => return Err(failure.clone()),
                Reaction::NoSocket => {
                    progress.out_of_resources();
                    return Err(Failure::Connect("the connection failed".to_owned()));
                }
                Reaction::Hangs => std::future::pending().await,
                Reaction::Panics => std::panic::resume_unwind(Box::new("the simulation says so")),
            };
            self.world.seen().answer((id, number), status, asked);
            self.world.step().await;
            progress.answered(StatusCode::from_u16(status).expect("a status"), headers);
            if matches!(reaction, Reaction::Endless(_)) {
                std::future::pending::<()>().await;
            }
            progress.body_ended();
            Ok(())
        })
    }
}

impl Receivers {
    fn begin(&self, outgoing: &Outgoing) -> (Landing<'_>, Option<Arc<Endpoint>>, Reaction, u64) {
        let header = |name: &str| outgoing.headers[name].to_str().expect("it is ASCII");
        let id: DeliveryId = header("x-wl-delivery").parse().expect("an id");
        let number: u32 = header("x-wl-attempt").parse().expect("a number");
        let host = &outgoing.target.origin.host;
        let place: usize = host[1..host.find(['.', '-']).unwrap_or(host.len())].parse().expect("a place");
        self.store.change(|state| {
            let mut seen = self.world.seen();
            let endpoint_id = seen.endpoints[place];
            let asked = self.store.routes().endpoint(endpoint_id);
            let is_test = seen.tests.contains(&id);
            let (reaction, delay_ms) = seen.reaction(place);
            let name = seen.delivery(id);
            seen.say(format_args!(
                "{name} attempt {number} is sent to {host}: {reaction:?} after {delay_ms} ms"
            ));
            if !is_test {
                seen.must_be_wanted(&name, asked.as_deref(), host);
                seen.must_be_held(&name, id, number, state);
                let began_ms = seen.elapsed_ms();
                seen.begin(id, Flight { endpoint_id, number, began_ms }, &reaction);
            }
            (Landing { world: &self.world, id, number, is_test }, asked, reaction, delay_ms)
        })
    }
}

/// Ends the flight when the request's future is dropped.
struct Landing<'a> {
    world: &'a World,
    id: DeliveryId,
    number: u32,
    is_test: bool,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut seen = self.world.seen();
        if self.is_test || seen.is_dead {
            return;
        }
        let Some(flight) = seen.flights.remove(&self.id) else { return };
        let took_ms = seen.elapsed_ms() - flight.began_ms;
        let name = seen.delivery(self.id);
        seen.say(format_args!("{name} attempt {} is over after {took_ms} ms", self.number));
        if took_ms > FLIGHT_MS_MAX {
            seen.fault(format_args!("{name} was in flight for {took_ms} ms"));
        }
        *seen.answered.entry(flight.endpoint_id).or_default() += 1;
    }
}

impl Seen {
    fn must_be_wanted(&mut self, name: &str, endpoint: Option<&Endpoint>, host: &str) {
        let is_wanted = endpoint
            .is_some_and(|endpoint| endpoint.is_enabled() && *endpoint.url == format!("https://{host}/"));
        if !is_wanted {
            self.fault(format_args!("{name} is sent to {host}, which the endpoint no longer wants"));
        }
    }

    fn must_be_held(&mut self, name: &str, id: DeliveryId, number: u32, state: &State) {
        match state.rows.get(&id) {
            Some(row) if row.is_held && row.delivery.claim.0 > state.claim_before.0 => {
                if row.delivery.attempt_count + 1 != number {
                    self.fault(format_args!("{name} is sent with a wrong number"));
                }
            }
            Some(_) => self.fault(format_args!("{name} is sent and not held")),
            // One whose attempt had begun at that moment is not called back.
            None if self.cancelled.get(&id).is_some_and(|told_ms| *told_ms < self.elapsed_ms()) => {
                self.fault(format_args!("{name} is sent after it was cancelled"));
            }
            None if state.ended.contains_key(&id) => {}
            None => self.fault(format_args!("{name} is sent and not stored")),
        }
    }

    fn begin(&mut self, id: DeliveryId, flight: Flight, reaction: &Reaction) {
        let name = self.delivery(id);
        if self.flights.insert(id, flight).is_some() {
            self.fault(format_args!("{name} is sent twice at once"));
        }
        let of_endpoint =
            self.flights.values().filter(|other| other.endpoint_id == flight.endpoint_id).count();
        let learnt = LANE_SLOTS_FIRST + self.answered.get(&flight.endpoint_id).copied().unwrap_or(0);
        if of_endpoint > learnt.min(IN_FLIGHT_PER_ENDPOINT) || self.flights.len() > IN_FLIGHT_MAX {
            self.fault(format_args!(
                "{of_endpoint} of one endpoint and {} in all are in flight",
                self.flights.len()
            ));
        }
        self.in_flight_most = self.in_flight_most.max(self.flights.len());
        // Only what counts as an attempt has its number used up.
        if !matches!(reaction, Reaction::NoSocket | Reaction::Panics) {
            let times = self.requests.entry((id, self.generation, flight.number)).or_default();
            *times += 1;
            if *times > 1 {
                self.fault(format_args!("{name} attempt {} is made twice by one process", flight.number));
            }
        }
    }

    fn answer(&mut self, (id, number): (DeliveryId, u32), status: u16, asked: Option<Arc<Endpoint>>) {
        let name = self.delivery(id);
        self.say(format_args!("{name} attempt {number} is answered {status}"));
        self.answers.insert((id, number, status));
        if let Some(asked) = asked.filter(|_| status == 410 && !self.tests.contains(&id)) {
            let generation = self.generation;
            self.gone.push((asked, generation));
        }
    }

    fn reaction(&mut self, place: usize) -> (Reaction, u64) {
        let soon_ms = self.pick(200) as u64;
        let late_ms = 9_950 + self.pick(100) as u64;
        let mood = if self.moods[place] == Mood::Flaky { self.flake() } else { self.moods[place] };
        match mood {
            Mood::Healthy | Mood::Flaky => (Reaction::Status([200, 204][self.pick(2)]), soon_ms),
            Mood::Failing => (Reaction::Status([500, 404, 301][self.pick(3)]), soon_ms),
            Mood::Slow => (Reaction::Status(200), late_ms),
            Mood::Hanging => match self.pick(3) {
                0 => (Reaction::Endless([200, 500][self.pick(2)]), soon_ms),
                _ => (Reaction::Hangs, soon_ms),
            },
            Mood::Throttling => (Reaction::RetryAfter(429, self.pick(600).to_string()), soon_ms),
            Mood::Unreachable => (self.unreachable(), soon_ms),
            Mood::Gone => (Reaction::Status(410), soon_ms),
        }
    }

    fn flake(&mut self) -> Mood {
        const FLAKES: [Mood; 6] =
            [Mood::Healthy, Mood::Healthy, Mood::Failing, Mood::Slow, Mood::Hanging, Mood::Unreachable];
        FLAKES[self.pick(6)]
    }

    fn unreachable(&mut self) -> Reaction {
        match self.pick(8) {
            0 => Reaction::NoSocket,
            1 => Reaction::Panics,
            2 => Reaction::Fails(Failure::Dns("no such name".to_owned())),
            3 => Reaction::Fails(Failure::Protocol("nonsense".to_owned())),
            4 => Reaction::Fails(Failure::Blocked { for_good: false }),
            _ => Reaction::Fails(Failure::Connect("the connection was refused".to_owned())),
        }
    }
}

//! The circuit of one endpoint: closed while it answers, open while it fails, and slowly closed again.
//!
//! Deliveries that wait for an open circuit use no attempt and no slot. After a pause one attempt at a time, a probe, tests
//! the receiver; each that fails doubles the pause. The first success, of a probe or of an attempt that ran when the circuit
//! opened, releases what waited: few a second at first, twice as many every second, up to a bound.
//!
//! Several nodes keep one circuit between them: each hears what another made of it ([`Circuit::heard`]). Who found the receiver
//! failing probes it; the others stand by until that is overdue, and release their share.

use super::{FailedRun, Failing, LastFailure};
use crate::limits::{
    ATTEMPT_TIMEOUT_MS, CIRCUIT_PAUSE_MS_MAX, CIRCUIT_PAUSE_MS_MIN, CIRCUIT_STAND_BY_MS,
    CIRCUIT_STAND_BY_SPREAD_MS, RECOVERY_MS_MAX, RELEASE_PER_SECOND_FIRST, RELEASE_PER_SECOND_MAX,
    RELEASE_TICK_MS,
};
use crate::retry::JITTER;
use crate::time::Timestamp;

const TICKS_PER_SECOND: i64 = 1_000 / RELEASE_TICK_MS;

/// One endpoint's circuit. It knows neither the endpoint nor what waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circuit {
    state: State,
    /// The failures since the last success.
    run: Option<FailedRun>,
    /// That release what waits together; none counts as one.
    nodes: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    Open(Opening),
    /// A probe is on its way. Whatever ran when the circuit opened has ended before.
    Probing(Opening),
    Recovering {
        since: Timestamp,
        failed_probes: u32,
        release: Release,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opening {
    opened_at: Timestamp,
    /// No probe before.
    until: Timestamp,
    failed_probes: u32,
}

/// How many deliveries of the endpoint may be taken up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    All,
    /// At least one.
    UpTo(u32),
    NotBefore(Timestamp),
    /// When what is held of the endpoint has ended.
    WhenEnded,
}

/// What an attempt's end, or the end of a backlog, did to the circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Nothing,
    Opened,
    ProbeFailed,
    Recovering,
    Closed,
}

impl Circuit {
    /// After a restart: it was not closed, so it begins with a probe at once.
    pub fn resumed(failing: Failing, now: Timestamp) -> Self {
        let Failing { since, failed_probes, run, .. } = failing;
        Self { state: State::Open(Opening { opened_at: since, until: now, failed_probes }), run, nodes: 1 }
    }

    /// So many nodes send to the receiver.
    pub fn share_among(&mut self, nodes: usize) {
        self.nodes = nodes.try_into().unwrap_or(u32::MAX);
    }

    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Nothing is sent but probes.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_) | State::Probing(_))
    }

    pub fn is_probing(&self) -> bool {
        matches!(self.state, State::Probing(_))
    }

    pub fn is_recovering(&self) -> bool {
        matches!(self.state, State::Recovering { .. })
    }

    pub fn run(&self) -> Option<&FailedRun> {
        self.run.as_ref()
    }

    /// What is to be kept of it; `None` while it is closed.
    pub fn failing(&self) -> Option<Failing> {
        match self.state {
            State::Closed => None,
            State::Open(opening) | State::Probing(opening) => Some(Failing {
                since: opening.opened_at,
                failed_probes: opening.failed_probes,
                // While the probe runs nothing else is sent.
                held_until: opening.until.plus_millis(ATTEMPT_TIMEOUT_MS),
                run: self.run,
            }),
            State::Recovering { since, failed_probes, .. } => {
                Some(Failing { since, failed_probes, held_until: since, run: None })
            }
        }
    }

    /// What another node made of the same receiver. `jitter`: a random number from -1 to 1.
    pub fn heard(&mut self, failing: Option<Failing>, now: Timestamp, jitter: f64) -> Change {
        match (failing, &self.state) {
            (None, State::Closed) => Change::Nothing,
            (None, _) => {
                (self.state, self.run) = (State::Closed, None);
                Change::Closed
            }
            // What this node's own probe says comes later.
            (Some(Failing { run: Some(_), .. }), State::Probing(_)) => Change::Nothing,
            (Some(Failing { since, failed_probes, held_until, run: Some(run) }), state) => {
                let change =
                    if matches!(state, State::Open(_)) { Change::ProbeFailed } else { Change::Opened };
                let until = held_until.plus_millis(stand_by_ms(jitter));
                self.state = State::Open(Opening { opened_at: since, until, failed_probes });
                self.run = Some(run);
                change
            }
            (Some(Failing { run: None, .. }), State::Recovering { .. }) => Change::Nothing,
            (Some(Failing { since, failed_probes, run: None, .. }), _) => {
                let release = Release::begin(now, self.nodes);
                (self.state, self.run) = (State::Recovering { since, failed_probes, release }, None);
                Change::Recovering
            }
        }
    }

    pub fn succeeded(&mut self, now: Timestamp) -> Change {
        self.run = None;
        let failed_probes = match self.state {
            State::Closed | State::Recovering { .. } => return Change::Nothing,
            State::Open(opening) | State::Probing(opening) => opening.failed_probes,
        };
        self.state =
            State::Recovering { since: now, failed_probes, release: Release::begin(now, self.nodes) };
        Change::Recovering
    }

    /// `jitter`: a random number from -1 to 1.
    pub fn failed(&mut self, failure: LastFailure, now: Timestamp, jitter: f64) -> Change {
        let run = FailedRun::extended(self.run, failure, now);
        self.run = Some(run);
        let (opened_at, failed_probes, change) = match self.state {
            State::Closed if run.opens_a_circuit() => (now, 0, Change::Opened),
            // A receiver that answers a probe and then fails again is not asked as often as before.
            State::Recovering { failed_probes, .. } if run.opens_a_circuit() => {
                (now, failed_probes.saturating_add(1), Change::Opened)
            }
            State::Probing(opening) => {
                (opening.opened_at, opening.failed_probes.saturating_add(1), Change::ProbeFailed)
            }
            // Of an open circuit it began before; it says nothing new.
            State::Closed | State::Recovering { .. } | State::Open(_) => return Change::Nothing,
        };
        let until = now.plus_millis(pause_ms(failed_probes, jitter));
        self.state = State::Open(Opening { opened_at, until, failed_probes });
        change
    }

    /// `held`: deliveries of the endpoint that wait or are on their way here. A recovery that has lasted long enough ends
    /// with this question; see [`is_closed`](Self::is_closed).
    pub fn allowance(&mut self, now: Timestamp, held: usize) -> Allowance {
        match &mut self.state {
            State::Closed => Allowance::All,
            State::Open(opening) => match opening.ready_at(now) {
                at if at > now => Allowance::NotBefore(at),
                _ if held > 0 => Allowance::WhenEnded,
                _ => Allowance::UpTo(1),
            },
            State::Probing(_) => Allowance::WhenEnded,
            State::Recovering { release, .. } => {
                release.advance(now, self.nodes);
                if release.is_over() {
                    self.state = State::Closed;
                    return Allowance::All;
                }
                match release.tokens {
                    0 => Allowance::NotBefore(release.next_tick_at()),
                    tokens => Allowance::UpTo(tokens),
                }
            }
        }
    }

    /// When it is of use to ask for the allowance; `None`: when what is held has ended.
    pub fn ready_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.state {
            State::Closed => Some(now),
            State::Open(opening) => Some(opening.ready_at(now)),
            State::Probing(_) => None,
            State::Recovering { release, .. } if release.tokens > 0 => Some(now),
            // The clock may have been set back: whoever asks then sets the release right.
            State::Recovering { release, .. } => {
                Some(release.next_tick_at().min(now.plus_millis(RELEASE_TICK_MS)))
            }
        }
    }

    /// So many of the allowance are taken up.
    pub fn take(&mut self, count: u32) {
        match &mut self.state {
            State::Open(opening) => self.state = State::Probing(*opening),
            State::Recovering { release, .. } => release.tokens = release.tokens.saturating_sub(count),
            State::Closed | State::Probing(_) => {}
        }
    }

    /// So many that were taken up did not come, while it recovers.
    pub fn give_back(&mut self, count: u32) {
        if let State::Recovering { release, .. } = &mut self.state {
            release.tokens = release.tokens.saturating_add(count);
        }
    }

    /// Nothing of the endpoint is held any more. A probe that ended without an outcome may be made at once.
    pub fn nothing_is_held(&mut self) {
        if let State::Probing(opening) = self.state {
            self.state = State::Open(opening);
        }
    }

    /// There are too many probes elsewhere: this one waits for another pause.
    pub fn put_off(&mut self, now: Timestamp) -> Timestamp {
        let State::Open(opening) = &mut self.state else { return now };
        opening.until = now.plus_millis(pause_ms(opening.failed_probes, 0.0));
        opening.until
    }

    /// Nothing that is due waits any more.
    pub fn caught_up(&mut self) -> Change {
        if !self.is_recovering() {
            return Change::Nothing;
        }
        self.state = State::Closed;
        Change::Closed
    }
}

impl Opening {
    /// A pause that is longer than any, standing by included, was set by a clock that has since been set back.
    fn ready_at(&self, now: Timestamp) -> Timestamp {
        const LONGEST_MS: i64 =
            CIRCUIT_PAUSE_MS_MAX + ATTEMPT_TIMEOUT_MS + CIRCUIT_STAND_BY_MS + CIRCUIT_STAND_BY_SPREAD_MS;
        if self.until.since(now) > LONGEST_MS { now } else { self.until }
    }
}

/// Before the probe that follows so many failed ones.
pub fn pause_ms(failed_probes: u32, jitter: f64) -> i64 {
    let doubled = CIRCUIT_PAUSE_MS_MIN.saturating_mul(1 << failed_probes.min(32)).min(CIRCUIT_PAUSE_MS_MAX);
    let jittered = doubled as f64 * (1.0 + JITTER * jitter.clamp(-1.0, 1.0));
    (jittered.round() as i64).min(CIRCUIT_PAUSE_MS_MAX)
}

/// After the other node's probe should have been heard of.
fn stand_by_ms(jitter: f64) -> i64 {
    let share = f64::midpoint(jitter.clamp(-1.0, 1.0), 1.0);
    CIRCUIT_STAND_BY_MS + (CIRCUIT_STAND_BY_SPREAD_MS as f64 * share).round() as i64
}

/// The bounded, growing release of a backlog. What is not used within a second is forfeited, so that no burst follows a
/// receiver that was slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Release {
    began_at: Timestamp,
    ticks: i64,
    tokens: u32,
}

impl Release {
    fn begin(now: Timestamp, nodes: u32) -> Self {
        Self { began_at: now, ticks: 0, tokens: share_of_tick(0, nodes) }
    }

    fn advance(&mut self, now: Timestamp, nodes: u32) {
        let elapsed_ms = now.since(self.began_at);
        if elapsed_ms < self.ticks * RELEASE_TICK_MS {
            // The clock was set back: go on from here.
            self.began_at = now.plus_millis(-self.ticks * RELEASE_TICK_MS);
        }
        let ticks = (elapsed_ms.min(RECOVERY_MS_MAX)) / RELEASE_TICK_MS;
        while self.ticks < ticks {
            self.ticks += 1;
            let a_second_s = per_tick(self.ticks) * TICKS_PER_SECOND as u32 / nodes.max(1);
            self.tokens = (self.tokens + share_of_tick(self.ticks, nodes)).min(a_second_s.max(1));
        }
    }

    fn is_over(&self) -> bool {
        self.ticks * RELEASE_TICK_MS >= RECOVERY_MS_MAX
    }

    fn next_tick_at(&self) -> Timestamp {
        self.began_at.plus_millis((self.ticks + 1) * RELEASE_TICK_MS)
    }
}

/// One of so many nodes' part of a tick: what does not divide goes to some ticks and not to others.
fn share_of_tick(tick: i64, nodes: u32) -> u32 {
    let (all, nodes) = (u64::from(per_tick(tick)), u64::from(nodes.max(1)));
    let until = |tick: i64| all * tick.unsigned_abs() / nodes;
    (until(tick + 1) - until(tick)) as u32
}

/// Doubles every second.
fn per_tick(tick: i64) -> u32 {
    let seconds = (tick / TICKS_PER_SECOND).min(31);
    let per_second = u64::from(RELEASE_PER_SECOND_FIRST) << seconds;
    (per_second.min(u64::from(RELEASE_PER_SECOND_MAX)) / TICKS_PER_SECOND as u64) as u32
}

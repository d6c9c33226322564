//! What a seed stands for: who does what and when, what goes wrong, and how often.

use std::collections::VecDeque;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub(crate) const ENDPOINTS: usize = 3;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) endpoints: usize,
    /// In order of time.
    pub(crate) actions: VecDeque<(i64, Action)>,
    pub(crate) waits_s: Vec<u32>,
    pub(crate) rates: Rates,
    /// What becomes of the receivers when everything else is well again.
    pub(crate) last_moods: Vec<Mood>,
    /// Whether the world is still while a process ends in order, so that it must leave nothing held.
    pub(crate) calm_shutdowns: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// So many events for the endpoints of these bits.
    Publish(u8, usize),
    Cancel,
    Retry,
    Disable(usize),
    Enable(usize),
    Delete(usize),
    Move(usize),
    /// A schedule of its own, of so many waits.
    Reschedule(usize, usize),
    Test(usize),
    Mood(usize, Mood),
    /// Somebody sets the clock.
    Jump(i64),
    /// The store cannot be reached for so long.
    Away(i64),
    /// The process dies now.
    Crash,
    /// The process dies after so many more steps.
    CrashSoon(u64),
    /// The process ends in order, and attempts have so long to end.
    Shutdown(u64),
}

/// Of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    /// A call takes seconds.
    pub(crate) slow: u32,
    /// A call does not get there.
    pub(crate) lost_there: u32,
    /// A call has its effect and its answer is lost.
    pub(crate) lost_back: u32,
    /// The store fails for a fault of its own.
    pub(crate) faulty: u32,
}

/// How a receiver is just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Healthy,
    Flaky,
    Failing,
    /// Answers about when the time is over.
    Slow,
    Hanging,
    Throttling,
    Unreachable,
    Gone,
}

const MOODS: [Mood; 8] = [
    Mood::Healthy,
    Mood::Flaky,
    Mood::Failing,
    Mood::Slow,
    Mood::Hanging,
    Mood::Throttling,
    Mood::Unreachable,
    Mood::Gone,
];

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let span_ms = [2_000, MINUTE_MS, 20 * MINUTE_MS, 6 * HOUR_MS][random.random_range(0..4)];
        let waits_s = [&[5, 20, 80][..], &[5, 5, 5, 5], &[1], &[5, 300, 3_600]][random.random_range(0..4)];
        let mut actions: Vec<(i64, Action)> = Vec::new();
        for endpoint in 0..ENDPOINTS {
            let mood = Mood::Healthy;
            let mood = if random.random_range(0..3) == 0 { some_mood(&mut random) } else { mood };
            actions.push((0, Action::Mood(endpoint, mood)));
        }
        for _ in 0..random.random_range(15..40) {
            actions.push((random.random_range(0..span_ms), action(&mut random)));
        }
        actions.sort_by_key(|(at_ms, _)| *at_ms);
        let last =
            |random: &mut SmallRng| [Mood::Healthy, Mood::Failing, Mood::Gone][pick(random, &[6, 2, 1])];
        Self {
            seed,
            endpoints: ENDPOINTS,
            actions: actions.into(),
            waits_s: waits_s.to_vec(),
            rates: rates(&mut random),
            last_moods: (0..ENDPOINTS).map(|_| last(&mut random)).collect(),
            calm_shutdowns: random.random_range(0..2) == 0,
        }
    }
}

/// A third of the histories have a store that never fails, so that what it hides elsewhere shows.
fn rates(random: &mut SmallRng) -> Rates {
    let mut rate = |most: u32| if random.random_range(0..2) == 0 { 0 } else { random.random_range(0..most) };
    let rates = Rates { slow: rate(100), lost_there: rate(150), lost_back: rate(150), faulty: rate(60) };
    if random.random_range(0..3) == 0 { Rates::default() } else { rates }
}

fn action(random: &mut SmallRng) -> Action {
    let endpoint = random.random_range(0..ENDPOINTS);
    match pick(random, &[40, 6, 6, 4, 6, 1, 3, 2, 2, 8, 4, 5, 3, 5, 3]) {
        0 => publish(random),
        1 => Action::Cancel,
        2 => Action::Retry,
        3 => Action::Disable(endpoint),
        4 => Action::Enable(endpoint),
        5 => Action::Delete(endpoint),
        6 => Action::Move(endpoint),
        7 => Action::Reschedule(endpoint, random.random_range(0..4)),
        8 => Action::Test(endpoint),
        9 => Action::Mood(endpoint, some_mood(random)),
        10 => Action::Jump(jump_ms(random)),
        11 => Action::Away(random.random_range(100..120_000)),
        12 => Action::Crash,
        13 => Action::CrashSoon(random.random_range(1..120)),
        _ => Action::Shutdown(random.random_range(0..12_000)),
    }
}

fn publish(random: &mut SmallRng) -> Action {
    match random.random_range(0..8) {
        0 => Action::Publish(1 << random.random_range(0..ENDPOINTS), random.random_range(5..25)),
        1 => Action::Publish(7, random.random_range(1..4)),
        _ => Action::Publish(random.random_range(1..8), 1),
    }
}

fn jump_ms(random: &mut SmallRng) -> i64 {
    let most = [500, MINUTE_MS, 3 * HOUR_MS][random.random_range(0..3)];
    random.random_range(-most..=most)
}

fn some_mood(random: &mut SmallRng) -> Mood {
    MOODS[pick(random, &[6, 6, 3, 3, 2, 2, 2, 1])]
}

/// A place, by weight.
fn pick(random: &mut SmallRng, weights: &[u32]) -> usize {
    let mut left = random.random_range(0..weights.iter().sum());
    for (place, weight) in weights.iter().enumerate() {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return place,
        }
    }
    unreachable!("it is below the sum")
}

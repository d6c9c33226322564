//! What the receiver knows: when each event came, how many came, and how the switchable path answers now. Everything is
//! allocated at the start and written without locks.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// How a path answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Behaviour {
    Ok,
    /// 503 at once.
    Fail,
    /// Never.
    Hang,
    /// 200 after so many milliseconds.
    Wait(u64),
}

/// Numbers of [`Counts`] in the order of their line.
const NUMBERS: usize = 7;

/// What came in this round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::bench) struct Counts {
    /// Events of the round, each as often as it was to come.
    pub(in crate::bench) useful: u64,
    /// Events that came once more than they were to.
    pub(in crate::bench) repeated: u64,
    /// Requests of any kind.
    pub(in crate::bench) requests: u64,
    /// Requests that could not be read, and bodies that were not the benchmark's.
    pub(in crate::bench) malformed: u64,
    /// Requests at once to the switchable path, at most.
    pub(in crate::bench) in_flight_max: u64,
    /// When the first useful event came; 0: none yet.
    pub(in crate::bench) first_at_ns: u64,
    pub(in crate::bench) last_at_ns: u64,
}

pub(super) struct Book {
    /// When event `base + n` first came; 0: not yet.
    first_at_ns: Vec<AtomicU64>,
    times_seen: Vec<AtomicU8>,
    /// The round's first sequence number.
    base: AtomicU64,
    /// How often every event is to come.
    times_wanted: AtomicU64,
    switch: AtomicU64,
    in_flight: AtomicU64,
    numbers: [AtomicU64; NUMBERS],
}

const USEFUL: usize = 0;
const REPEATED: usize = 1;
const REQUESTS: usize = 2;
const MALFORMED: usize = 3;
const IN_FLIGHT_MAX: usize = 4;
const FIRST_AT: usize = 5;
const LAST_AT: usize = 6;

impl Book {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            first_at_ns: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            times_seen: (0..slots).map(|_| AtomicU8::new(0)).collect(),
            base: AtomicU64::new(0),
            times_wanted: AtomicU64::new(1),
            switch: AtomicU64::new(Behaviour::Ok.encode()),
            in_flight: AtomicU64::new(0),
            numbers: Default::default(),
        }
    }

    /// Forgets the round before. Events with smaller numbers are counted as requests alone.
    pub(super) fn begin(&self, base: u64, times_wanted: u64) {
        self.first_at_ns.iter().for_each(|at| at.store(0, Relaxed));
        self.times_seen.iter().for_each(|times| times.store(0, Relaxed));
        self.numbers.iter().for_each(|number| number.store(0, Relaxed));
        self.times_wanted.store(times_wanted, Relaxed);
        self.base.store(base, Relaxed);
    }

    pub(super) fn requested(&self) {
        self.numbers[REQUESTS].fetch_add(1, Relaxed);
    }

    pub(super) fn malformed(&self) {
        self.numbers[MALFORMED].fetch_add(1, Relaxed);
    }

    /// An event that is answered with 200 came.
    pub(super) fn arrived(&self, sequence: u64, at_ns: u64) {
        let Some(slot) = sequence.checked_sub(self.base.load(Relaxed)) else { return };
        let Some(first_at) = self.first_at_ns.get(slot as usize) else { return };
        let before = u64::from(self.times_seen[slot as usize].fetch_add(1, Relaxed));
        if before == 0 {
            first_at.store(at_ns, Relaxed);
        }
        let number = if before < self.times_wanted.load(Relaxed) { USEFUL } else { REPEATED };
        self.numbers[number].fetch_add(1, Relaxed);
        if self.numbers[FIRST_AT].load(Relaxed) == 0 {
            self.numbers[FIRST_AT].store(at_ns, Relaxed);
        }
        if number == USEFUL {
            self.numbers[LAST_AT].fetch_max(at_ns, Relaxed);
        }
    }

    pub(super) fn entered(&self) {
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.numbers[IN_FLIGHT_MAX].fetch_max(now, Relaxed);
    }

    pub(super) fn left(&self, count: u64) {
        self.in_flight.fetch_sub(count, Relaxed);
    }

    pub(super) fn switch_to(&self, behaviour: Behaviour) {
        self.switch.store(behaviour.encode(), Relaxed);
    }

    pub(super) fn switch(&self) -> Behaviour {
        Behaviour::decode(self.switch.load(Relaxed))
    }

    pub(super) fn counts(&self) -> Counts {
        Counts::of(std::array::from_fn(|n| self.numbers[n].load(Relaxed)))
    }

    pub(super) fn times(&self, first: u64, count: u64) -> Vec<u64> {
        let start = first.saturating_sub(self.base.load(Relaxed)) as usize;
        let times = self.first_at_ns.iter().skip(start).take(count as usize);
        times.map(|at| at.load(Relaxed)).collect()
    }
}

impl Behaviour {
    /// The words of a command.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        match words {
            ["ok"] => Some(Self::Ok),
            ["fail"] => Some(Self::Fail),
            ["hang"] => Some(Self::Hang),
            ["wait", ms] => ms.parse().ok().map(Self::Wait),
            _ => None,
        }
    }

    fn encode(self) -> u64 {
        match self {
            Self::Ok => 0,
            Self::Fail => 1,
            Self::Hang => 2,
            Self::Wait(ms) => ms.saturating_add(3),
        }
    }

    fn decode(number: u64) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Fail,
            2 => Self::Hang,
            ms => Self::Wait(ms - 3),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Fail => f.write_str("fail"),
            Self::Hang => f.write_str("hang"),
            Self::Wait(ms) => write!(f, "wait {ms}"),
        }
    }
}

impl Counts {
    fn of(numbers: [u64; NUMBERS]) -> Self {
        Self {
            useful: numbers[USEFUL],
            repeated: numbers[REPEATED],
            requests: numbers[REQUESTS],
            malformed: numbers[MALFORMED],
            in_flight_max: numbers[IN_FLIGHT_MAX],
            first_at_ns: numbers[FIRST_AT],
            last_at_ns: numbers[LAST_AT],
        }
    }

    /// The line that its `Display` writes.
    pub(in crate::bench) fn parse(line: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        Some(Self::of(numbers?.try_into().ok()?))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { useful, repeated, requests, malformed, in_flight_max, first_at_ns, last_at_ns } = self;
        write!(f, "{useful} {repeated} {requests} {malformed} {in_flight_max} {first_at_ns} {last_at_ns}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_useful_as_often_as_it_was_wanted_and_repeated_after_that() {
        let book = Book::new(4);
        book.begin(100, 2);
        for (sequence, at_ns) in [(100, 10), (100, 20), (100, 30), (103, 40), (99, 50), (104, 60)] {
            book.arrived(sequence, at_ns);
        }
        let counts = book.counts();
        assert_eq!((counts.useful, counts.repeated), (3, 1));
        assert_eq!((counts.first_at_ns, counts.last_at_ns), (10, 40));
        assert_eq!(book.times(100, 4), [10, 0, 0, 40]);
        book.begin(104, 1);
        assert_eq!(book.counts(), Counts::default());
        assert_eq!(book.times(104, 4), [0; 4]);
    }

    #[test]
    fn counts_and_behaviours_survive_the_pipe() {
        let counts =
            Counts { useful: 1, repeated: 2, requests: 3, last_at_ns: u64::MAX, ..Counts::default() };
        assert_eq!(Counts::parse(&counts.to_string()), Some(counts));
        assert_eq!(Counts::parse("1 2 3"), None);
        for behaviour in
            [Behaviour::Ok, Behaviour::Fail, Behaviour::Hang, Behaviour::Wait(0), Behaviour::Wait(20)]
        {
            let text = behaviour.to_string();
            assert_eq!(Behaviour::parse(&text.split(' ').collect::<Vec<_>>()), Some(behaviour));
            assert_eq!(Behaviour::decode(behaviour.encode()), behaviour);
        }
    }

    #[test]
    fn the_most_requests_at_once_are_remembered() {
        let book = Book::new(1);
        (0..3).for_each(|_| book.entered());
        book.left(2);
        book.entered();
        assert_eq!(book.counts().in_flight_max, 3);
    }
}

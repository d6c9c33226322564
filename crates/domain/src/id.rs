//! Ids: prefixed, time-sortable, 26 characters of Crockford base32.
//!
//! An id is 128 bits in ULID's layout: 48 bits of Unix milliseconds, then a counter of 22 bits, then 58 random bits.
//! The counter makes the ids of one process strictly increasing, so that order of ids is order of creation and a
//! store may use [`key`](EventId::key) (time and counter in 63 bits) as a row number. Nothing here reads the clock.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use crate::time::Timestamp;

/// 2020-01-01T00:00:00Z, the zero of [`EventId::key`]; 41 bits of milliseconds from here last until 2089.
const KEY_EPOCH_MS: i64 = 1_577_836_800_000;
const COUNTER_BITS: u32 = 22;
const SALT_BITS: u32 = 58;
const COUNTER_MAX: u32 = (1 << COUNTER_BITS) - 1;
/// Of the counter, where several processes make ids for one store: each keeps to its own range, so that no two make one key.
const SLOT_BITS: u32 = 6;
/// Ranges for so many processes at once.
pub const ID_SLOTS: u8 = 1 << SLOT_BITS;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TEXT_LENGTH: usize = 26;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind: expected `{prefix}` followed by 26 characters of Crockford base32")]
pub struct IdFault {
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_bits(bits: u128) -> Self { Self(bits) }
            pub const fn bits(self) -> u128 { self.0 }
            /// The moment at which the id was made, milliseconds.
            pub fn created_at(self) -> Timestamp { Timestamp::from_millis((self.0 >> 80) as i64) }
            /// Time and counter as one positive number: unique within a process, increasing with time.
            pub fn key(self) -> i64 { key_of(self.0) }
            /// The 58 random bits that [`key`](Self::key) leaves out.
            pub fn salt(self) -> i64 { (self.0 & ((1 << SALT_BITS) - 1)) as i64 }
            /// Another id of the same moment, for what comes with this one.
            pub fn sibling(self) -> Self {
                Self::from_parts(self.key(), (self.salt() + 1) & ((1 << SALT_BITS) - 1))
            }
            /// The id again, from its two halves.
            pub fn from_parts(key: i64, salt: i64) -> Self { Self(join(key, salt)) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&encode(self.0)).expect("base32 is ASCII"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = IdFault;
            fn from_str(text: &str) -> Result<Self, IdFault> {
                text.strip_prefix($prefix).and_then(decode).map(Self).ok_or(IdFault { prefix: $prefix })
            }
        }
    )*};
}

ids! {
    /// An event: one published payload.
    EventId "evt_";
    /// An endpoint: a registered receiver URL with its subscription.
    EndpointId "ep_";
    /// A delivery: one event on its way to one endpoint.
    DeliveryId "dlv_";
    /// An attempt: one HTTP request of a delivery.
    AttemptId "att_";
    /// An API key (its name, not its secret).
    ApiKeyId "key_";
    /// A session (its name, not its token).
    SessionId "ses_";
    /// An entry of the audit log.
    AuditId "aud_";
}

fn key_of(bits: u128) -> i64 {
    let ms = ((bits >> 80) as i64 - KEY_EPOCH_MS).max(0);
    let counter = ((bits >> SALT_BITS) as i64) & i64::from(COUNTER_MAX);
    (ms << COUNTER_BITS) | counter
}

fn join(key: i64, salt: i64) -> u128 {
    let ms = (key >> COUNTER_BITS) + KEY_EPOCH_MS;
    let counter = (key & i64::from(COUNTER_MAX)) as u128;
    ((ms as u128) << 80) | (counter << SALT_BITS) | (salt as u128)
}

/// The smallest key that an id made at `at` or later can have.
pub fn first_key_at(at: Timestamp) -> i64 {
    (at.as_millis() - KEY_EPOCH_MS).max(0) << COUNTER_BITS
}

/// The moment that a key stands for.
pub fn key_time(key: i64) -> Timestamp {
    Timestamp::from_millis((key >> COUNTER_BITS) + KEY_EPOCH_MS)
}

fn encode(bits: u128) -> [u8; TEXT_LENGTH] {
    let mut text = [0; TEXT_LENGTH];
    for (place, letter) in text.iter_mut().enumerate() {
        let shift = 5 * (TEXT_LENGTH - 1 - place);
        *letter = ALPHABET[(bits >> shift) as usize & 31];
    }
    text
}

/// Strict: upper case only and no look-alikes, so that one id has one spelling.
fn decode(text: &str) -> Option<u128> {
    if text.len() != TEXT_LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |bits, letter| {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        Some((bits << 5) | value as u128)
    })
}

/// Makes ids: strictly increasing within this source, also when the clock stands still or steps back.
#[derive(Debug)]
pub struct IdSource {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ms: i64,
    counter: u32,
    random: u64,
    /// The counters that this source uses: the first, and the last.
    range: (u32, u32),
}

impl IdSource {
    /// `seed`: from the operating system's randomness in service, fixed in tests.
    pub fn seeded(seed: u64) -> Self {
        Self { state: Mutex::new(State { ms: 0, counter: 0, random: seed, range: (0, COUNTER_MAX) }) }
    }

    /// From now on uses the counters of this slot alone, below [`ID_SLOTS`].
    pub fn keep_to(&self, slot: u8) {
        let mut state = self.state.lock().expect("no code panics while it holds this lock");
        let size = (COUNTER_MAX + 1) / u32::from(ID_SLOTS);
        let first = u32::from(slot % ID_SLOTS) * size;
        state.range = (first, first + size - 1);
        // Whatever was made before is of an earlier millisecond then.
        state.ms += 1;
        state.counter = first;
    }

    pub fn event(&self, now: Timestamp) -> EventId {
        EventId(self.next(now))
    }
    pub fn endpoint(&self, now: Timestamp) -> EndpointId {
        EndpointId(self.next(now))
    }
    pub fn delivery(&self, now: Timestamp) -> DeliveryId {
        DeliveryId(self.next(now))
    }
    pub fn attempt(&self, now: Timestamp) -> AttemptId {
        AttemptId(self.next(now))
    }
    pub fn api_key(&self, now: Timestamp) -> ApiKeyId {
        ApiKeyId(self.next(now))
    }
    pub fn session(&self, now: Timestamp) -> SessionId {
        SessionId(self.next(now))
    }
    pub fn audit(&self, now: Timestamp) -> AuditId {
        AuditId(self.next(now))
    }

    /// An event's id and those of its `n` deliveries, with no other id between them: the order of deliveries is then
    /// the order of their events.
    pub fn event_with_deliveries(&self, now: Timestamp, n: usize) -> (EventId, Vec<DeliveryId>) {
        let mut state = self.state.lock().expect("no code panics while it holds this lock");
        let event = EventId(state.next(now));
        (event, (0..n).map(|_| DeliveryId(state.next(now))).collect())
    }

    fn next(&self, now: Timestamp) -> u128 {
        self.state.lock().expect("no code panics while it holds this lock").next(now)
    }
}

impl State {
    fn next(&mut self, now: Timestamp) -> u128 {
        let now_ms = now.as_millis().max(KEY_EPOCH_MS);
        let (first, last) = self.range;
        if now_ms > self.ms {
            self.ms = now_ms;
            // The lower half only, so that a millisecond has room for as many more: two million, or thirty-two thousand of a slot.
            self.counter = first + ((self.random() as u32) & ((last - first) >> 1));
        } else if self.counter < last {
            self.counter += 1;
        } else {
            self.ms += 1;
            self.counter = first;
        }
        let salt = u128::from(self.random()) & ((1 << SALT_BITS) - 1);
        ((self.ms as u128) << 80) | (u128::from(self.counter) << SALT_BITS) | salt
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): spreads ids, guards nothing.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn an_id_reads_back_from_its_text_and_from_its_halves() {
        let id = IdSource::seeded(7).event(at(0));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(EventId::from_parts(id.key(), id.salt()), id);
        assert_eq!(id.created_at(), at(0));
        assert_eq!(key_time(id.key()), at(0));
        assert_eq!(id.to_string().len(), 4 + 26);
    }

    #[test]
    fn ids_increase_while_the_clock_stands_or_steps_back() {
        let source = IdSource::seeded(7);
        let mut last = source.event(at(5));
        for ms in [5, 5, 4, 0, 6, 6, 3] {
            let next = source.event(at(ms));
            assert!(next.key() > last.key() && next > last, "{next} after {last}");
            last = next;
        }
    }

    #[test]
    fn a_millisecond_that_is_full_borrows_from_the_next() {
        let mut state =
            State { ms: at(0).as_millis(), counter: COUNTER_MAX, random: 1, range: (0, COUNTER_MAX) };
        assert_eq!(EventId(state.next(at(0))).created_at(), at(1));
    }

    #[test]
    fn sources_with_slots_of_their_own_never_make_one_key() {
        let sources: Vec<_> = (0..ID_SLOTS)
            .map(|slot| {
                let source = IdSource::seeded(7);
                source.keep_to(slot);
                source
            })
            .collect();
        let mut keys = std::collections::HashSet::new();
        for source in &sources {
            let mut last = 0;
            for _ in 0..1_000 {
                let key = source.event(at(0)).key();
                assert!(key > last && keys.insert(key));
                last = key;
            }
        }
        // A slot that is full borrows from the next millisecond and keeps to itself.
        let source = &sources[3];
        let later: Vec<_> = (0..70_000).map(|_| source.event(at(0)).key()).collect();
        assert!(later.is_sorted_by(|a, b| a < b));
        assert!(later.iter().all(|key| (key & i64::from(COUNTER_MAX)) >> 16 == 3));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let good = IdSource::seeded(7).event(at(0)).to_string();
        for bad in
            ["", "evt_", "evt_0", &good[4..], &good.to_lowercase(), &good.replace("evt_", "dlv_"), "evt_é"]
        {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
        assert!("evt_8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<EventId>().is_err(), "more than 128 bits");
    }
}

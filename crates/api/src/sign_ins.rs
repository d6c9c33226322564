//! Sign-ins that failed: counted by address and by token, and told to wait when there are too many in a minute.
//!
//! What signs in has 256 random bits, which nobody guesses; the bound keeps those who try from costing anything, and one broken
//! integration from filling the log. What is right always passes, tokens and codes: behind a proxy all callers have one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use domain::limits::FAILED_SIGN_INS_TOKEN_SHARE;
use domain::time::Timestamp;
use parking_lot::Mutex;

use crate::problem::{Code, Problem};

const WINDOW_MS: i64 = 60_000;
/// Addresses and tokens that are counted in a minute; more are told to wait like those that failed too often.
const COUNTED_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct SignIns {
    per_address: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    ends_at: Timestamp,
    failures: HashMap<Counted, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    Address(IpAddr),
    Token([u8; 32]),
}

impl SignIns {
    /// `per_address`: failures of one address in a minute.
    pub(crate) fn new(per_address: u32) -> Self {
        Self { per_address, window: Mutex::default() }
    }

    /// Notes a failure.
    ///
    /// # Errors
    /// `too-many-requests` when there were too many.
    pub(crate) fn failed(
        &self,
        address: Option<IpAddr>,
        token_hash: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let mut window = self.window.lock();
        window.turn(now);
        let address = address.map(|address| Counted::Address(network_of(address)));
        let token = token_hash.map(Counted::Token);
        // First, so that made-up tokens of one address do not fill the table.
        let is_spent = address.is_some_and(|address| window.failures_of(address) >= self.per_address);
        // A token that fails again and again spends its own share, and not that of its neighbours at the address.
        let has_room = !is_spent
            && token.is_none_or(|token| window.count(token, self.per_address / FAILED_SIGN_INS_TOKEN_SHARE))
            && address.is_none_or(|address| window.count(address, self.per_address));
        if has_room { Ok(()) } else { Err(window.wait(now)) }
    }
}

impl Window {
    fn turn(&mut self, now: Timestamp) {
        // Also when the clock was set back, lest a window never ends.
        if now >= self.ends_at || self.ends_at.since(now) > WINDOW_MS {
            self.ends_at = now.plus_millis(WINDOW_MS);
            self.failures.clear();
        }
    }

    fn failures_of(&self, counted: Counted) -> u32 {
        self.failures.get(&counted).copied().unwrap_or_default()
    }

    /// Whether there is room for one more.
    fn count(&mut self, counted: Counted, max: u32) -> bool {
        if self.failures.len() >= COUNTED_MAX && !self.failures.contains_key(&counted) {
            return false;
        }
        let count = self.failures.entry(counted).or_default();
        *count = count.saturating_add(1);
        *count <= max
    }

    fn wait(&self, now: Timestamp) -> Problem {
        let seconds = (self.ends_at.since(now).clamp(0, WINDOW_MS) / 1_000 + 1) as u32;
        Problem::new(
            Code::TooManyRequests,
            "too many sign-ins have failed: correct the credentials, then wait a minute",
        )
        .with_retry_after(seconds)
    }
}

/// Of IPv6, a /64: one customer has that many addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use domain::limits::FAILED_SIGN_INS_PER_ADDRESS;
    use sha2::{Digest, Sha256};

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn an_address_has_its_failures_a_minute_and_a_v6_network_counts_as_one() {
        let sign_ins = SignIns::new(FAILED_SIGN_INS_PER_ADDRESS);
        let address = |text: &str| Some(text.parse().unwrap());
        for n in 0..FAILED_SIGN_INS_PER_ADDRESS {
            let from = address(&format!("2001:db8::{n:x}"));
            sign_ins.failed(from, Some([n as u8; 32]), at(0)).unwrap();
        }
        assert!(sign_ins.failed(address("2001:db8::ffff"), Some([255; 32]), at(59_999)).is_err());
        assert!(sign_ins.failed(address("2001:db8::1"), None, at(1)).is_err());
        assert!(sign_ins.failed(address("2001:db8:0:1::1"), None, at(1)).is_ok());
        assert!(sign_ins.failed(address("203.0.113.7"), Some([254; 32]), at(1)).is_ok());
        assert!(sign_ins.failed(address("2001:db8::ffff"), Some([255; 32]), at(60_000)).is_ok());
    }

    #[test]
    fn a_token_that_fails_again_and_again_leaves_its_address_room() {
        let sign_ins = SignIns::new(FAILED_SIGN_INS_PER_ADDRESS);
        let address = Some("203.0.113.7".parse().unwrap());
        let failed = (0..1_000).filter(|_| sign_ins.failed(address, Some([1; 32]), at(0)).is_ok()).count();
        assert_eq!(failed, (FAILED_SIGN_INS_PER_ADDRESS / FAILED_SIGN_INS_TOKEN_SHARE) as usize);
        assert!(sign_ins.failed(address, Some([2; 32]), at(0)).is_ok());
    }

    #[test]
    fn made_up_tokens_of_one_address_leave_the_table_to_others() {
        let sign_ins = SignIns::new(FAILED_SIGN_INS_PER_ADDRESS);
        let address = |text: &str| Some(text.parse().unwrap());
        for n in 0..COUNTED_MAX {
            let token = Sha256::digest(n.to_be_bytes()).into();
            let _ = sign_ins.failed(address("203.0.113.7"), Some(token), at(0));
        }
        assert_eq!(sign_ins.window.lock().failures.len(), FAILED_SIGN_INS_PER_ADDRESS as usize + 1);
        assert!(sign_ins.failed(address("198.51.100.1"), Some([1; 32]), at(0)).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let sign_ins = SignIns::new(FAILED_SIGN_INS_PER_ADDRESS);
        while sign_ins.failed(None, Some([1; 32]), at(3_600_000)).is_ok() {}
        assert!(sign_ins.failed(None, Some([1; 32]), at(0)).is_ok());
    }
}

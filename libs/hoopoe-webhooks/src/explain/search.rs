//! Trying keys, contents and bodies against what the headers claim, within a bound.
//!
//! It finds the combination; the words for it are made in `report`. Exactness first: the body as given with every
//! key, then changed bodies.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::Family;
use super::body::{Candidate, Change, candidates};
use super::claim::Claim;
use super::key::Key;
use super::words::FindingCode::{self, *};
use crate::Headers;
use crate::sign::digest;

/// Enough for every change of a body of 256 KiB with the right keys, and for every combination with every key over a
/// body of about 15 KiB.
const HASHED_BYTES_MAX: usize = 128 << 20;

/// How a claimed digest comes about.
#[derive(Debug, Clone)]
pub(super) struct Match {
    /// Which of the header's claims.
    pub(super) claim: usize,
    /// Which of the given secrets.
    pub(super) secret: usize,
    /// The family whose content was signed, which need not be the header's.
    pub(super) content: Family,
    /// Slips of the key for the header's family, and for the other.
    pub(super) key_slips: Vec<FindingCode>,
    pub(super) key_slips_other: Vec<FindingCode>,
    pub(super) timestamp_slip: Option<FindingCode>,
    pub(super) changes: Vec<Change>,
}

/// What a search came to, for each family in the order of `Family::BOTH`.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) matches: [Option<Match>; 2],
    /// Whether the bound ended it.
    pub(super) cut_short: bool,
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) keys: &'a [Key],
    /// For each family in the order of `Family::BOTH`.
    pub(super) claims: [Vec<Claim>; 2],
    pub(super) headers: &'a Headers<'a>,
    pub(super) body: &'a [u8],
}

impl Search<'_> {
    pub(super) fn run(&self) -> Found {
        let prefixes = self.prefixes();
        let mut state = State { found: Found::default(), hashed_bytes: 0 };
        let given = Candidate { bytes: self.body.into(), changes: Vec::new() };
        self.try_body(&given, &prefixes, Slips::Any, &mut state);
        for slips in [Slips::None, Slips::Any] {
            self.try_changed_bodies(&prefixes, slips, &mut state);
        }
        state.found
    }

    fn try_changed_bodies(&self, prefixes: &[Prefix], slips: Slips, state: &mut State) {
        let hasher = RandomState::new();
        let mut seen = HashSet::from([hasher.hash_one(self.body)]);
        for candidate in candidates(self.body) {
            if self.is_done(state) {
                return;
            }
            if seen.insert(hasher.hash_one(candidate.bytes.as_ref())) {
                self.try_body(&candidate, prefixes, slips, state);
            }
        }
    }

    /// What may stand before the body in the signed content, and the family that puts it there.
    fn prefixes(&self) -> Vec<Prefix> {
        let mut prefixes = vec![Prefix { bytes: Vec::new(), content: Family::Xwl, timestamp_slip: None }];
        let (Some(id), Some(timestamp)) = (self.headers.webhook_id, self.headers.webhook_timestamp) else {
            return prefixes;
        };
        let (id, timestamp) = (id.trim(), timestamp.trim());
        let mut add = |timestamp: &str, timestamp_slip| {
            let bytes = format!("{id}.{timestamp}.").into_bytes();
            prefixes.push(Prefix { bytes, content: Family::Standard, timestamp_slip });
        };
        add(timestamp, None);
        if let Some(seconds) = milliseconds_as_seconds(timestamp) {
            add(seconds, Some(TimestampInMilliseconds));
        }
        add(&format!("{timestamp}000"), Some(SignedMilliseconds));
        prefixes
    }

    fn is_done(&self, state: &State) -> bool {
        let missing = |(claims, found): (&Vec<Claim>, &Option<Match>)| !claims.is_empty() && found.is_none();
        state.found.cut_short || !self.claims.iter().zip(&state.found.matches).any(missing)
    }

    fn try_body(&self, candidate: &Candidate<'_>, prefixes: &[Prefix], slips: Slips, state: &mut State) {
        for prefix in prefixes {
            for key in self.keys.iter().filter(|key| slips.allow(key, prefix)) {
                state.hashed_bytes += candidate.bytes.len() + prefix.bytes.len() + 128;
                if state.hashed_bytes > HASHED_BYTES_MAX {
                    state.found.cut_short = true;
                    return;
                }
                let digest = digest(&key.mac, &[&prefix.bytes, &candidate.bytes]);
                self.compare(&digest, (key, prefix), candidate, state);
            }
        }
    }

    fn compare(
        &self,
        digest: &[u8; 32],
        made: (&Key, &Prefix),
        candidate: &Candidate<'_>,
        state: &mut State,
    ) {
        let (key, prefix) = made;
        for (index, family) in Family::BOTH.into_iter().enumerate() {
            let position = self.claims[index].iter().position(|claim| claim.digest == *digest);
            let (Some(claim), None) = (position, &state.found.matches[index]) else { continue };
            state.found.matches[index] = Some(Match {
                claim,
                secret: key.secret,
                content: prefix.content,
                key_slips: key.slips(family).to_vec(),
                key_slips_other: key.slips(family.other()).to_vec(),
                timestamp_slip: prefix.timestamp_slip,
                changes: candidate.changes.clone(),
            });
        }
    }
}

/// A Unix time of 13 digits, cut to its seconds.
pub(super) fn milliseconds_as_seconds(timestamp: &str) -> Option<&str> {
    let is_milliseconds = timestamp.len() == 13 && timestamp.bytes().all(|c| c.is_ascii_digit());
    is_milliseconds.then(|| &timestamp[..10])
}

struct Prefix {
    bytes: Vec<u8>,
    content: Family,
    timestamp_slip: Option<FindingCode>,
}

/// Whether keys and contents with slips are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slips {
    None,
    Any,
}

impl Slips {
    fn allow(self, key: &Key, prefix: &Prefix) -> bool {
        self == Self::Any || (key.slips(prefix.content).is_empty() && prefix.timestamp_slip.is_none())
    }
}

struct State {
    found: Found,
    hashed_bytes: usize,
}

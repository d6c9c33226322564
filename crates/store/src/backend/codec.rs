//! Compact, versioned bytes for values that are stored whole, and the numbers that stand for words in columns.
//!
//! A number or a layout that was written once keeps its meaning for good. Nothing here knows SQL.

use bytes::Bytes;
use domain::attempt::{Attempt, AttemptHead, HeaderList, Response, Timings};
use domain::delivery::{EndReason, Status, Trigger};
use domain::event::{Considered, EventScope, Fate, SkipReason};
use domain::id::{AttemptId, DeliveryId, EndpointId};
use domain::outcome::Outcome;
use domain::tally::Tally;
use domain::time::Timestamp;

use super::Damaged;

const VERSION: u8 = 1;

/// Places in these tables are what is stored: append, never reorder.
const TRIGGERS: [Trigger; 4] = [Trigger::Event, Trigger::Retry, Trigger::Replay, Trigger::Test];
const STATUSES: [Status; 7] = [
    Status::Pending,
    Status::Delivering,
    Status::Retrying,
    Status::Waiting,
    Status::Succeeded,
    Status::Failed,
    Status::Cancelled,
];
const END_REASONS: [EndReason; 6] = [
    EndReason::Exhausted,
    EndReason::Gone,
    EndReason::EndpointFailing,
    EndReason::AddressRefused,
    EndReason::ByHand,
    EndReason::EndpointDeleted,
];
const OUTCOMES: [Outcome; 8] = [
    Outcome::Succeeded,
    Outcome::HttpError,
    Outcome::Timeout,
    Outcome::Dns,
    Outcome::Connect,
    Outcome::Tls,
    Outcome::Blocked,
    Outcome::Protocol,
];
const EVENT_SCOPES: [EventScope; 3] = [EventScope::Location, EventScope::Company, EventScope::App];
const SKIP_REASONS: [SkipReason; 4] =
    [SkipReason::Disabled, SkipReason::Filtered, SkipReason::MissingScope, SkipReason::OwnEvent];

fn place_in<T: PartialEq>(table: &[T], value: &T) -> i64 {
    table.iter().position(|known| known == value).expect("every word is in its table") as i64
}

fn word_at<T: Copy>(table: &[T], place: i64, what: &'static str) -> Result<T, Damaged> {
    usize::try_from(place).ok().and_then(|place| table.get(place)).copied().ok_or(Damaged(what))
}

pub fn event_scope_number(scope: EventScope) -> i64 {
    place_in(&EVENT_SCOPES, &scope)
}
pub fn event_scope_of(number: i64) -> Result<EventScope, Damaged> {
    word_at(&EVENT_SCOPES, number, "event's scope")
}
pub fn trigger_number(trigger: Trigger) -> i64 {
    place_in(&TRIGGERS, &trigger)
}
pub fn trigger_of(number: i64) -> Result<Trigger, Damaged> {
    word_at(&TRIGGERS, number, "trigger")
}
pub fn status_number(status: Status) -> i64 {
    place_in(&STATUSES, &status)
}
pub fn status_of(number: i64) -> Result<Status, Damaged> {
    word_at(&STATUSES, number, "status")
}
pub fn end_reason_number(reason: EndReason) -> i64 {
    place_in(&END_REASONS, &reason)
}
pub fn end_reason_of(number: i64) -> Result<EndReason, Damaged> {
    word_at(&END_REASONS, number, "reason")
}

pub fn endpoint_bytes(id: EndpointId) -> [u8; 16] {
    id.bits().to_be_bytes()
}
pub fn endpoint_of(bytes: [u8; 16]) -> EndpointId {
    EndpointId::from_bits(u128::from_be_bytes(bytes))
}

/// Per considered endpoint: its id, then 0 and the delivery's id, or the reason's place plus one.
pub fn considered_bytes(considered: &[Considered]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + considered.len() * 33);
    out.push(VERSION);
    for one in considered {
        out.extend_from_slice(&endpoint_bytes(one.endpoint_id));
        match one.fate {
            Fate::Delivery(id) => {
                out.push(0);
                out.extend_from_slice(&id.bits().to_be_bytes());
            }
            Fate::Skipped(reason) => out.push(place_in(&SKIP_REASONS, &reason) as u8 + 1),
        }
    }
    out
}

pub fn considered_of(bytes: &[u8]) -> Result<Vec<Considered>, Damaged> {
    let mut input = Input::versioned(bytes, "list of considered endpoints")?;
    let mut considered = Vec::new();
    while !input.is_empty() {
        let endpoint_id = endpoint_of(input.take()?);
        let fate = match input.u8()? {
            0 => Fate::Delivery(DeliveryId::from_bits(u128::from_be_bytes(input.take()?))),
            tag => Fate::Skipped(word_at(&SKIP_REASONS, i64::from(tag) - 1, "skip reason")?),
        };
        considered.push(Considered { endpoint_id, fate });
    }
    Ok(considered)
}

/// Version, id, number, start, duration, outcome and status.
pub const ATTEMPT_HEAD_BYTES: usize = 1 + 16 + 4 + 8 + 4 + 1 + 3;

/// All but the texts and the body: tags, numbers, lengths and the head, and room for an address and a sentence.
const ATTEMPT_REST_BYTES: usize = 256;

pub fn attempt_bytes(attempt: &Attempt) -> Vec<u8> {
    let answer = attempt.response.as_ref();
    let answer_bytes = answer.map_or(0, |response| headers_bytes(&response.headers) + response.body.len());
    let bytes = ATTEMPT_REST_BYTES + headers_bytes(&attempt.request_headers) + answer_bytes;
    let mut out = Output(Vec::with_capacity(bytes));
    out.u8(VERSION);
    out.0.extend_from_slice(&attempt.id.bits().to_be_bytes());
    out.u32(attempt.number);
    out.0.extend_from_slice(&attempt.started_at.as_millis().to_be_bytes());
    out.u32(attempt.duration_ms);
    out.u8(place_in(&OUTCOMES, &attempt.outcome) as u8);
    out.option(attempt.status_code, |out, status| out.0.extend_from_slice(&status.to_be_bytes()));
    out.option(attempt.error.as_ref(), |out, error| out.bytes(error.as_bytes()));
    out.option(attempt.remote_address.as_ref(), |out, address| out.bytes(address.as_bytes()));
    for phase_ms in phases(attempt.timings) {
        out.option(phase_ms, Output::u32);
    }
    out.headers(&attempt.request_headers);
    out.option(attempt.response.as_ref(), |out, response| {
        out.headers(&response.headers);
        out.bytes(&response.body);
        out.u8(u8::from(response.truncated));
    });
    out.0
}

/// Each name and each value with its length.
fn headers_bytes(headers: &HeaderList) -> usize {
    8 * headers.len() + headers.text_bytes()
}

fn phases(timings: Timings) -> [Option<u32>; 4] {
    [timings.dns_ms, timings.connect_ms, timings.tls_ms, timings.wait_ms]
}

pub fn attempt_of(bytes: &[u8]) -> Result<Attempt, Damaged> {
    let mut input = Input::versioned(bytes, "attempt")?;
    let (id, head) = input.attempt_head()?;
    let AttemptHead { number, started_at, duration_ms, outcome, status_code } = head;
    Ok(Attempt {
        id,
        number,
        started_at,
        duration_ms,
        outcome,
        status_code,
        error: input.option(Input::text)?,
        remote_address: input.option(Input::text)?,
        timings: Timings {
            dns_ms: input.option(Input::u32)?,
            connect_ms: input.option(Input::u32)?,
            tls_ms: input.option(Input::u32)?,
            wait_ms: input.option(Input::u32)?,
        },
        request_headers: input.headers()?,
        response: input.option(|input| {
            let headers = input.headers()?;
            let body = Bytes::copy_from_slice(input.bytes()?);
            Ok(Response { headers, body, truncated: input.u8()? == 1 })
        })?,
    })
}

/// The id of a stored attempt without the rest of it.
pub fn attempt_id_of(bytes: &[u8]) -> Result<AttemptId, Damaged> {
    let mut input = Input::versioned(bytes, "attempt")?;
    Ok(AttemptId::from_bits(u128::from_be_bytes(input.take()?)))
}

/// An attempt's bytes, or their first [`ATTEMPT_HEAD_BYTES`].
pub fn attempt_head_of(bytes: &[u8]) -> Result<AttemptHead, Damaged> {
    Ok(Input::versioned(bytes, "attempt")?.attempt_head()?.1)
}

/// Any texts in their order, such as an app's scopes.
pub fn texts_bytes<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Output(vec![VERSION]);
    texts.for_each(|text| out.bytes(text.as_bytes()));
    out.0
}

pub fn texts_of(bytes: &[u8]) -> Result<Vec<String>, Damaged> {
    let mut input = Input::versioned(bytes, "list of texts")?;
    let mut texts = Vec::new();
    while !input.is_empty() {
        texts.push(input.text()?);
    }
    Ok(texts)
}

/// Names and values of an endpoint's own headers, to be sealed as one value.
pub fn pairs_bytes<'a>(pairs: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut out = Output(vec![VERSION]);
    out.u32(pairs.len() as u32);
    for (name, value) in pairs {
        out.bytes(name.as_bytes());
        out.bytes(value.as_bytes());
    }
    out.0
}

pub fn pairs_of(bytes: &[u8]) -> Result<Vec<(String, String)>, Damaged> {
    let headers = Input::versioned(bytes, "headers")?.headers()?;
    Ok(headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Where the tags of a tally's latencies begin; below are its outcomes.
const LATENCY_TAG: u8 = 64;

/// When the latest attempt began, then what there is of outcomes and latencies, each with its count.
pub fn tally_bytes(tally: &Tally) -> Vec<u8> {
    let mut out = Output(Vec::with_capacity(64));
    out.u8(VERSION);
    let last = tally.last_attempt_at.map_or(i64::MIN, Timestamp::as_millis);
    out.0.extend_from_slice(&last.to_be_bytes());
    for (tag, outcome) in (0..).zip(OUTCOMES) {
        out.counted(tag, tally.of(outcome));
    }
    for (place, count) in tally.latencies.counts() {
        out.counted(LATENCY_TAG + place as u8, count);
    }
    out.0
}

pub fn tally_of(bytes: &[u8]) -> Result<Tally, Damaged> {
    let mut input = Input::versioned(bytes, "tally")?;
    let last = i64::from_be_bytes(input.take()?);
    let mut tally = Tally::default();
    tally.last_attempt_at = (last != i64::MIN).then(|| Timestamp::from_millis(last));
    while !input.is_empty() {
        let (tag, count) = (input.u8()?, input.count()?);
        match tag.checked_sub(LATENCY_TAG) {
            Some(place) => tally.latencies.put(usize::from(place), count),
            None => tally.put(word_at(&OUTCOMES, i64::from(tag), "outcome")?, count),
        }
    }
    Ok(tally)
}

struct Output(Vec<u8>);

impl Output {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }
    /// Seven bits to a byte, the low ones first; nothing for a count of none.
    fn counted(&mut self, tag: u8, mut count: u64) {
        if count == 0 {
            return;
        }
        self.u8(tag);
        while count >= 0x80 {
            self.u8(count as u8 | 0x80);
            count >>= 7;
        }
        self.u8(count as u8);
    }
    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }
    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
    fn headers(&mut self, headers: &HeaderList) {
        self.u32(headers.len() as u32);
        for (name, value) in headers.iter() {
            self.bytes(name.as_bytes());
            self.bytes(value.as_bytes());
        }
    }
}

struct Input<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Input<'a> {
    fn versioned(bytes: &'a [u8], what: &'static str) -> Result<Self, Damaged> {
        let mut input = Self { rest: bytes, what };
        if input.u8()? == VERSION { Ok(input) } else { Err(Damaged(what)) }
    }
    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    fn attempt_head(&mut self) -> Result<(AttemptId, AttemptHead), Damaged> {
        let id = AttemptId::from_bits(u128::from_be_bytes(self.take()?));
        let head = AttemptHead {
            number: self.u32()?,
            started_at: Timestamp::from_millis(i64::from_be_bytes(self.take()?)),
            duration_ms: self.u32()?,
            outcome: word_at(&OUTCOMES, i64::from(self.u8()?), "outcome")?,
            status_code: self.option(|input| input.take().map(u16::from_be_bytes))?,
        };
        Ok((id, head))
    }
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Damaged(self.what))?;
        self.rest = rest;
        Ok(*taken)
    }
    fn u8(&mut self) -> Result<u8, Damaged> {
        self.take::<1>().map(|[byte]| byte)
    }
    fn u32(&mut self) -> Result<u32, Damaged> {
        self.take().map(u32::from_be_bytes)
    }
    fn count(&mut self) -> Result<u64, Damaged> {
        let mut count = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            count |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(count);
            }
        }
        Err(Damaged(self.what))
    }
    fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.u32()? as usize;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Damaged(self.what))?;
        self.rest = rest;
        Ok(taken)
    }
    fn str(&mut self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damaged(self.what))
    }
    fn text(&mut self) -> Result<String, Damaged> {
        self.str().map(str::to_owned)
    }
    fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Option<T>, Damaged> {
        if self.u8()? == 1 { read(self).map(Some) } else { Ok(None) }
    }
    fn headers(&mut self) -> Result<HeaderList, Damaged> {
        let count = self.u32()? as usize;
        // Walked once before, so that neither a damaged count nor a body behind them asks for memory.
        let mut ahead = Input { rest: self.rest, what: self.what };
        let mut text_bytes = 0;
        for _ in 0..count {
            text_bytes += ahead.bytes()?.len() + ahead.bytes()?.len();
        }
        let mut headers = HeaderList::with_capacity(count, text_bytes);
        for _ in 0..count {
            let (name, value) = (self.str()?, self.str()?);
            headers.push(name, value);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use domain::id::IdSource;

    use super::*;

    fn attempt() -> Attempt {
        let now = Timestamp::from_millis(1_700_000_000_000);
        Attempt {
            id: IdSource::seeded(1).attempt(now),
            number: 3,
            started_at: now,
            duration_ms: 83,
            outcome: Outcome::HttpError,
            status_code: Some(503),
            error: Some("the receiver answered 503".into()),
            remote_address: Some("203.0.113.7:443".into()),
            request_headers: [("content-type", "application/json")].into_iter().collect(),
            response: Some(Response {
                headers: [("server", "é")].into_iter().collect(),
                body: Bytes::from_static(&[0, 255, 7]),
                truncated: true,
            }),
            timings: Timings { dns_ms: Some(1), connect_ms: None, tls_ms: Some(20), wait_ms: Some(0) },
        }
    }

    #[test]
    fn an_attempt_reads_back_and_no_cut_of_it_does() {
        let bytes = attempt_bytes(&attempt());
        assert_eq!(attempt_of(&bytes).unwrap(), attempt());
        assert_eq!(attempt_id_of(&bytes).unwrap(), attempt().id);
        assert_eq!(attempt_head_of(&bytes[..ATTEMPT_HEAD_BYTES]).unwrap(), attempt().head());
        for cut in 0..bytes.len() {
            assert!(attempt_of(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn an_attempt_is_written_into_room_that_was_measured() {
        let mut large = attempt();
        large.request_headers = (0..100).map(|n| (format!("x-{n}"), "a".repeat(n))).collect();
        large.response.as_mut().unwrap().body = vec![7; 60_000].into();
        for attempt in [attempt(), large] {
            let bytes = attempt_bytes(&attempt);
            let unused = bytes.capacity() - bytes.len();
            assert!(unused <= ATTEMPT_REST_BYTES, "{unused} of {}", bytes.capacity());
        }
    }

    #[test]
    fn a_damaged_count_of_headers_is_damage() {
        let mut bytes = pairs_bytes([("a", "b")].into_iter());
        bytes[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(pairs_of(&bytes).is_err());
    }

    #[test]
    fn a_tally_reads_back_and_no_cut_of_it_is_another_s() {
        let mut tally = Tally::default();
        assert_eq!(tally_of(&tally_bytes(&tally)).unwrap(), tally);
        tally.last_attempt_at = Some(Timestamp::from_millis(1_700_000_000_000));
        for (n, outcome) in (0..).zip(Outcome::ALL) {
            tally.put(outcome, 3_u64.pow(5 * n));
        }
        for place in 0..domain::tally::LATENCY_BUCKETS {
            tally.latencies.put(place, 1 << place);
        }
        let bytes = tally_bytes(&tally);
        assert_eq!(tally_of(&bytes).unwrap(), tally);
        for cut in 0..bytes.len() {
            assert_ne!(tally_of(&bytes[..cut]).ok().as_ref(), Some(&tally), "{cut}");
        }
        tally = Tally::default();
        tally.put(Outcome::Succeeded, 5_000);
        tally.latencies.put(7, 5_000);
        assert!(tally_bytes(&tally).len() <= 16);
    }

    #[test]
    fn what_was_considered_reads_back() {
        let ids = IdSource::seeded(1);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let fates = [Fate::Delivery(ids.delivery(now)), Fate::Skipped(SkipReason::OwnEvent)];
        let considered = fates.map(|fate| Considered { endpoint_id: ids.endpoint(now), fate });
        assert_eq!(considered_of(&considered_bytes(&considered)).unwrap(), considered);
        assert_eq!(considered_of(&considered_bytes(&[])).unwrap(), []);
    }

    #[test]
    fn texts_read_back_also_empty_ones_and_none() {
        for texts in [&["a\nb", "", "é"][..], &[""], &[]] {
            assert_eq!(texts_of(&texts_bytes(texts.iter().copied())).unwrap(), texts);
        }
    }

    #[test]
    fn every_word_has_its_number() {
        for trigger in Trigger::ALL {
            assert_eq!(trigger_of(trigger_number(*trigger)).unwrap(), *trigger);
        }
        for status in Status::ALL {
            assert_eq!(status_of(status_number(*status)).unwrap(), *status);
        }
        for reason in EndReason::ALL {
            assert_eq!(end_reason_of(end_reason_number(*reason)).unwrap(), *reason);
        }
        assert!(Outcome::ALL.iter().all(|outcome| OUTCOMES.contains(outcome)));
        assert!(SkipReason::ALL.iter().all(|reason| SKIP_REASONS.contains(reason)));
        assert!(trigger_of(4).is_err() && status_of(-1).is_err());
    }
}

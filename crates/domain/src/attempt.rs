//! Attempts: one HTTP request of a delivery, and what came back.

use bytes::Bytes;

use crate::id::AttemptId;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// A finished attempt as the log keeps it. It holds no usable secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    /// From 1.
    pub number: u32,
    pub started_at: Timestamp,
    pub duration_ms: u32,
    pub outcome: Outcome,
    pub status_code: Option<u16>,
    /// One sentence in the receiver's owner's words; `None` on success.
    pub error: Option<String>,
    /// `address:port` that answered or was dialled; never one that the guard refused.
    pub remote_address: Option<String>,
    pub request_headers: HeaderList,
    pub response: Option<Response>,
    pub timings: Timings,
}

/// What a list of deliveries shows of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptHead {
    /// From 1.
    pub number: u32,
    pub started_at: Timestamp,
    pub duration_ms: u32,
    pub outcome: Outcome,
    pub status_code: Option<u16>,
}

impl Attempt {
    pub fn head(&self) -> AttemptHead {
        let Self { number, started_at, duration_ms, outcome, status_code, .. } = *self;
        AttemptHead { number, started_at, duration_ms, outcome, status_code }
    }
}

/// What is kept of a receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub headers: HeaderList,
    /// At most `RESPONSE_BYTES_MAX`; any bytes at all, not necessarily text.
    pub body: Bytes,
    pub truncated: bool,
}

/// Names in lower case, in the order sent or received. All texts stand in one buffer, since a list is made for every
/// attempt, kept whole, and seldom read.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HeaderList {
    text: String,
    /// Where each name and each value ends, in turn.
    ends: Vec<u32>,
}

impl HeaderList {
    /// Room for `count` headers of `bytes` in all.
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(2 * count) }
    }

    pub fn push(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            self.text.push_str(text);
            self.ends.push(self.text.len() as u32);
        }
    }

    /// As [`push`](Self::push) for a value of any bytes; what is not UTF-8 is replaced.
    pub fn push_bytes(&mut self, name: &str, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(value) => self.push(name, value),
            Err(_) => self.push(name, &String::from_utf8_lossy(value)),
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Of all names and values together.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        let mut next = move |end: &u32| {
            let text = &self.text[start..*end as usize];
            start = *end as usize;
            text
        };
        self.ends.chunks_exact(2).map(move |ends| (next(&ends[0]), next(&ends[1])))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for HeaderList {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut list = Self::default();
        headers.into_iter().for_each(|(name, value)| list.push(name.as_ref(), value.as_ref()));
        list
    }
}

impl std::fmt::Debug for HeaderList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// How long each phase took; `None` for one that did not happen, such as connecting on a kept connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    pub dns_ms: Option<u32>,
    pub connect_ms: Option<u32>,
    pub tls_ms: Option<u32>,
    /// From the request's last byte sent to the status line.
    pub wait_ms: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_in_their_order_also_empty_ones_and_those_that_were_no_text() {
        let mut list = HeaderList::with_capacity(3, 0);
        list.push("x-a", "é");
        list.push("x-b", "");
        list.push_bytes("x-a", b"a\xFFb");
        assert_eq!(list.iter().collect::<Vec<_>>(), [("x-a", "é"), ("x-b", ""), ("x-a", "a\u{FFFD}b")]);
        assert_eq!((list.len(), list.is_empty(), HeaderList::default().is_empty()), (3, false, true));
        assert_eq!(list.text_bytes(), "x-aéx-bx-aa\u{FFFD}b".len());
        assert_eq!(list.iter().collect::<HeaderList>(), list);
    }
}

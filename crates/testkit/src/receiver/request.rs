//! One request as it came off the wire.

use std::time::Instant;

use bytes::Bytes;

/// A request with everything that can be asked about it later.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// In the order and spelling in which they came.
    pub headers: Vec<(String, String)>,
    /// Every byte of it.
    pub body: Bytes,
    /// When the last byte was read.
    pub arrived_at: Instant,
}

impl Received {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The header's value; fails the test where there is none.
    pub fn expect_header(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no header `{name}` in {:?}", self.headers))
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// From the head's text, without the body. `None`: not HTTP/1.1.
    pub(super) fn parse_head(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, path, "HTTP/1.1") = (words.next()?, words.next()?, words.next()?) else { return None };
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        });
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.collect::<Option<_>>()?,
            body: Bytes::new(),
            arrived_at: Instant::now(),
        })
    }
}

//! A small reader of server-sent events.

use bytes::{Buf, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::patiently;

/// A stream that is being read, or not. Dropping it closes its connection.
#[derive(Debug)]
pub struct Sse {
    pub headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
    /// The id that a client would send to go on from here.
    pub last_id: String,
}

/// What one block of a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Event {
        id: String,
        event: String,
        data: Value,
    },
    /// Nothing but comments, an id, or a pause to come back after.
    Comment(String),
}

impl Sse {
    pub(crate) fn new(headers: HeaderMap, body: Incoming) -> Self {
        Self { headers, body, buffer: BytesMut::new(), last_id: String::new() }
    }

    /// The next block; `None`: the stream has ended.
    pub async fn block(&mut self) -> Option<Block> {
        patiently("a block of a stream", async {
            loop {
                if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                    let text =
                        String::from_utf8(self.buffer.split_to(end).to_vec()).expect("streams are UTF-8");
                    self.buffer.advance(2);
                    return Some(self.read(&text));
                }
                // A connection that is cut ends the stream too.
                let frame = self.body.frame().await?.ok()?;
                self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            }
        })
        .await
    }

    /// The next event, as its name and its data; `None`: the stream has ended.
    pub async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            if let Block::Event { event, data, .. } = self.block().await? {
                return Some((event, data));
            }
        }
    }

    /// The data of the next event, which is this one.
    pub async fn heard(&mut self, event: &str) -> Value {
        let (name, data) = self.event().await.expect("the stream goes on");
        assert_eq!(name, event, "{data}");
        data
    }

    /// Past its first words: what happens from now on is in it.
    pub async fn begun(mut self) -> Self {
        assert!(matches!(self.block().await, Some(Block::Comment(_))));
        self
    }

    fn read(&mut self, text: &str) -> Block {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
        };
        self.last_id = field("id").unwrap_or_else(|| panic!("no id in {text}"));
        match (field("event"), field("data")) {
            (Some(event), Some(data)) => {
                let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error} in {data}"));
                Block::Event { id: self.last_id.clone(), event, data }
            }
            _ => Block::Comment(text.to_owned()),
        }
    }
}

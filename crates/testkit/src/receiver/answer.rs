//! What a receiver does with a request: answer it, or one of the ways not to.

use bytes::Bytes;
use tokio::sync::watch;

/// One scripted reaction.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) act: Act,
    pub(super) gate: Option<Gate>,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Respond {
        status: u16,
        headers: Vec<(String, String)>,
        body: Bytes,
    },
    /// These bytes, whatever they are; then the connection is closed or held.
    Raw {
        bytes: Bytes,
        then: Then,
    },
    /// RST instead of an answer.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Close,
    /// Until the sender gives up.
    Hold,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { act: Act::Respond { status, headers: Vec::new(), body: Bytes::new() }, gate: None }
    }

    /// Nothing ever comes; the connection stays open.
    pub fn hang() -> Self {
        Self::raw_then_hang("")
    }

    /// The connection is closed without an answer.
    pub fn close() -> Self {
        Self::raw("")
    }

    /// The connection is reset without an answer.
    pub fn reset() -> Self {
        Self { act: Act::Reset, gate: None }
    }

    /// Any bytes, then the end of the connection.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { act: Act::Raw { bytes: bytes.into(), then: Then::Close }, gate: None }
    }

    /// Any bytes, then silence on an open connection.
    pub fn raw_then_hang(bytes: impl Into<Bytes>) -> Self {
        Self { act: Act::Raw { bytes: bytes.into(), then: Then::Hold }, gate: None }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Act::Respond { headers, .. } = &mut self.act {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        if let Act::Respond { body, .. } = &mut self.act {
            *body = bytes.into();
        }
        self
    }

    /// Only once the gate is open.
    #[must_use]
    pub fn when(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

/// Opened by the test's hand, once and for all who wait. Clones are one gate.
#[derive(Debug, Clone)]
pub struct Gate {
    state: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: watch::Sender::new(false) }
    }
}

impl Gate {
    pub fn open(&self) {
        self.state.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        let mut state = self.state.subscribe();
        state.wait_for(|open| *open).await.expect("the sender lives in self");
    }
}

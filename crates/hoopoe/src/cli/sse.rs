//! Reads server-sent events, as much as a client of our own stream needs.

use anyhow::ensure;

/// Text of one event that is not complete yet. A payload, escaped, and two answers of a receiver fit well.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One event, or a sign of life that brings a new id and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    /// Empty for a sign of life.
    pub(super) event: String,
    pub(super) data: String,
}

/// What has come and is no whole event yet.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// No line ends before this place.
    looked_at: usize,
    event: Event,
}

impl Reader {
    /// # Errors
    /// There are more bytes without an end than any event has.
    pub(super) fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.buffer.extend_from_slice(bytes);
        ensure!(
            self.buffer.len() <= EVENT_BYTES_MAX,
            "what the server sends is no stream of events; check --server"
        );
        Ok(())
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Option<Event> {
        while let Some(place) = memchr::memchr(b'\n', &self.buffer[self.looked_at..]) {
            let rest = self.buffer.split_off(self.looked_at + place + 1);
            let line = std::mem::replace(&mut self.buffer, rest);
            self.looked_at = 0;
            let line = String::from_utf8_lossy(&line);
            match line.trim_end_matches(['\r', '\n']) {
                "" => return Some(std::mem::take(&mut self.event)),
                line => self.field(line),
            }
        }
        self.looked_at = self.buffer.len();
        None
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.event),
            "data" => self.event.data.push_str(value),
            // A comment, or something that a newer server says.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_their_bytes_come() {
        let text =
            "id: a-1\nretry: 1000\n: hello\n\nid: a-2\r\nevent: attempt\r\ndata: {\"x\": \"é:\"}\r\n\r\n";
        let expected = [
            Event { id: Some("a-1".into()), ..Event::default() },
            Event { id: Some("a-2".into()), event: "attempt".into(), data: "{\"x\": \"é:\"}".into() },
        ];
        for size in 1..text.len() {
            let mut reader = Reader::default();
            let mut read = Vec::new();
            for bytes in text.as_bytes().chunks(size) {
                reader.push(bytes).unwrap();
                read.extend(std::iter::from_fn(|| reader.next()));
            }
            assert_eq!(read, expected, "{size}");
        }
    }

    #[test]
    fn what_never_ends_is_no_event() {
        let mut reader = Reader::default();
        let pieces = EVENT_BYTES_MAX / 1_000_000 + 1;
        let pushed = (0..pieces).try_for_each(|_| reader.push(&[b'x'; 1_000_000]));
        assert!(pushed.is_err());
    }
}
